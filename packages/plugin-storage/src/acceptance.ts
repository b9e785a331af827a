import { type CStoreRequest, type Logger, type Operation, StatusError } from '@dicomtap/framework'
import path from 'node:path'
import { PathJail } from './contained-path.ts'
import { isStatusError, StoreStatus } from './failure.ts'
import type { CompleteFile } from './file-sink.ts'
import { isAskedFor } from './guard-hooks.ts'
import type { FilePathInfo, StorageHooks, StoragePeer, StoredInstance } from './hooks.ts'
import type { KeyedLock } from './keyed-lock.ts'
import { type ObjectHead, Tag } from './object-head.ts'
import { fieldValue } from './object-path.ts'
import { isPathField } from './path-fields.ts'
import type { PathTemplate } from './path-template.ts'
import { peerOf } from './peer.ts'
import type { Publication, Publisher } from './publisher.ts'
import type { RecordKind } from './records/record.ts'
import type { RecordLog } from './records/record-log.ts'

export interface AcceptorOptions {
  readonly root: string
  /** Held while a path is given a file; removals hold it, too. */
  readonly paths: KeyedLock
  readonly template: PathTemplate
  readonly publisher: Publisher
  /** Undefined when nothing is recorded. */
  readonly records: RecordLog | undefined
  readonly hooks: StorageHooks
  readonly log: Logger
  /** Whether the size of replaced files matters. */
  readonly countsSpace: boolean
}

/** A complete object and what it came with. */
export interface ReceivedObject {
  readonly request: CStoreRequest
  readonly operation: Operation
  readonly head: ObjectHead
  readonly file: CompleteFile
}

/** Takes a complete object into the folder: finds its path, gives it its name, has the hooks agree. */
export class Acceptor {
  readonly #options: AcceptorOptions
  readonly #jail: PathJail

  constructor(options: AcceptorOptions) {
    this.#options = options
    this.#jail = new PathJail(options.root)
  }

  /**
   * Resolves when the object may be answered 0000.
   * @throws StatusError when it is refused; what the file system throws.
   */
  async accept(object: ReceivedObject): Promise<Publication> {
    const { hooks, publisher, records } = this.#options
    const file = await this.#choosePath(object)
    const isAsked = hooks.instanceStored.taps.length > 0
    // A name that may be taken back, by a handler or because a sync fails, must not count for others meanwhile; and
    // records stand in the order in which names were given.
    if (!isAsked && !publisher.claimsNames && records === undefined) return this.#publish(object, file, false)
    return this.#options.paths.run(file, () => this.#publish(object, file, isAsked))
  }

  async #publish(object: ReceivedObject, file: string, isAsked: boolean): Promise<Publication> {
    const { publisher, hooks, countsSpace } = this.#options
    const wantsOutcome = isAsked || countsSpace || hooks.studyCompleted.taps.length > 0
    // Between name and record the new object is as right as the old one.
    if (!publisher.claimsNames) await this.#record('replacing', object, { path: file, sizeBytes: object.file.staged.sizeBytes }, Date.now())
    const publication = await publisher.publish(object.file.staged, file, wantsOutcome)
    // Not the time of the record: handlers may take long, while another process replaces the object.
    const placedAtMs = Date.now()
    if (isAsked) await this.#askHandlers(object, publication)
    await this.#record(publication.outcome === 'kept' ? 'kept' : 'stored', object, publication, placedAtMs)
    // Accepted: without its temporary name other processes may count on it.
    object.file.staged.discardSoon()
    return publication
  }

  #record(
    kind: RecordKind,
    { file }: ReceivedObject,
    { path: absolute, sizeBytes }: Pick<Publication, 'path' | 'sizeBytes'>,
    recordedAtMs: number,
  ): Promise<void> | undefined {
    return this.#options.records?.append({
      kind,
      relativePath: this.#relativePath(absolute),
      sizeBytes,
      sha256: kind === 'kept' ? undefined : file.sha256,
      recordedAtMs,
    })
  }

  #relativePath(absolute: string): string {
    return path.relative(this.#options.root, absolute).split(path.sep).join('/')
  }

  async #askHandlers(object: ReceivedObject, publication: Publication): Promise<void> {
    const { hooks, publisher } = this.#options
    try {
      await hooks.instanceStored.promise(isAskedFor(this.#describe(object, publication), object.operation))
    } catch (error) {
      const { outcome } = publication
      if (outcome === 'new' || outcome === 'version') await publisher.withdraw(object.file.staged, publication)
      throw refusal(StoreStatus.OutOfResources, error)
    }
  }

  #describe({ request, operation, head, file }: ReceivedObject, publication: Publication): StoredInstance {
    const { sizeBytes } = publication
    const outcome = publication.outcome === 'written' ? 'new' : publication.outcome
    return {
      path: publication.path,
      relativePath: this.#relativePath(publication.path),
      sopClassUid: request.affectedSopClassUid,
      sopInstanceUid: request.affectedSopInstanceUid,
      studyInstanceUid: head.uid(Tag.StudyInstanceUid),
      seriesInstanceUid: head.uid(Tag.SeriesInstanceUid),
      transferSyntaxUid: request.dataSet.transferSyntaxUid,
      sizeBytes,
      dataSetBytes: head.dataSetBytes,
      dataSetHead: this.#options.publisher.claimsNames && outcome !== 'kept' ? head.bytes : undefined,
      sha256: outcome === 'kept' ? undefined : file.sha256,
      peer: peerOf(operation.association),
      isDuplicate: outcome !== 'new',
      outcome,
    }
  }

  async #choosePath(object: ReceivedObject): Promise<string> {
    const { template, hooks, log } = this.#options
    const { request, operation, head } = object
    const peer = peerOf(operation.association)
    const rendered = template.render((name) => fieldValue(name, request, head, peer))
    const relativePath = hooks.filePath.taps.length > 0 ? await this.#askForPath(rendered, object, peer) : rendered
    const file = typeof relativePath === 'string' ? this.#jail.resolve(relativePath) : undefined
    if (file !== undefined) return file
    log.error('a handler of filePath gave no path inside the storage folder', {
      taps: hooks.filePath.taps.map((tap) => tap.name),
    })
    throw new StatusError(StoreStatus.ProcessingFailure, { errorComment: 'The object could not be stored' })
  }

  async #askForPath(rendered: string, { request, operation, head, file }: ReceivedObject, peer: StoragePeer): Promise<unknown> {
    const info: FilePathInfo = {
      sopClassUid: request.affectedSopClassUid,
      sopInstanceUid: request.affectedSopInstanceUid,
      transferSyntaxUid: request.dataSet.transferSyntaxUid,
      sizeBytes: file.staged.sizeBytes,
      peer,
      value: (keyword) => (isPathField(keyword) ? fieldValue(keyword, request, head, peer) : undefined),
    }
    try {
      return await this.#options.hooks.filePath.promise(rendered, isAskedFor(info, operation))
    } catch (error) {
      throw refusal(StoreStatus.ProcessingFailure, error)
    }
  }
}

/** A handler refused: with a status of its own, or by failing, which its guard has logged. */
function refusal(status: number, error: unknown): StatusError {
  return isStatusError(error) ? error : new StatusError(status, { errorComment: 'The object could not be stored', cause: error })
}
