import { CommandField, DATA_SET_PRESENT } from '../command-set.ts'
import { DrawnBytes, withinSourceTime } from '../drawn-bytes.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import type { DimseServiceProvider } from '../provider.ts'
import type { CStoreOptions, CStoreResponse, CStoreSource } from '../user-types.ts'
import { aeTitleOf, badRequest, checkOptions, checkUid, checkUnsignedShort, priorityOf } from './checks.ts'
import { storageContextFor } from './contexts.ts'
import type { OutgoingRequest } from './invocation.ts'
import type { Lane } from './lane.ts'
import { Progress } from './progress.ts'
import { dimseResponse } from './responses.ts'
import { openStoreSource, openStoreSourceAtOnce } from './store-source.ts'
import type { StoreObject } from './store-source.ts'

/** PS3.7 9.1.1. @param heads where the heads of sources are read, a few at once */
export async function cStore(
  dimse: DimseServiceProvider,
  heads: Lane,
  source: CStoreSource,
  options: CStoreOptions,
): Promise<CStoreResponse> {
  checkOptions(options, 'C-STORE')
  checkStoreOptions(options)
  const sending = new StoreSending(dimse, options)
  try {
    const request = (dimse.invocations.isNextAtOnce(options.signal) ? sending.openAtOnce(source) : undefined) ?? heads.run(() => sending.open(source))
    // Whether or not anybody waits for it by then.
    if (request instanceof Promise) request.catch(() => {})
    const { command } = await dimse.invocations.open('C-STORE', options.sopClassUid ?? '', request, options.signal).only()
    sending.answered()
    const { sopClassUid, sopInstanceUid } = sending.object as StoreObject
    return { ...dimseResponse('C-STORE', sopClassUid, command), sopClassUid, sopInstanceUid }
  } finally {
    await sending.close()
  }
}

/** What is open for one C-STORE, and has to be closed whatever happens to it. */
class StoreSending {
  object: StoreObject | undefined
  readonly #dimse: DimseServiceProvider
  readonly #options: CStoreOptions
  #drawn: DrawnBytes | undefined
  #progress: Progress | undefined
  #isClosed = false

  constructor(dimse: DimseServiceProvider, options: CStoreOptions) {
    this.#dimse = dimse
    this.#options = options
  }

  async open(source: CStoreSource): Promise<OutgoingRequest> {
    const options = this.#options
    // Taken back while others were read: nobody waits for the error.
    if (this.#isClosed) throw badRequest('The C-STORE was taken back')
    const object = await openStoreSource(source, options)
    this.object = object
    if (this.#isClosed) {
      await object.close()
      throw badRequest('The C-STORE was taken back')
    }
    return this.#request(object)
  }

  /** As `open`, in one turn. Undefined where that is not the way. */
  openAtOnce(source: CStoreSource): OutgoingRequest | undefined {
    const object = openStoreSourceAtOnce(source, this.#options)
    this.object = object
    return object === undefined ? undefined : this.#request(object)
  }

  #request(object: StoreObject): OutgoingRequest {
    const options = this.#options
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = object
    checkUid(sopClassUid, 'sopClassUid')
    checkUid(sopInstanceUid, 'sopInstanceUid')
    const mayConvert = options.convert === true || transferSyntaxUid === undefined
    const canConvertTo = (uid: string): boolean => mayConvert && object.canConvertTo(uid)
    const context = storageContextFor(this.#dimse.contexts, sopClassUid, transferSyntaxUid, canConvertTo, options.presentationContextId)
    const command = {
      affectedSopClassUid: sopClassUid,
      commandField: CommandField.C_STORE_RQ,
      priority: options.priority ?? 0,
      commandDataSetType: DATA_SET_PRESENT,
      affectedSopInstanceUid: sopInstanceUid,
      moveOriginatorApplicationEntityTitle: options.moveOriginatorApplicationEntityTitle,
      moveOriginatorMessageId: options.moveOriginatorMessageId,
    }
    return { context, command, dataSet: () => this.#bytesAtOnce(object, context.transferSyntax) ?? this.#bytes(object, context.transferSyntax) }
  }

  /** The response is there, so everything was sent. */
  answered(): void {
    this.#progress?.ended()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#drawn?.close()
    await this.object?.close()
  }

  #bytesAtOnce(object: StoreObject, transferSyntaxUid: string): DataSetBytes | undefined {
    const bytes = object.bytesAtOnceIn?.(transferSyntaxUid)
    return bytes === undefined ? undefined : this.#withProgress(bytes)
  }

  /** The first piece is drawn before anything is sent: a source that fails there costs this call alone. */
  async #bytes(object: StoreObject, transferSyntaxUid: string): Promise<DataSetBytes | undefined> {
    const source = await withinSourceTime(Promise.resolve(object.bytesIn(transferSyntaxUid)), this.#dimse.sourceMs)
    let bytes: DataSetBytes = source
    if (!(source instanceof Uint8Array)) {
      bytes = this.#drawn = await DrawnBytes.of(source, this.#dimse.sourceMs)
      // It may have been closed while it was made or drawn from: it must be let go all the same.
      if (this.#isClosed) this.#drawn.close()
    }
    return this.#withProgress(bytes)
  }

  #withProgress(bytes: DataSetBytes): DataSetBytes {
    const { onProgress } = this.#options
    if (onProgress === undefined) return bytes
    this.#progress = new Progress(onProgress, this.#dimse.log)
    return this.#progress.of(bytes)
  }
}

function checkStoreOptions(options: CStoreOptions): void {
  priorityOf(options.priority)
  const { sopClassUid, sopInstanceUid, transferSyntaxUid, onProgress } = options
  if (sopClassUid !== undefined) checkUid(sopClassUid, 'sopClassUid')
  if (sopInstanceUid !== undefined) checkUid(sopInstanceUid, 'sopInstanceUid')
  if (transferSyntaxUid !== undefined) checkUid(transferSyntaxUid, 'transferSyntaxUid')
  const { moveOriginatorApplicationEntityTitle: title, moveOriginatorMessageId: messageId } = options
  if (title !== undefined) aeTitleOf(title, 'moveOriginatorApplicationEntityTitle')
  if (messageId !== undefined) checkUnsignedShort(messageId, 'moveOriginatorMessageId')
  if (onProgress !== undefined && typeof onProgress !== 'function') throw badRequest('onProgress must be a function')
}
