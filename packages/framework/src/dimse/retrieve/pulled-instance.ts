import type { DataSetBytes } from '../fragmenter.ts'
import type { InstanceToSend } from '../types.ts'
import type { CStoreOptions, CStoreSource } from '../user-types.ts'
import { openStoreSource } from '../user/store-source.ts'
import type { StoreObject } from '../user/store-source.ts'

/** What a handler of C-GET or C-MOVE gives for an instance. */
export type InstanceSource = InstanceToSend | CStoreSource

/** An instance that waits for its turn: what it is, and where its bytes come from. */
export interface PulledInstance {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** Undefined: a data set, to be encoded as the context has it. */
  readonly transferSyntaxUid: string | undefined
  /** Is it held in memory while it waits? */
  readonly isInMemory: boolean
  /** It is sent as it is or not at all; a data set in what it can be encoded in. */
  canBeIn(transferSyntaxUid: string): boolean
  /** The encoded data set; once more when it has to be sent again. */
  bytesIn(transferSyntaxUid: string): DataSetBytes | Promise<DataSetBytes>
  /** Lets go of its file, if one is open. */
  close(): Promise<void>
}

/** An instance that cannot be sent, with as much as is known of it. */
export interface UnusableInstance {
  readonly sopInstanceUid: string | undefined
  readonly error: unknown
}

export function isUnusable(instance: PulledInstance | UnusableInstance): instance is UnusableInstance {
  return 'error' in instance
}

/**
 * Finds out what an instance is. Of a file its head is read.
 * @throws TypeError for what can be no instance at all: the handler is wrong, not the file.
 */
export async function openInstance(source: InstanceSource): Promise<PulledInstance | UnusableInstance> {
  if (typeof source !== 'string' && (typeof source !== 'object' || source === null)) {
    throw new TypeError('An instance to send must be an object, bytes or the path of a file')
  }
  try {
    return new OpenedInstance(source, await openStoreSource(source, {}))
  } catch (error) {
    return { sopInstanceUid: sopInstanceUidOf(source), error }
  }
}

function sopInstanceUidOf(source: InstanceSource): string | undefined {
  if (typeof source === 'string' || source instanceof URL || source instanceof Uint8Array) return undefined
  try {
    const { bytes, sopInstanceUid, SOPInstanceUID } = source as Readonly<Record<string, unknown>>
    const uid = typeof bytes === 'function' ? sopInstanceUid : SOPInstanceUID
    return typeof uid === 'string' && uid !== '' ? uid : undefined
  } catch {
    // What cannot be read was why it could not be opened.
    return undefined
  }
}

class OpenedInstance implements PulledInstance {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string | undefined
  readonly isInMemory: boolean
  readonly #source: InstanceSource
  #object: StoreObject
  /** Its bytes are drawn once. */
  #isSpent = false

  constructor(source: InstanceSource, object: StoreObject) {
    this.sopClassUid = object.sopClassUid
    this.sopInstanceUid = object.sopInstanceUid
    this.transferSyntaxUid = object.transferSyntaxUid
    const isFile = typeof source === 'string' || source instanceof URL
    this.isInMemory = !isFile && typeof (source as { readonly bytes?: unknown }).bytes !== 'function'
    this.#source = source
    this.#object = object
  }

  canBeIn(transferSyntaxUid: string): boolean {
    return this.transferSyntaxUid === undefined ? this.#object.canConvertTo(transferSyntaxUid) : transferSyntaxUid === this.transferSyntaxUid
  }

  async bytesIn(transferSyntaxUid: string): Promise<DataSetBytes> {
    if (this.#isSpent) {
      await this.#object.close()
      this.#object = await openStoreSource(this.#source, this.#identity)
    }
    this.#isSpent = true
    return this.#object.bytesIn(transferSyntaxUid)
  }

  close(): Promise<void> {
    this.#isSpent = true
    return this.#object.close()
  }

  /** What is opened again must be what was pulled. */
  get #identity(): CStoreOptions {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = this
    return { sopClassUid, sopInstanceUid, ...(transferSyntaxUid === undefined ? {} : { transferSyntaxUid }) }
  }
}
