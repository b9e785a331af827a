/** Size of the buffers in which small pieces of objects are gathered for the disk. */
export const BUFFER_BYTES: number = 128 * 1024

const MAXIMUM_IDLE_BUFFERS = 32

/** Buffers that objects borrow while they are received: one each at most, whatever the object's size, and none between objects. */
export class BufferPool {
  readonly #idle: Buffer[] = []

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  give(buffer: Buffer): void {
    if (this.#idle.length < MAXIMUM_IDLE_BUFFERS) this.#idle.push(buffer)
  }
}
