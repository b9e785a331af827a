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

/** Reads the few attributes that decide where an object goes from the fragments of its data set. */
export class ObjectHead {
  readonly #parser: DataSetHeadParser
  readonly #onComplete: () => void
  #isComplete = false

  /** @param onComplete called once, as early as the wanted attributes are known; a throw ends the transfer. */
  constructor(transferSyntaxUid: string, tags: readonly number[], onComplete: (head: ObjectHead) => void) {
    this.#parser = new DataSetHeadParser(transferSyntaxUid, tags, { maximumBytes: MAXIMUM_HEAD_BYTES })
    this.#onComplete = () => onComplete(this)
  }

  get isMalformed(): boolean {
    return this.#parser.isMalformed
  }

  push(fragment: Uint8Array): void {
    if (!this.#isComplete && this.#parser.push(fragment)) this.end()
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
