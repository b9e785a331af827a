import type { Logger } from '../logger.ts'
import type { HookError } from './hook-error.ts'
import { toHookError } from './hook-error.ts'
import type { HookName, HookTable } from './types.ts'

/**
 * Looks at what a handler of one hook answered, and gives what the core goes on with.
 * @throws DICOMTAP_ERR_HOOK_ANSWER, or whatever a getter of the answer throws.
 */
export type AnswerCheck = (answer: unknown) => unknown

export type AnswerChecks = { readonly [Name in HookName]?: AnswerCheck }

/** What the guard around each handler needs from its surroundings. One per ApplicationEntity. */
export interface GuardContext {
  /** A handler failed and nobody above will hear of it, or the caller only turns it into an answer. */
  onFailure(hook: HookName, plugin: string, error: HookError): void
  /** A mistake in a handler that is mended here: said once per plugin, hook and kind of mistake. */
  onMistake(hook: HookName, plugin: string, message: string): void
  /** A handler kept the event loop for so long that everybody else waited. */
  onStall(hook: HookName, plugin: string, durationMs: number): void
  /** True once taps are refused. */
  isSealed(): boolean
  /** How an answer is looked at; undefined: the core takes what comes. */
  checkOf(hook: HookName): AnswerCheck | undefined
  /** How long a handler of the hook may take; null: as long as it likes, or somebody else sees to it. */
  limitMs(hook: HookName): number | null
}

export interface GuardContextOptions {
  readonly table: HookTable
  readonly log: Logger
  readonly isSealed: () => boolean
  readonly checks?: AnswerChecks
  readonly limitMs?: (hook: HookName) => number | null
}

/** A handler that fails with every PDU must not fill the disk: so many lines for each, in so long. */
const MOST_LINES = 1_000
const PER_MS = 60_000
/** One line per handler and so long: a handler that stalls does it again. */
const STALL_SILENCE_MS = 60_000

/** The context of an ApplicationEntity: logs, and fires `hookFailed`, which does not fire for itself. */
export function createGuardContext({ table, log, isSealed, checks = {}, limitMs = () => null }: GuardContextOptions): GuardContext {
  const said = new Set<string>()
  const stalled = new Map<string, number>()
  const failures = new Map<string, { sinceMs: number; lines: number }>()
  const mayLog = (hook: HookName, plugin: string): boolean => {
    const key = `${hook} ${plugin}`
    const now = performance.now()
    let failed = failures.get(key)
    if (failed === undefined || now - failed.sinceMs > PER_MS) {
      failed = { sinceMs: now, lines: 0 }
      failures.set(key, failed)
    }
    failed.lines += 1
    if (failed.lines === MOST_LINES) {
      log.error(`Handler of '${plugin}' for the hook ${hook} fails faster than it is logged: no more for a minute`, { hook, plugin })
    }
    return failed.lines < MOST_LINES
  }
  return {
    onFailure(hook, plugin, error) {
      if (mayLog(hook, plugin)) log.error(error.message, { hook, plugin, code: error.code, error: error.cause })
      if (hook === 'hookFailed' || table.hookFailed.taps.length === 0) return
      try {
        table.hookFailed.call({ hook, plugin, error })
      } catch (thrown) {
        // Only an unguarded tap gets here.
        log.error(toHookError('hookFailed', 'unknown', thrown).message, { hook: 'hookFailed' })
      }
    },
    onMistake(hook, plugin, message) {
      const text = `Handler of '${plugin}' for the hook ${hook} ${message}`
      if (said.has(text)) return
      said.add(text)
      log.warn(text, { hook, plugin })
    },
    onStall(hook, plugin, durationMs) {
      const key = `${hook} ${plugin}`
      const now = performance.now()
      if (now - (stalled.get(key) ?? Number.NEGATIVE_INFINITY) < STALL_SILENCE_MS) return
      stalled.set(key, now)
      log.warn(`Handler of '${plugin}' for the hook ${hook} held up the event loop: everybody waited for it`, {
        hook,
        plugin,
        durationMs: Math.round(durationMs),
      })
    },
    isSealed,
    checkOf: (hook) => checks[hook],
    limitMs,
  }
}

/** For the tap that carries events on to bound handlers, each of which has a guard of its own. */
export function carrierContext(context: GuardContext): GuardContext {
  return { ...context, onStall: () => {}, checkOf: () => undefined, limitMs: () => null }
}
