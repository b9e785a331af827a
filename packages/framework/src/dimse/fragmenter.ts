import type { DulServiceProvider } from '../dul/provider.ts'
import { writePDataTfHeader } from '../pdu/p-data-tf.ts'
import { encodeCommandSet } from './command-set.ts'
import type { CommandSet } from './command-set.ts'

/** Bytes a data set to be sent may come as; drawn lazily. */
export type DataSetBytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** PDU header (PS3.8 9.3.5) and the header of its one PDV (9.3.5.1, annex E.2). */
const HEADER_BYTES = 12
/** PDV length, presentation context ID and message control header count against the maximum length. */
const PDV_OVERHEAD_BYTES = 6
/** Our own bound where the peer set none (maximum length 0) or a huge one: keeps writes and memory small. */
const LARGEST_PDU_BYTES = 262_144
/** Up to this size header and fragment go into one buffer: cheaper than two writes. */
const COPY_BELOW_BYTES = 4_096

/**
 * Sends messages over a DUL provider, each cut into P-DATA-TF PDUs no longer than the peer takes, command
 * sets included. Messages leave whole, one after the other (PS3.8 annex E); a data set is drawn from its
 * source only as fast as the socket takes it.
 */
export class MessageFragmenter {
  readonly #dul: DulServiceProvider
  readonly #maximumFragmentBytes: number
  #tail: Promise<void> | undefined

  constructor(dul: DulServiceProvider, peerMaximumLength: number) {
    this.#dul = dul
    const limit = peerMaximumLength === 0 ? LARGEST_PDU_BYTES : Math.min(peerMaximumLength, LARGEST_PDU_BYTES)
    this.#maximumFragmentBytes = limit - PDV_OVERHEAD_BYTES
  }

  /**
   * Sends one message; resolves when the socket took it. Undefined when that was at once.
   * @throws DICOMTAP_ERR_DUL_STATE when the association is no longer there, and whatever `dataSet` throws:
   * then the message is incomplete and the association must be aborted.
   */
  send(presentationContextId: number, command: CommandSet, dataSet?: DataSetBytes): Promise<void> | undefined {
    const commandBytes = encodeCommandSet(command)
    if (this.#tail === undefined && dataSet === undefined && this.#dul.isWritable && commandBytes.length <= this.#maximumFragmentBytes) {
      this.#write(presentationContextId, true, true, commandBytes)
      return undefined
    }
    const before = this.#tail
    const sent = this.#sendAfter(before, presentationContextId, commandBytes, dataSet)
    const tail = sent
      .catch(() => {})
      .then(() => {
        if (this.#tail === tail) this.#tail = undefined
      })
    this.#tail = tail
    return sent
  }

  async #sendAfter(before: Promise<void> | undefined, id: number, command: Buffer, dataSet?: DataSetBytes): Promise<void> {
    await before
    await this.#sendFragments(id, true, command)
    if (dataSet !== undefined) await this.#sendFragments(id, false, dataSet)
  }

  async #sendFragments(id: number, isCommand: boolean, source: DataSetBytes): Promise<void> {
    const pieces = source instanceof Uint8Array ? [source] : source
    // Which fragment is the last is known only when the source ends: one is held back.
    let held: Uint8Array | undefined
    for await (const piece of pieces) {
      for (let offset = 0; offset < piece.length; offset += this.#maximumFragmentBytes) {
        if (held !== undefined) await this.#writeDrained(id, isCommand, false, held)
        held = piece.subarray(offset, offset + this.#maximumFragmentBytes)
      }
    }
    await this.#writeDrained(id, isCommand, true, held ?? Buffer.alloc(0))
  }

  async #writeDrained(id: number, isCommand: boolean, isLast: boolean, fragment: Uint8Array): Promise<void> {
    if (!this.#dul.isWritable) await this.#dul.drained()
    this.#write(id, isCommand, isLast, fragment)
  }

  #write(id: number, isCommand: boolean, isLast: boolean, fragment: Uint8Array): void {
    if (fragment.length <= COPY_BELOW_BYTES) {
      const pdu = Buffer.allocUnsafe(HEADER_BYTES + fragment.length)
      writePDataTfHeader(pdu, 0, id, isCommand, isLast, fragment.length)
      pdu.set(fragment, HEADER_BYTES)
      this.#dul.sendPData(pdu)
      return
    }
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    writePDataTfHeader(header, 0, id, isCommand, isLast, fragment.length)
    this.#dul.sendPData(header, fragment)
  }
}
