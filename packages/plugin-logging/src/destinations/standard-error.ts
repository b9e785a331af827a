import { withinDeadline } from './within-deadline.ts'
import { MAXIMUM_BUFFERED_BYTES } from './line-target.ts'
import type { LineTarget } from './line-target.ts'

/** Streams with our listener for `error`, and whether they raised one. */
const watched = new WeakMap<NodeJS.WriteStream, { isGone: boolean }>()

/**
 * Standard error, or a stream like it. A pipe whose reader stalls makes Node buffer without bound, and one
 * whose reader has gone raises `error`, which would end the process if nobody listened: lines are dropped then.
 */
export function standardErrorTarget(stream: NodeJS.WriteStream = process.stderr): LineTarget {
  const state = watch(stream)
  const isWritable = (): boolean => !state.isGone && stream.writableLength < MAXIMUM_BUFFERED_BYTES
  return {
    isWritable,
    write(line) {
      if (!isWritable()) return false
      stream.write(line)
      return true
    },
    async close() {
      if (!state.isGone) await withinDeadline((done) => stream.write('', () => done()))
    },
  }
}

/** The listener stays: an error may come after the last write. */
function watch(stream: NodeJS.WriteStream): { isGone: boolean } {
  const known = watched.get(stream)
  if (known !== undefined) return known
  const state = { isGone: false }
  stream.on('error', () => {
    state.isGone = true
  })
  watched.set(stream, state)
  return state
}
