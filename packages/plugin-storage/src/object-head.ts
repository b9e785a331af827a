import { DataSetHeadParser } from '@dicomtap/framework'
import { isUid } from './safe-name.ts'

export const Tag = {
  SopClassUid: 0x0008_0016,
  SopInstanceUid: 0x0008_0018,
  StudyInstanceUid: 0x0020_000d,
  SeriesInstanceUid: 0x0020_000e,
} as const

// A sequence of references or a private group may stand before the UIDs; passing over it takes no memory.
const MAXIMUM_HEAD_BYTES = 4 * 1024 * 1024
/** Of the beginning that handlers of `instanceStored` are given: more than most images have before their pixels. */
const KEPT_BYTES = 16 * 1024

/** Reads the few attributes that decide where an object goes from the fragments of its data set. */
export class ObjectHead {
  readonly #parser: DataSetHeadParser
  readonly #onComplete: () => void
  readonly #isKept: boolean
  #isComplete = false
  #kept: Buffer | undefined
  #dataSetBytes = 0

  /**
   * @param onComplete called once, as early as the wanted attributes are known; a throw ends the transfer.
   * @param isKept whether `bytes` will be asked for
   */
  constructor(transferSyntaxUid: string, tags: readonly number[], onComplete: (head: ObjectHead) => void, isKept = false) {
    this.#isKept = isKept
    this.#parser = new DataSetHeadParser(transferSyntaxUid, tags, { maximumBytes: MAXIMUM_HEAD_BYTES })
    this.#onComplete = () => onComplete(this)
  }

  get isMalformed(): boolean {
    return this.#parser.isMalformed
  }

  /** The first bytes of the data set: all that came, or 16 KiB of it. */
  get bytes(): Uint8Array | undefined {
    return this.#kept
  }

  /** Of all that came. */
  get dataSetBytes(): number {
    return this.#dataSetBytes
  }

  push(fragment: Uint8Array): void {
    this.#dataSetBytes += fragment.length
    if (this.#isKept && (this.#kept === undefined || this.#kept.length < KEPT_BYTES)) this.#keep(fragment)
    if (!this.#isComplete && this.#parser.push(fragment)) this.end()
  }

  /** A copy: the fragment is used again. */
  #keep(fragment: Uint8Array): void {
    const before = this.#kept
    const part = fragment.subarray(0, KEPT_BYTES - (before?.length ?? 0))
    this.#kept = before === undefined ? Buffer.from(part) : Buffer.concat([before, part])
  }

  /** The data set is over; it may have been too short to get behind the last wanted attribute. */
  end(): void {
    if (this.#isComplete) return
    this.#isComplete = true
    this.#parser.end()
    this.#onComplete()
  }

  text(tag: number): string | undefined {
    return this.#parser.text(tag)
  }

  /** The value of an attribute with VR UI as it was sent, without padding; cheaper than `text`. */
  rawUid(tag: number): string | undefined {
    const bytes = this.#parser.values.get(tag)
    if (bytes === undefined) return undefined
    let end = bytes.length
    // PS3.5 9.1 pads with a null; some equipment pads with spaces.
    while (end > 0 && (bytes[end - 1] === 0x00 || bytes[end - 1] === 0x20)) end -= 1
    return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1')
  }

  /** The same, undefined when the value is not a UID. */
  uid(tag: number): string | undefined {
    const value = this.rawUid(tag)
    return value !== undefined && isUid(value) ? value : undefined
  }
}
