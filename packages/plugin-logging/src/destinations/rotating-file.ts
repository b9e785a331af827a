import path from 'node:path'
import { createStream } from 'rotating-file-stream'
import type { RotatingFileStream } from 'rotating-file-stream'
import type { FileOptions } from '../options.ts'
import { withinDeadline } from './destination.ts'
import { MAXIMUM_BUFFERED_BYTES } from './line-target.ts'
import type { LineTarget } from './line-target.ts'

/** After an error (disk full, folder gone) the file is tried again at the first line after this time. */
const RETRY_MS = 10_000

export interface RotatingFileOptions extends FileOptions {
  /** Called when the file stops taking lines; again only after it took some. */
  readonly onError: (error: Error) => void
  readonly retryMs?: number
}

/**
 * A file that is rotated by size. (winston's own File transport loses what is in its buffer at each rotation
 * and does not tell of write errors.)
 *
 * @throws the error of the operating system when the file cannot be opened at the start.
 */
export async function rotatingFileTarget(options: RotatingFileOptions): Promise<LineTarget> {
  const { onError, retryMs = RETRY_MS } = options
  let stream: RotatingFileStream | undefined
  let failedAtMs = 0
  let hasFailed = false

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
    opened.once('error', (error) => {
      opened.on('error', () => {})
      if (stream !== opened) return
      stream = undefined
      failedAtMs = performance.now()
      if (!hasFailed) onError(error)
      hasFailed = true
    })
  }

  const noticeRecovery = (error?: Error | null): void => {
    if (error === undefined || error === null) hasFailed = false
  }

  const isWritable = (): boolean => stream !== undefined && stream.writableLength < MAXIMUM_BUFFERED_BYTES
  return {
    isWritable,
    write(line) {
      if (stream === undefined && performance.now() - failedAtMs >= retryMs) follow(open())
      if (!isWritable()) return false
      if (hasFailed) stream?.write(line, noticeRecovery)
      else stream?.write(line)
      return true
    },
    async close() {
      const closing = stream
      if (closing !== undefined) await withinDeadline((done) => closing.once('close', done).end())
    },
  }
}
