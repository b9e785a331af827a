import path from 'node:path'
import { createStream } from 'rotating-file-stream'
import type { RotatingFileStream } from 'rotating-file-stream'
import type { FileOptions } from '../options.ts'
import { withinDeadline } from './within-deadline.ts'
import { MAXIMUM_BUFFERED_BYTES } from './line-target.ts'
import type { LineTarget } from './line-target.ts'

/** After an error (disk full, folder gone) the file is tried again at the first line after this time. */
const RETRY_MS = 10_000
/** Lines that come while one write is under way go out together, in pieces of up to about this size. */
const PIECE_CHARACTERS = 65_536

export interface RotatingFileOptions extends FileOptions {
  /** Called when the file stops taking lines; again only after it took some. */
  readonly onError: (error: Error) => void
  readonly retryMs?: number
  /** How long `close` waits for lines on their way to the disk. */
  readonly closeDeadlineMs?: number
}

/**
 * A file that is rotated by size. (winston's own File transport loses what is in its buffer at each rotation
 * and does not tell of write errors.)
 *
 * @throws the error of the operating system when the file cannot be opened at the start.
 */
export async function rotatingFileTarget(options: RotatingFileOptions): Promise<LineTarget> {
  const { onError, retryMs = RETRY_MS } = options
  // Rotation is between pieces: they must be small beside the file.
  const pieceCharacters = Math.min(PIECE_CHARACTERS, options.maximumBytes / 10)
  let stream: RotatingFileStream | undefined
  let failedAtMs = 0
  let hasFailed = false
  let isWriting = false
  /** Lines not yet written; the first piece is under way while `isWriting`. */
  const pieces: string[] = []
  let waitingCharacters = 0

  const opening = open()
  await new Promise<void>((resolve, reject) => {
    opening.once('open', () => resolve())
    opening.once('error', reject)
  })
  follow(opening)

  function open(): RotatingFileStream {
    return createStream(path.basename(options.path), {
      path: path.dirname(options.path),
      size: `${options.maximumBytes}B`,
      rotate: options.maximumFiles - 1,
      mode: Number.parseInt(options.mode, 8),
      ...(options.compress ? { compress: 'gzip' } : {}),
    })
  }

  function follow(opened: RotatingFileStream): void {
    stream = opened
    // Writes fail one by one too; the stream is of no more use after the first error.
    opened.on('error', (error) => {
      if (stream !== opened) return
      stream = undefined
      isWriting = false
      failedAtMs = performance.now()
      if (!hasFailed) onError(error)
      hasFailed = true
    })
    writeNext()
  }

  /** What a failed write held is written again: a line twice is better than none. */
  function writeNext(): void {
    const target = stream
    const [piece] = pieces
    if (piece === undefined || target === undefined) return
    isWriting = true
    target.write(piece, (error) => {
      if (stream !== target || (error !== undefined && error !== null)) return
      isWriting = false
      hasFailed = false
      pieces.shift()
      waitingCharacters -= piece.length
      writeNext()
    })
  }

  function append(line: string): void {
    const last = pieces.length - 1
    const isOpen = last > (isWriting ? 0 : -1) && (pieces[last]?.length ?? 0) < pieceCharacters
    if (isOpen) pieces[last] += line
    else pieces.push(line)
    waitingCharacters += line.length
  }

  const isWritable = (): boolean => stream !== undefined && waitingCharacters < MAXIMUM_BUFFERED_BYTES
  return {
    isWritable,
    write(line) {
      if (stream === undefined && performance.now() - failedAtMs >= retryMs) follow(open())
      if (!isWritable()) return false
      append(line)
      if (!isWriting) writeNext()
      return true
    },
    async close() {
      const closing = stream
      if (closing === undefined) return
      for (const piece of pieces.slice(isWriting ? 1 : 0)) closing.write(piece)
      pieces.length = 0
      await withinDeadline((done) => closing.once('close', done).end(), options.closeDeadlineMs)
    },
  }
}
