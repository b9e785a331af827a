import type { Transport } from './transport.ts'
import { WriteWatch } from './write-watch.ts'
import type { WriteWatchOptions } from './write-watch.ts'

/** The bytes of one connection on their way to the peer: whether it takes more of them, and who waits until it does. */
export class Outflow {
  readonly #transport: () => Transport | undefined
  readonly #watch: WriteWatch
  readonly #waiters: (() => void)[] = []
  #isWritable = true
  #isOver = false

  constructor(options: WriteWatchOptions, transport: () => Transport | undefined) {
    this.#transport = transport
    this.#watch = new WriteWatch(options, transport, () => {
      // An A-ABORT would not reach it either.
      transport()?.destroy(new Error('The peer does not read what is sent to it'))
    })
  }

  get isWritable(): boolean {
    return this.#isWritable
  }

  /** Other limits hold from now on. */
  adopt(options: WriteWatchOptions): void {
    this.#watch.adopt(options)
  }

  /** False: wait for `drained` before the next one. @param left as for {@link Transport.write} */
  write(transport: Transport, header: Uint8Array, body?: Uint8Array, left?: () => void): boolean {
    return this.#wrote(body === undefined ? transport.write(header, left) : transport.writePair(header, body, left))
  }

  /** As `write`, of pieces that leave in one system call. */
  writeAll(transport: Transport, pieces: readonly Uint8Array[], left?: () => void): boolean {
    return this.#wrote(transport.writeAll(pieces, left))
  }

  #wrote(isRoomLeft: boolean): boolean {
    this.#watch.wrote(isRoomLeft)
    this.#isWritable = isRoomLeft
    return isRoomLeft
  }

  /** What `write` sends leaves in one system call. */
  together(write: () => void): void {
    const transport = this.#transport()
    transport?.cork()
    try {
      write()
    } finally {
      transport?.uncork()
    }
  }

  /** Resolves when the socket takes data again, or is gone. */
  drained(): Promise<void> {
    if (this.#isWritable || this.#isOver) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** The socket takes data again. */
  goOn(): void {
    this.#isWritable = true
    this.#watch.drained()
    this.#wake()
  }

  /** The peer may take as long as it likes. */
  stopWatching(): void {
    this.#watch.stop()
  }

  /** Nothing is sent any more; nobody waits. */
  end(): void {
    this.#isOver = true
    this.#isWritable = true
    this.#watch.stop()
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake()
  }
}
