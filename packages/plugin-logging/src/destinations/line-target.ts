import TransportStream from 'winston-transport'
import { MESSAGE } from '../entry.ts'
import type { LogEntry } from '../entry.ts'
import { createDestination } from './destination.ts'
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

/** A destination that writes to `target`. */
export function createLineDestination(
  name: string,
  target: LineTarget,
  render: (entry: LogEntry) => string,
  onError: (error: Error) => void,
): Destination {
  let dropped = 0
  const transport = new TransportStream({
    log(entry: LogEntry, next: () => void) {
      if (!target.write(`${entry[MESSAGE]}\n`)) dropped += 1
      next()
    },
  })
  const destination = createDestination({ name, transport, render, onError })
  return {
    name,
    write: (entry) => destination.write(entry),
    isWritable: () => destination.isWritable() && target.isWritable(),
    get dropped() {
      return dropped + destination.dropped
    },
    forgetDropped() {
      dropped = 0
      destination.forgetDropped()
    },
    async close() {
      await destination.close()
      await target.close()
    },
  }
}
