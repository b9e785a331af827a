import { createHash } from 'node:crypto'
import type { LevelRow } from '../model/instance.ts'

/** Of all that is kept of one level of an instance: equal rows have equal digests. */
export function digestOf(level: LevelRow, ...keys: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify([keys, level.columns, level.attributes, level.keyValues])).digest('base64url').slice(0, 22)
}
