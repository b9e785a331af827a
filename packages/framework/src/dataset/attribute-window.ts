import { DicomtapError } from '../errors/index.ts'
import { inflate } from './deflate-stream.ts'

/** Reads from a file; 0 at its end. */
export type ReadAt = (buffer: Buffer, length: number, position: number) => Promise<number>

/** What is read at once: more than the header of most images takes. */
export const FILE_READ_BYTES = 16_384
const MAXIMUM_WINDOW_GROWTH = 65_536

interface WindowOptions {
  readonly readAt: ReadAt
  /** Where in the file the data set begins. */
  readonly dataSetOffset: number
  /** What is read, or inflated, at most. */
  readonly maximumBytes: number
}

/** The part of a data set that is in memory; positions are those in the data set. */
export class DataSetWindow {
  bytes: Buffer
  start = 0
  isEnd: boolean
  readonly #options: WindowOptions & { readonly sizeBytes: number }
  #bytesLeft: number

  /** @param options `first`: the start of the file, beyond where the data set begins */
  constructor(options: WindowOptions & { readonly sizeBytes: number; readonly first: Buffer }) {
    this.#options = options
    this.#bytesLeft = options.maximumBytes
    this.bytes = options.first.subarray(options.dataSetOffset)
    this.isEnd = options.first.length >= options.sizeBytes
  }

  /** @throws DICOMTAP_ERR_DS_* when the data set ends before, or too much would be read */
  async load(position: number, bytes: number): Promise<void> {
    const { readAt, dataSetOffset, sizeBytes } = this.#options
    const left = sizeBytes - dataSetOffset - position
    if (left < 0) throw cutOff()
    const length = Math.min(left, Math.max(FILE_READ_BYTES, Math.min(bytes * 2, bytes + MAXIMUM_WINDOW_GROWTH)))
    this.#bytesLeft -= length
    if (this.#bytesLeft < 0) throw tooLarge(this.#options.maximumBytes)
    const buffer = Buffer.allocUnsafeSlow(length)
    let done = 0
    while (done < length) {
      const bytesRead = await readAt(buffer.subarray(done), length - done, dataSetOffset + position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    this.bytes = buffer.subarray(0, done)
    this.start = position
    this.isEnd = done < length || length === left
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** The same of a deflated data set (PS3.5 A.5), which is inflated as far as needed and no further. */
export class InflatedWindow {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  isEnd = false
  readonly #options: WindowOptions
  readonly #pieces: AsyncGenerator<Uint8Array, void, undefined>
  #bytesLeft: number
  #reading: Promise<unknown> | undefined

  constructor(options: WindowOptions) {
    this.#options = options
    this.#bytesLeft = options.maximumBytes
    const readAt: ReadAt = (buffer, length, position) => {
      const reading = options.readAt(buffer, length, position)
      this.#reading = reading
      return reading
    }
    this.#pieces = inflate(fileFrom({ ...options, readAt }))
  }

  async load(position: number, bytes: number): Promise<void> {
    const parts: Buffer[] = []
    let start = this.start
    let end = start + this.bytes.length
    if (end > position) parts.push(Buffer.from(this.bytes.subarray(position - start)))
    start = position
    while (end < position + bytes && !this.isEnd) {
      const next = await this.#pieces.next()
      if (next.done === true) {
        this.isEnd = true
        break
      }
      const piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
      this.#bytesLeft -= piece.length
      if (this.#bytesLeft < 0) throw tooLarge(this.#options.maximumBytes)
      end += piece.length
      if (end > position) parts.push(piece.subarray(Math.max(0, piece.length - (end - position))))
    }
    if (this.isEnd && end < position) throw cutOff()
    this.bytes = Buffer.concat(parts)
    this.start = start
  }

  /** The file may be closed afterwards: what is read ahead has come. */
  async close(): Promise<void> {
    await this.#pieces.return()
    await this.#reading?.catch(() => undefined)
  }
}

async function* fileFrom({ readAt, dataSetOffset }: WindowOptions): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = dataSetOffset; ; ) {
    const buffer = Buffer.allocUnsafeSlow(FILE_READ_BYTES)
    const bytesRead = await readAt(buffer, buffer.length, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

function cutOff(): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', 'Malformed data set: it is cut off')
}

function tooLarge(maximumBytes: number): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `The attributes do not stand in the first ${maximumBytes} bytes that were looked at`)
}
