import { codeOf, DicomtapError, harmless, messageOf } from '../errors/index.ts'
import type { ErrorCode } from '../errors/index.ts'
import type { HookName } from './types.ts'

/** A handler threw, gave what its hook does not allow, or did not answer in time. */
export type HookErrorCode = Extract<ErrorCode, 'DICOMTAP_ERR_HOOK_FAILED' | 'DICOMTAP_ERR_HOOK_ANSWER' | 'DICOMTAP_ERR_HOOK_TIMEOUT'>

const WORDS: Readonly<Record<HookErrorCode, string>> = {
  DICOMTAP_ERR_HOOK_FAILED: 'failed',
  DICOMTAP_ERR_HOOK_ANSWER: 'gave a wrong answer',
  DICOMTAP_ERR_HOOK_TIMEOUT: 'did not answer',
}

/** What a handler threw or rejected with, and whose handler it was. `cause` is the original. */
export class HookError extends DicomtapError {
  override readonly name: string = 'HookError'
  readonly hook: HookName
  /** The plugin that tapped the hook; `(bound)` for a handler added with `bind`. */
  readonly plugin: string

  constructor(hook: HookName, plugin: string, cause: unknown, code: HookErrorCode = 'DICOMTAP_ERR_HOOK_FAILED') {
    const colon = code === 'DICOMTAP_ERR_HOOK_TIMEOUT' ? '' : ':'
    super(code, `Handler of '${plugin}' for the hook ${hook} ${WORDS[code]}${colon} ${messageOf(cause)}`, { cause: harmless(cause) })
    this.hook = hook
    this.plugin = plugin
  }
}

/** {@link HookError}s go through unchanged, so that the innermost handler keeps the blame. */
export function toHookError(hook: HookName, plugin: string, error: unknown): HookError {
  if (isHookError(error)) return error
  const code = codeOf(error)
  return new HookError(hook, plugin, error, isHookErrorCode(code) ? code : 'DICOMTAP_ERR_HOOK_FAILED')
}

/** As `instanceof HookError`, and true for one of another installed copy. */
export function isHookError(error: unknown): error is HookError {
  return isHookErrorCode(codeOf(error)) && typeof (error as Partial<HookError>).hook === 'string'
}

function isHookErrorCode(code: string | undefined): code is HookErrorCode {
  return code !== undefined && Object.hasOwn(WORDS, code)
}
