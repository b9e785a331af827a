import { createLogger } from 'winston'
import type TransportStream from 'winston-transport'
import { MESSAGE } from '../entry.ts'
import type { LogEntry } from '../entry.ts'
import { SEVERITY } from '../levels.ts'
import { withinDeadline } from './within-deadline.ts'

/** Lines that wait for a winston transport before more are dropped. */
const MAXIMUM_QUEUED_LINES = 1000

/** Where lines go. Writing neither throws nor waits: what cannot be taken is dropped and counted. */
export interface Destination {
  /** For the line that says how many were dropped. */
  readonly name: string
  write(entry: LogEntry): void
  /** Can it take a line now? */
  isWritable(): boolean
  /** Lines dropped since `forgetDropped`. */
  readonly dropped: number
  forgetDropped(): void
  /** Resolves when what was written is out, or after two seconds. */
  close(): Promise<void>
}

export interface DestinationOptions {
  readonly name: string
  readonly transport: TransportStream
  readonly render: (entry: LogEntry) => string
  readonly onError: (error: Error) => void
}

/** A winston logger with one transport: a transport that stalls or fails holds up no other. */
export function createDestination({ name, transport, render, onError }: DestinationOptions): Destination {
  const logger = createLogger({
    levels: SEVERITY,
    level: 'trace',
    // A new object each: transports take it later, and may change it.
    format: { transform: (info) => ({ ...info, [MESSAGE]: render(info as unknown as LogEntry) }) },
    transports: [guarded(transport, onError)],
    exitOnError: false,
  })
  logger.on('error', onError)
  let dropped = 0
  const isWritable = (): boolean => logger.writableLength < MAXIMUM_QUEUED_LINES && !logger.writableEnded
  return {
    name,
    isWritable,
    write(entry) {
      if (isWritable()) logger.write(entry)
      else dropped += 1
    },
    get dropped() {
      return dropped
    },
    forgetDropped() {
      dropped = 0
    },
    close() {
      return withinDeadline((done) => logger.once('finish', done).end())
    },
  }
}

/** A transport that throws would end the process: winston calls it from a stream. */
function guarded(transport: TransportStream, onError: (error: Error) => void): TransportStream {
  const log = transport.log?.bind(transport)
  transport.log = (entry: unknown, next: () => void) => {
    try {
      return log?.(entry, next) as unknown
    } catch (error) {
      onError(error instanceof Error ? error : new Error('a transport threw', { cause: error }))
      next()
      return undefined
    }
  }
  return transport
}
