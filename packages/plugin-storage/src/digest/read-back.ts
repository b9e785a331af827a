import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** How much is read at once. */
export const READ_BYTES: number = 256 * 1024

/** What a file must be: as long as what was received, with its CRC-32. */
export interface Received {
  readonly sizeBytes: number
  readonly crc32: number
}

/** The digest of a file that is read back, which counts only when the file is what was received. */
export class ReadBack {
  readonly #hash = createHash('sha256')
  #crc32 = 0
  #positionBytes = 0

  get positionBytes(): number {
    return this.#positionBytes
  }

  take(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#crc32 = crc32(bytes, this.#crc32)
    this.#positionBytes += bytes.length
  }

  /** @throws an error with the code EIO */
  end({ sizeBytes, crc32: received }: Received): string {
    if (this.#positionBytes !== sizeBytes) throw ioError('a file is shorter than what was written to it')
    if (this.#crc32 !== received) throw ioError('a file is not what was written to it')
    return this.#hash.digest('hex')
  }
}

function ioError(what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`EIO: ${what}, read`), { code: 'EIO', syscall: 'read' })
}
