import { setImmediate as turn } from 'node:timers/promises'
import type { DulServiceProvider } from '../dul/provider.ts'
import { P_DATA_TF_HEADER_BYTES, writePDataTfHeader } from '../pdu/p-data-tf.ts'
import { encodeCommandSet } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import { loanOf } from './loans.ts'

/** Bytes a data set to be sent may come as; drawn lazily. */
export type DataSetBytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** PDV length, presentation context ID and message control header count against the maximum length. */
const PDV_OVERHEAD_BYTES = 6
/** Our own bound where the peer set none (maximum length 0) or a huge one: keeps writes and memory small. */
const LARGEST_PDU_BYTES = 262_144
/** Up to this size header and fragment go into one buffer: cheaper than two writes. */
const COPY_BELOW_BYTES = 4_096
/** Up to this size a data set is copied behind its headers, and the message leaves as one buffer. */
const COPY_MESSAGE_BELOW_BYTES = 16_384
/** So much goes to the socket at once, in one system call however many PDUs it is. */
const BATCH_BYTES = 1_114_112
/** What a fragment costs besides its bytes: a peer that takes a few at a time must not cost a hundred times their memory. */
const FRAGMENT_OVERHEAD_BYTES = 256
/** With so many in one write others have their turn after it. */
const MANY_FRAGMENTS = 1_024
const NOTHING = Buffer.alloc(0)

