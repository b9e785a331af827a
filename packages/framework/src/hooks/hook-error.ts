import { DicomtapError } from '../errors/index.ts'
import type { HookName } from './types.ts'

/** What a handler threw or rejected with, and whose handler it was. `cause` is the original. */
export class HookError extends DicomtapError {
  override readonly name: string = 'HookError'
  readonly hook: HookName
  /** The plugin that tapped the hook; `(bound)` for a handler added with `bind`. */
  readonly plugin: string

  constructor(hook: HookName, plugin: string, cause: unknown) {
    super('DICOMTAP_ERR_HOOK_FAILED', `Handler of '${plugin}' for the hook ${hook} failed: ${describe(cause)}`, { cause })
    this.hook = hook
    this.plugin = plugin
  }
}

function describe(cause: unknown): string {
  if (cause instanceof Error) return cause.message
  if (typeof cause === 'string') return cause
  return `a thrown ${cause === null ? 'null' : typeof cause}`
}

/** {@link HookError}s go through unchanged, so that the innermost handler keeps the blame. */
export function toHookError(hook: HookName, plugin: string, error: unknown): HookError {
  if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_HOOK_FAILED') return error as HookError
  return new HookError(hook, plugin, error)
}
