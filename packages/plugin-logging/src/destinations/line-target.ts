import type { LogEntry } from '../entry.ts'
import type { Destination } from './destination.ts'

/** Bytes that wait for a stream before lines are dropped. */
export const MAXIMUM_BUFFERED_BYTES: number = 4 * 1024 * 1024

/** A stream of text with bounded memory. */
export interface LineTarget {
  /** False when the line would not fit; it is not taken then. */
  write(line: string): boolean
  isWritable(): boolean
  close(): Promise<void>
}

/**
 * A destination that writes to `target`, which takes a line at once or drops it: there is nothing that winston's streams
 * would have to hold back, and they cost several times what the line does.
 */
export function createLineDestination(
  name: string,
  target: LineTarget,
  render: (entry: LogEntry) => string,
  onError: (error: Error) => void,
): Destination {
  let dropped = 0
  let isClosed = false
  return {
    name,
    write(entry) {
      try {
        if (isClosed || !target.write(`${render(entry)}\n`)) dropped += 1
      } catch (error) {
        onError(error instanceof Error ? error : new Error('a log line could not be written', { cause: error }))
      }
    },
    isWritable: () => !isClosed && target.isWritable(),
    get dropped() {
      return dropped
    },
    forgetDropped() {
      dropped = 0
    },
    async close() {
      isClosed = true
      await target.close()
    },
  }
}
