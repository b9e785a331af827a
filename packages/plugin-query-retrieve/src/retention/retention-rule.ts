import type { RetentionOptions } from '../options.ts'
import { parseByteSize } from './byte-size.ts'

const DAY_MS = 86_400_000
const DEFAULT_INTERVAL_MS = 3_600_000

/** Nothing is deleted that was stored less than this ago, whatever the options say: it may still be arriving. */
export const GRACE_MS = 3_600_000

/** What is to be deleted: the options, understood. */
export interface RetentionRule {
  /** Studies that nothing was added to for so long. */
  readonly maximumAgeMs: number | undefined
  /** Above it, those that were added to last the longest ago. */
  readonly maximumBytes: number | undefined
  readonly isDryRun: boolean
  readonly intervalMs: number
}

/** Undefined when nothing is ever deleted. */
export function retentionRule(options: RetentionOptions | undefined): RetentionRule | undefined {
  const { maximumAgeDays, maximumSize, dryRun = true, intervalMs = DEFAULT_INTERVAL_MS } = options ?? {}
  const maximumBytes = typeof maximumSize === 'string' ? parseByteSize(maximumSize) : maximumSize
  if (maximumAgeDays === undefined && maximumBytes === undefined) return undefined
  return {
    maximumAgeMs: maximumAgeDays === undefined ? undefined : maximumAgeDays * DAY_MS,
    maximumBytes,
    isDryRun: dryRun,
    intervalMs,
  }
}
