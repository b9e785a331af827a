import { withinDeadline } from './destination.ts'
import { MAXIMUM_BUFFERED_BYTES } from './line-target.ts'
import type { LineTarget } from './line-target.ts'

/**
 * Standard error, or a stream like it. A pipe whose reader stalls makes Node buffer without bound, and one
 * whose reader has gone raises `error`, which nobody may leave unheard: lines are dropped then.
 */
export function standardErrorTarget(stream: NodeJS.WriteStream = process.stderr): LineTarget {
  let isGone = false
  const onError = (): void => {
    isGone = true
  }
  stream.on('error', onError)
  const isWritable = (): boolean => !isGone && stream.writableLength < MAXIMUM_BUFFERED_BYTES
  return {
    isWritable,
    write(line) {
      if (!isWritable()) return false
      stream.write(line)
      return true
    },
    async close() {
      // The listener stays: an error may still come after the last write.
      if (!isGone) await withinDeadline((done) => stream.write('', () => done()))
    },
  }
}
