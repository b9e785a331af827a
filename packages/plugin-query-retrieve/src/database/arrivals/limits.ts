/** A process that lives has seen to its files before; what it did later it doubts itself. */
export const LATE_MS = 1000

/** Of what a process has on its way into its index. */
export interface ArrivalLimits {
  /** How long others may come along before they are written together. */
  readonly lingerMs: number
  /** A database that has just committed something will do so again; one that nobody wrote to may be locked, or full. */
  readonly recentMs: number
  /** After something went wrong. */
  readonly pauseMs: number
  /** What an object is refused for so long, while others are not, is its own fault. */
  readonly patienceMs: number
  /** Longer than anybody waits for a lock: the disk hangs. */
  readonly flushMs: number
  readonly closeMs: number
  readonly lateMs: number
  /** What was acknowledged must find room in the tables. */
  readonly minimumFreeBytes: number
}

export const ARRIVAL_LIMITS: ArrivalLimits = {
  lingerMs: 10,
  recentMs: 100,
  pauseMs: 1000,
  patienceMs: 10_000,
  flushMs: 15_000,
  closeMs: 5000,
  lateMs: LATE_MS,
  minimumFreeBytes: 268_435_456,
}
