import { type CStoreRequest, encodePart10Header, type Operation, StatusError } from '@dicomtap/framework'
import type { BufferPool } from './buffer-pool.ts'
import { StoreStatus } from './failure.ts'
import { type CompleteFile, FileSink } from './file-sink.ts'
import { ObjectHead, Tag } from './object-head.ts'
import { transferTitles } from './peer.ts'
import type { SpaceGuard } from './space-guard.ts'
import type { StagingArea } from './staging.ts'
import type { StudyTracker } from './study-tracker.ts'

/** What all receptions share. */
export interface ReceptionEnvironment {
  readonly pool: BufferPool
  readonly staging: StagingArea
  readonly guard: SpaceGuard
  /** Undefined while nobody wants to know of complete studies. */
  readonly tracker: StudyTracker | undefined
  readonly maximumObjectBytes: number | undefined
  readonly checkSopInstance: boolean
  readonly sha256: boolean
  readonly isSynced: boolean
  /** Whether somebody will want the first bytes of the data set. */
  readonly keepsHead: boolean
  /** Told when there was no room for the rest of an object. */
  readonly onFull: () => void
}

/** One object on its way from the network to a file under a temporary name. */
export class Reception {
  readonly head: ObjectHead
  readonly #environment: ReceptionEnvironment
  readonly #request: CStoreRequest
  readonly #sink: FileSink
  #receivedBytes = 0
  #storedBytes = 0
  #studyInstanceUid: string | undefined

  constructor(environment: ReceptionEnvironment, request: CStoreRequest, operation: Operation, tags: readonly number[]) {
    this.#environment = environment
    this.#request = request
    this.head = new ObjectHead(request.dataSet.transferSyntaxUid, tags, (head) => this.#onHead(head), environment.keepsHead)
    this.#sink = new FileSink({
      pool: environment.pool,
      create: () => environment.staging.create(),
      header: part10Header(request, operation),
      inspect: (fragment) => this.#inspect(fragment),
      sha256: environment.sha256,
    })
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /**
   * Receives the whole object.
   * @throws StatusError when it is refused; what the file system or the association throws.
   */
  async receive(): Promise<CompleteFile> {
    await this.#request.dataSet.pipeTo(this.#sink)
    if (this.#receivedBytes === 0) throw new StatusError(StoreStatus.CannotUnderstand, { errorComment: 'The data set is empty' })
    this.head.end()
    return this.#sink.finish(this.#environment.isSynced)
  }

  /** The object is stored: what it reserved is used now, less what it replaced. */
  settleStored(bytes: number): void {
    this.#storedBytes = bytes
  }

  /** Gives everything back, and removes the temporary file unless it was moved. Never rejects. */
  async end(): Promise<void> {
    const { guard, tracker } = this.#environment
    guard.settle(this.#receivedBytes, this.#storedBytes)
    if (this.#studyInstanceUid !== undefined) tracker?.endReceiving(this.#studyInstanceUid)
    await this.#sink.discard()
  }

  #inspect(fragment: Uint8Array): void {
    const { guard, maximumObjectBytes } = this.#environment
    if (maximumObjectBytes !== undefined && this.#receivedBytes + fragment.length > maximumObjectBytes) {
      throw new StatusError(StoreStatus.OutOfResources, { errorComment: 'The object is too large' })
    }
    if (guard.isFull(fragment.length)) {
      this.#environment.onFull()
      throw new StatusError(StoreStatus.OutOfResources, { errorComment: 'Out of space' })
    }
    this.#receivedBytes += fragment.length
    guard.reserve(fragment.length)
    this.head.push(fragment)
  }

  #onHead(head: ObjectHead): void {
    if (this.#environment.checkSopInstance) this.#checkSopInstance(head)
    const { tracker } = this.#environment
    const studyInstanceUid = head.uid(Tag.StudyInstanceUid)
    if (tracker === undefined || studyInstanceUid === undefined) return
    this.#studyInstanceUid = studyInstanceUid
    tracker.beginReceiving(studyInstanceUid)
  }

  /** PS3.4 B.2.3: what the request says of the instance must be what its data set says. */
  #checkSopInstance(head: ObjectHead): void {
    if (head.isMalformed) {
      throw new StatusError(StoreStatus.CannotUnderstand, { errorComment: 'The data set cannot be parsed' })
    }
    const offendingElements: number[] = []
    if (head.rawUid(Tag.SopClassUid) !== this.#request.affectedSopClassUid) offendingElements.push(Tag.SopClassUid)
    if (head.rawUid(Tag.SopInstanceUid) !== this.#request.affectedSopInstanceUid) offendingElements.push(Tag.SopInstanceUid)
    if (offendingElements.length === 0) return
    throw new StatusError(StoreStatus.DataSetDoesNotMatchSopClass, {
      errorComment: 'The data set is not of the SOP instance in the request',
      offendingElements,
    })
  }
}

/** Preamble and file meta information (PS3.10 7.1). */
function part10Header(request: CStoreRequest, { association }: Operation): Buffer {
  const { implementationClassUid, implementationVersionName } = association.settings
  const { sender, receiver } = transferTitles(association)
  return encodePart10Header({
    sopClassUid: request.affectedSopClassUid,
    sopInstanceUid: request.affectedSopInstanceUid,
    transferSyntaxUid: request.dataSet.transferSyntaxUid,
    implementationClassUid,
    implementationVersionName: implementationVersionName ?? undefined,
    sourceApplicationEntityTitle: sender,
    sendingApplicationEntityTitle: sender,
    receivingApplicationEntityTitle: receiver,
  })
}
