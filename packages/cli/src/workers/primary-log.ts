import { createLogger } from '@dicomtap/framework'
import type { LogLevel, LogRecord, Logger } from '@dicomtap/framework'

/**
 * The log of the primary, which has no plugins: its lines go where a worker logs, so that there is one log; on standard
 * error while there is no worker.
 *
 * @param relay gives a line to a worker; false when there is none.
 */
export function primaryLog(level: LogLevel | 'silent' | undefined, relay: (record: LogRecord) => boolean): Logger {
  const own = createLogger({ level: level ?? 'info' })
  return createLogger({
    // The worker knows best what is wanted.
    level: 'trace',
    common: { worker: 'primary' },
    sink: (record) => {
      if (!relay({ ...record, fields: plain(record.fields) })) own[record.level](record.message, record.fields)
    },
  })
}

/** As it can be sent to another process. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]))
}
