import type { DataSetBytes } from '../fragmenter.ts'
import { isValidUid } from '../../dataset/registry.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { FileToSend, InstanceToSend } from '../types.ts'
import type { CStoreOptions, CStoreSource } from '../user-types.ts'
import { openStoreSource } from '../user/store-source.ts'
import type { StoreObject } from '../user/store-source.ts'
import { FileInstance } from './file-instance.ts'

/** What a handler of C-GET or C-MOVE gives for an instance. */
export type InstanceSource = InstanceToSend | FileToSend | CStoreSource

/** An instance that waits for its turn: what it is, and where its bytes come from. */
export interface PulledInstance {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** Undefined: a data set, to be encoded as the context has it. */
  readonly transferSyntaxUid: string | undefined
  /** Is it held in memory while it waits? */
  readonly isInMemory: boolean
  /** Can it be had in this transfer syntax, without a value of it being touched? Always in its own. */
  canBeIn(transferSyntaxUid: string): boolean
  /**
   * Opens it, where that was not done to learn what it is. False: it is not of the class and transfer syntax that it
   * was said to be, but of those that it names now.
   * @throws when it cannot be opened
   */
  confirm(): Promise<boolean>
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
    if (isFileToSend(source)) return fileInstance(source)
    return new OpenedInstance(source, await openStoreSource(source, {}))
  } catch (error) {
    return { sopInstanceUid: sopInstanceUidOf(source), error }
  }
}

/** Keywords of a data set begin with a capital letter. */
function isFileToSend(source: InstanceSource): source is FileToSend {
  if (typeof source !== 'object' || !('path' in source)) return false
  return typeof source.path === 'string' || source.path instanceof URL
}

function fileInstance(source: FileToSend): FileInstance {
  for (const name of ['sopClassUid', 'sopInstanceUid', 'transferSyntaxUid'] as const) {
    const uid: unknown = source[name]
    if (typeof uid === 'string' && isValidUid(uid, 'lenient')) continue
    throw new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', `A file cannot be sent: its ${name} is no UID`)
  }
  return new FileInstance(source)
}

function sopInstanceUidOf(source: InstanceSource): string | undefined {
  if (typeof source === 'string' || source instanceof URL || source instanceof Uint8Array) return undefined
  try {
    const { bytes, path, sopInstanceUid, SOPInstanceUID } = source as Readonly<Record<string, unknown>>
    const uid = typeof bytes === 'function' || path !== undefined ? sopInstanceUid : SOPInstanceUID
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
  readonly #source: Exclude<InstanceSource, FileToSend>
  #object: StoreObject
  /** Its bytes are drawn once. */
  #isSpent = false

  constructor(source: Exclude<InstanceSource, FileToSend>, object: StoreObject) {
    this.sopClassUid = object.sopClassUid
    this.sopInstanceUid = object.sopInstanceUid
    this.transferSyntaxUid = object.transferSyntaxUid
    const isFile = typeof source === 'string' || source instanceof URL
    this.isInMemory = !isFile && typeof (source as { readonly bytes?: unknown }).bytes !== 'function'
    this.#source = source
    this.#object = object
  }

  canBeIn(transferSyntaxUid: string): boolean {
    return this.#object.canConvertTo(transferSyntaxUid)
  }

  async confirm(): Promise<boolean> {
    return true
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
