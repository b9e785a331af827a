/** Exit codes of the commands that act as SCU. */
export const EXIT = {
  ok: 0,
  /** Nothing of what was asked for was done. */
  failed: 1,
  usage: 2,
  /** A part was done, a part failed. */
  partlyFailed: 3,
  config: 78,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const

/** Options that do not go together, or name something that cannot be used: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}