interface Fragment {
  readonly isCommand: boolean
  readonly isLast: boolean
  readonly bytes: Uint8Array
  /** Called when the bytes have left. */
  readonly returned?: (() => void) | undefined
}

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
    // Even: some peers refuse fragments of an odd length, though PS3.8 asks for it of whole messages alone.
    this.#maximumFragmentBytes = Math.max(1, (limit - PDV_OVERHEAD_BYTES) & ~1)
  }

  /**
   * Sends one message; resolves when the socket took it. Undefined when that was at once.
   * @param begins called when its turn has come, before its first fragment
   * @throws DICOMTAP_ERR_DUL_STATE when the association is no longer there, and whatever `dataSet` throws:
   * then the message is incomplete and the association must be aborted.
   */
  send(presentationContextId: number, command: CommandSet, dataSet?: DataSetBytes, begins?: () => void): Promise<void> | undefined {
    const commandBytes = encodeCommandSet(command)
    if (this.#tail === undefined && this.#dul.isWritable && this.#isSmall(commandBytes, dataSet)) {
      begins?.()
      if (dataSet === undefined && commandBytes.length <= this.#maximumFragmentBytes) {
        // Most responses: one PDU, and nothing made for it but its bytes.
        this.#writeOne(presentationContextId, { isCommand: true, isLast: true, bytes: commandBytes })
      } else if (dataSet !== undefined && commandBytes.length <= this.#maximumFragmentBytes && !this.#dul.isPDataSentWatched) {
        this.#writeWhole(presentationContextId, commandBytes, dataSet)
      } else {
        this.#write(presentationContextId, [...this.#cut(true, commandBytes), ...(dataSet === undefined ? [] : this.#cut(false, dataSet))])
      }
      return undefined
    }
    const before = this.#tail
    const sent = this.#sendAfter(before, presentationContextId, commandBytes, dataSet, begins)
    const tail = sent
      .catch(() => {})
      .then(() => {
        if (this.#tail === tail) this.#tail = undefined
      })
    this.#tail = tail
    return sent
  }

  /** Command set and data set in one write, the headers in one buffer. */
  #writeWhole(id: number, command: Buffer, dataSet: Uint8Array): void {
    const size = this.#maximumFragmentBytes
    const { length } = dataSet
    const fragments = Math.max(1, Math.ceil(length / size))
    const isCopied = length <= COPY_MESSAGE_BELOW_BYTES
    const start = P_DATA_TF_HEADER_BYTES + command.length
    const heads = Buffer.allocUnsafe(start + fragments * P_DATA_TF_HEADER_BYTES + (isCopied ? length : 0))
    writePDataTfHeader(heads, 0, id, true, true, command.length)
    heads.set(command, P_DATA_TF_HEADER_BYTES)
    if (isCopied) {
      for (let offset = 0, at = start; at < heads.length; offset += size) {
        const bytes = Math.min(size, length - offset)
        writePDataTfHeader(heads, at, id, false, offset + size >= length, bytes)
        heads.set(fragments === 1 ? dataSet : dataSet.subarray(offset, offset + bytes), at + P_DATA_TF_HEADER_BYTES)
        at += P_DATA_TF_HEADER_BYTES + bytes
      }
      this.#dul.sendMessage([heads])
      loanOf(dataSet)?.()
      return
    }
    const pieces: Uint8Array[] = []
    for (let offset = 0, from = 0, to = start; offset < length; offset += size, from = to) {
      const bytes = Math.min(size, length - offset)
      writePDataTfHeader(heads, to, id, false, offset + size >= length, bytes)
      to += P_DATA_TF_HEADER_BYTES
      pieces.push(heads.subarray(from, to), fragments === 1 ? dataSet : dataSet.subarray(offset, offset + bytes))
    }
    this.#dul.sendMessage(pieces, loanOf(dataSet))
  }

  async #sendAfter(
    before: Promise<void> | undefined,
    id: number,
    command: Buffer,
    dataSet?: DataSetBytes,
    begins?: () => void,
  ): Promise<void> {
    await before
    begins?.()
    const batch = new Batch((fragments) => this.#writeDrained(id, fragments))
    for (const fragment of this.#cut(true, command)) if (batch.add(fragment)) await batch.flush()
    if (dataSet instanceof Uint8Array) {
      for (const fragment of this.#cut(false, dataSet)) if (batch.add(fragment)) await batch.flush()
    } else if (dataSet !== undefined) {
      // Which fragment is the last is known only when the source ends: one is held back.
      let held: Fragment | undefined
      for await (const piece of dataSet) {
        if (piece.length === 0) continue
        let rest = piece
        if (held !== undefined && held.bytes.length % 2 === 1) {
          // The odd byte goes with what comes next.
          const { bytes } = held
          rest = Buffer.concat([bytes.subarray(-1), piece])
          held = bytes.length === 1 ? undefined : { ...held, bytes: bytes.subarray(0, -1) }
        }
        for (const fragment of this.#cut(false, rest, false)) {
          if (held !== undefined && batch.add(held)) await batch.flush()
          held = fragment
        }
        // What there is leaves before more is asked for, which may take its time.
        await batch.flush()
      }
      batch.add({ isCommand: false, bytes: NOTHING, ...held, isLast: true })
    }
    await batch.flush()
  }

  /** The pieces of at most a PDU that bytes go out in; empty bytes are one empty piece when they are all there is. */
  *#cut(isCommand: boolean, bytes: Uint8Array, isComplete = true): Generator<Fragment, void, undefined> {
    const size = this.#maximumFragmentBytes
    for (let offset = 0; offset < bytes.length; offset += size) {
      const isEnd = offset + size >= bytes.length
      const piece = bytes.length <= size ? bytes : bytes.subarray(offset, offset + size)
      yield { isCommand, isLast: isComplete && isEnd, bytes: piece, returned: isEnd ? loanOf(bytes) : undefined }
    }
    if (bytes.length === 0 && isComplete) yield { isCommand, isLast: true, bytes: NOTHING }
  }

  /** Does it fit into one write? */
  #isSmall(command: Uint8Array, dataSet: DataSetBytes | undefined): dataSet is Uint8Array | undefined {
    if (dataSet === undefined) return true
    if (!(dataSet instanceof Uint8Array)) return false
    const bytes = command.length + dataSet.length
    return bytes + (bytes / this.#maximumFragmentBytes) * FRAGMENT_OVERHEAD_BYTES <= BATCH_BYTES
  }

  async #writeDrained(id: number, fragments: readonly Fragment[]): Promise<void> {
    if (!this.#dul.isWritable) await this.#dul.drained()
    this.#write(id, fragments)
  }

  #write(id: number, fragments: readonly Fragment[]): void {
    if (fragments.length === 1) this.#writeOne(id, fragments[0] as Fragment)
    else this.#dul.together(() => fragments.forEach((fragment) => this.#writeOne(id, fragment)))
  }

  #writeOne(id: number, { isCommand, isLast, bytes, returned }: Fragment): void {
    if (bytes.length <= COPY_BELOW_BYTES) {
      const pdu = Buffer.allocUnsafe(P_DATA_TF_HEADER_BYTES + bytes.length)
      writePDataTfHeader(pdu, 0, id, isCommand, isLast, bytes.length)
      pdu.set(bytes, P_DATA_TF_HEADER_BYTES)
      // Copied, but what came before it of the same piece was not.
      this.#dul.sendPData(pdu, undefined, returned)
      return
    }
    const header = Buffer.allocUnsafe(P_DATA_TF_HEADER_BYTES)
    writePDataTfHeader(header, 0, id, isCommand, isLast, bytes.length)
    this.#dul.sendPData(header, bytes, returned)
  }
}

/** Fragments on their way to the socket. */
class Batch {
  readonly #write: (fragments: readonly Fragment[]) => Promise<void>
  #fragments: Fragment[] = []
  #bytes = 0

  constructor(write: (fragments: readonly Fragment[]) => Promise<void>) {
    this.#write = write
  }

  /** True when there are enough for one write. */
  add(fragment: Fragment): boolean {
    this.#fragments.push(fragment)
    this.#bytes += fragment.bytes.length + FRAGMENT_OVERHEAD_BYTES
    return this.#bytes >= BATCH_BYTES
  }

  async flush(): Promise<void> {
    if (this.#fragments.length === 0) return
    const fragments = this.#fragments
    this.#fragments = []
    this.#bytes = 0
    await this.#write(fragments)
    if (fragments.length >= MANY_FRAGMENTS) await turn()
  }
}
