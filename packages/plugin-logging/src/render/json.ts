import type { LogEntry } from '../entry.ts'

/** One JSON object; control characters are escaped by JSON itself. */
export function renderJson(entry: LogEntry): string {
  return JSON.stringify(entry)
}
