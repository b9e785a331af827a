import type { FileHandle } from 'node:fs/promises'
import { cannotExtract } from './refused.ts'

const READ_BYTES = 65_536
const JUMP_BYTES = 1_024

/** A file, read at positions: much where it is read on, little after a jump. */
export class FileWindow {
  readonly #handle: FileHandle
  /** Bytes of the file. */
  readonly size: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.size = size
  }

  /**
   * Bytes of the file: a view until the next call.
   * @throws StatusError AA02 when the file ends before
   */
  async view(position: number, length: number): Promise<Buffer> {
    const at = position - this.#start
    if (at >= 0 && at + length <= this.#bytes.length) return this.#bytes.subarray(at, at + length)
    if (length > this.size - position) throw cannotExtract('The file is cut off')
    const isNext = at >= 0 && at <= this.#bytes.length
    const wanted = Math.min(Math.max(length, isNext ? READ_BYTES : JUMP_BYTES), this.size - position)
    const buffer = Buffer.allocUnsafeSlow(wanted)
    await readFully(this.#handle, buffer, position)
    this.#bytes = buffer
    this.#start = position
    return buffer.subarray(0, length)
  }
}

/** @throws StatusError AA02 when the file ends before */
export async function readFully(handle: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done)
    if (bytesRead === 0) throw cannotExtract('The file is cut off')
    done += bytesRead
  }
}
