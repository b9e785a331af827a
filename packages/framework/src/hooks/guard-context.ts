import type { Logger } from '../logger.ts'
import type { HookError } from './hook-error.ts'
import { toHookError } from './hook-error.ts'
import type { HookName, HookTable } from './types.ts'

/** What the guard around each handler needs from its surroundings. One per ApplicationEntity. */
export interface GuardContext {
  /** A handler failed and nobody above will hear of it, or the caller only turns it into an answer. */
  onFailure(hook: HookName, plugin: string, error: HookError): void
  /** A mistake in a handler that is mended here: said once per plugin, hook and kind of mistake. */
  onMistake(hook: HookName, plugin: string, message: string): void
  /** True once taps are refused. */
  isSealed(): boolean
}

export interface GuardContextOptions {
  readonly table: HookTable
  readonly log: Logger
  readonly isSealed: () => boolean
}

/** The context of an ApplicationEntity: logs, and fires `hookFailed`, which does not fire for itself. */
export function createGuardContext({ table, log, isSealed }: GuardContextOptions): GuardContext {
  const said = new Set<string>()
  return {
    onFailure(hook, plugin, error) {
      log.error(error.message, { hook, plugin, code: error.code, error: error.cause })
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
    isSealed,
  }
}
