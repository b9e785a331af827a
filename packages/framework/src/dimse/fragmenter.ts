import type { DulServiceProvider } from '../dul/provider.ts'
import { P_DATA_TF_HEADER_BYTES, writePDataTfHeader } from '../pdu/p-data-tf.ts'
import { encodeCommandSet } from './command-set.ts'
import type { CommandSet } from './command-set.ts'

/** Bytes a data set to be sent may come as; drawn lazily. */
export type DataSetBytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** PDV length, presentation context ID and message control header count against the maximum length. */
const PDV_OVERHEAD_BYTES = 6
/** Our own bound where the peer set none (maximum length 0) or a huge one: keeps writes and memory small. */
const LARGEST_PDU_BYTES = 262_144
/** Up to this size header and fragment go into one buffer: cheaper than two writes. */
const COPY_BELOW_BYTES = 4_096
/** So much goes to the socket at once, in one system call however many PDUs it is. */
const BATCH_BYTES = 524_288
const NOTHING = Buffer.alloc(0)

interface Fragment {
  readonly isCommand: boolean
  readonly isLast: boolean
  readonly bytes: Uint8Array
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
    this.#maximumFragmentBytes = limit - PDV_OVERHEAD_BYTES
  }

  /**
   * Sends one message; resolves when the socket took it. Undefined when that was at once.
   * @throws DICOMTAP_ERR_DUL_STATE when the association is no longer there, and whatever `dataSet` throws:
   * then the message is incomplete and the association must be aborted.
   */
  send(presentationContextId: number, command: CommandSet, dataSet?: DataSetBytes): Promise<void> | undefined {
    const commandBytes = encodeCommandSet(command)
    if (this.#tail === undefined && this.#dul.isWritable && isSmall(commandBytes, dataSet)) {
      const fragments = this.#cut(true, commandBytes)
      if (dataSet !== undefined) fragments.push(...this.#cut(false, dataSet))
      this.#write(presentationContextId, fragments)
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
    const batch = new Batch((fragments) => this.#writeDrained(id, fragments))
    for (const fragment of this.#cut(true, command)) if (batch.add(fragment)) await batch.flush()
    if (dataSet instanceof Uint8Array) {
      for (const fragment of this.#cut(false, dataSet)) if (batch.add(fragment)) await batch.flush()
    } else if (dataSet !== undefined) {
      // Which fragment is the last is known only when the source ends: one is held back.
      let held: Fragment | undefined
      for await (const piece of dataSet) {
        for (const fragment of this.#cut(false, piece, false)) {
          if (held !== undefined && batch.add(held)) await batch.flush()
          held = fragment
        }
        // What there is leaves before more is asked for, which may take its time.
        await batch.flush()
      }
      batch.add({ isCommand: false, isLast: true, bytes: held?.bytes ?? NOTHING })
    }
    await batch.flush()
  }

  /** The pieces of at most a PDU that bytes go out in; empty bytes are one empty piece when they are all there is. */
  #cut(isCommand: boolean, bytes: Uint8Array, isComplete = true): Fragment[] {
    const fragments: Fragment[] = []
    const size = this.#maximumFragmentBytes
    for (let offset = 0; offset < bytes.length; offset += size) {
      const isLast = isComplete && offset + size >= bytes.length
      fragments.push({ isCommand, isLast, bytes: bytes.length <= size ? bytes : bytes.subarray(offset, offset + size) })
    }
    if (fragments.length === 0 && isComplete) fragments.push({ isCommand, isLast: true, bytes: NOTHING })
    return fragments
  }

  async #writeDrained(id: number, fragments: readonly Fragment[]): Promise<void> {
    if (!this.#dul.isWritable) await this.#dul.drained()
    this.#write(id, fragments)
  }

  #write(id: number, fragments: readonly Fragment[]): void {
    if (fragments.length === 1) this.#writeOne(id, fragments[0] as Fragment)
    else this.#dul.together(() => fragments.forEach((fragment) => this.#writeOne(id, fragment)))
  }

  #writeOne(id: number, { isCommand, isLast, bytes }: Fragment): void {
    if (bytes.length <= COPY_BELOW_BYTES) {
      const pdu = Buffer.allocUnsafe(P_DATA_TF_HEADER_BYTES + bytes.length)
      writePDataTfHeader(pdu, 0, id, isCommand, isLast, bytes.length)
      pdu.set(bytes, P_DATA_TF_HEADER_BYTES)
      this.#dul.sendPData(pdu)
      return
    }
    const header = Buffer.allocUnsafe(P_DATA_TF_HEADER_BYTES)
    writePDataTfHeader(header, 0, id, isCommand, isLast, bytes.length)
    this.#dul.sendPData(header, bytes)
  }
}

function isSmall(command: Uint8Array, dataSet: DataSetBytes | undefined): dataSet is Uint8Array | undefined {
  return dataSet === undefined || (dataSet instanceof Uint8Array && command.length + dataSet.length <= BATCH_BYTES)
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
    this.#bytes += fragment.bytes.length
    return this.#bytes >= BATCH_BYTES
  }

  async flush(): Promise<void> {
    if (this.#fragments.length === 0) return
    const fragments = this.#fragments
    this.#fragments = []
    this.#bytes = 0
    await this.#write(fragments)
  }
}
