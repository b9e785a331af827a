import { DicomtapError } from './dicomtap-error.ts'

/** Causes of causes are looked at so far. */
const DEEPEST_CAUSE = 10
/** A name or message that is longer says no more. */
const LONGEST_TEXT = 1_000

/**
 * What plugins throw may be anything: a proxy whose traps throw, an error whose message is a getter that throws.
 * This gives it back when it can be looked at without harm, else an error that stands for it.
 */
export function harmless(thrown: unknown, depth: number = 0): unknown {
  if ((typeof thrown !== 'object' || thrown === null) && typeof thrown !== 'function') return thrown
  try {
    if (!(thrown instanceof Error)) {
      void (thrown as { readonly code?: unknown }).code
      return thrown
    }
    const { name, message, stack, cause, code } = thrown as NodeJS.ErrnoException & { readonly cause?: unknown }
    void code
    const isFit = isText(name) && isText(message) && (stack === undefined || isText(stack))
    if (isFit && depth < DEEPEST_CAUSE && (cause === thrown || harmless(cause, depth + 1) === cause)) return thrown
  } catch {
    // It is none that can be looked at.
  }
  return new Error('what was thrown cannot be read')
}

/** What was thrown, in words; of what is no error only its type. Never throws. */
export function messageOf(thrown: unknown): string {
  const error = harmless(thrown)
  if (error instanceof Error) return error.message.slice(0, LONGEST_TEXT)
  if (typeof error === 'string') return error.slice(0, LONGEST_TEXT)
  return `a thrown ${error === null ? 'null' : typeof error}`
}

/** The code of an error of ours; undefined for all others. Never throws. */
export function codeOf(thrown: unknown): string | undefined {
  try {
    return thrown instanceof DicomtapError ? thrown.code : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
