import { inspect } from 'node:util'
import { DicomtapError } from '@dicomtap/framework'
import { EXIT_CONFIG, EXIT_FAILURE } from './exit-codes.ts'
import { note, painter, visible } from './terminal.ts'

/** One thing that is wrong, as `--json` shows it. */
export interface Problem {
  /** One of the codes of `docs/reference/errors.md`; undefined for a bug or an error of the system. */
  readonly code: string | undefined
  /** What, where and what to do, in one line. */
  readonly message: string
}

/** Errors that the person who writes the config file can mend there. */
const CONFIG_CODES: ReadonlySet<string> = new Set([
  'DICOMTAP_ERR_PLG_NOT_FOUND',
  'DICOMTAP_ERR_PLG_INVALID',
  'DICOMTAP_ERR_PLG_VERSION',
  'DICOMTAP_ERR_PLG_MISSING_DEPENDENCY',
  'DICOMTAP_ERR_PLG_DUPLICATE',
  'DICOMTAP_ERR_PLG_CYCLE',
  'DICOMTAP_ERR_PLG_OPTIONS',
  'DICOMTAP_ERR_STO_DIRECTORY',
  'DICOMTAP_ERR_QR_DATABASE',
  'DICOMTAP_ERR_TLS_CREDENTIALS',
  'DICOMTAP_ERR_TLS_PROFILE',
])

/** 78 when every error is one of the configuration, else 1. */
export function exitCodeOf(error: unknown): number {
  const isConfig = flatten(error).every(
    (one) => one instanceof DicomtapError && (one.code.startsWith('DICOMTAP_ERR_CFG_') || CONFIG_CODES.has(one.code)),
  )
  return isConfig ? EXIT_CONFIG : EXIT_FAILURE
}

/** One problem per line of the error's message, over all errors of an AggregateError. */
export function problemsOf(error: unknown): Problem[] {
  return flatten(error).flatMap((one) => {
    const code = one instanceof DicomtapError ? one.code : undefined
    return lines(one).map((message) => ({ code, message }))
  })
}

/** `error CODE: what, where, what to do`, one line per problem; the stack only with `--verbose` or DEBUG. */
export function reportError(error: unknown, isVerbose: boolean = false): void {
  const paint = painter(process.stderr)
  const problems = problemsOf(error)
  for (const { code, message } of problems) {
    note(`${paint('red', 'error')}${code === undefined ? '' : ` ${paint('bold', code)}`}: ${visible(message)}`)
  }
  if (isVerbose || process.env['DEBUG'] !== undefined) note(visible(inspect(error, { depth: 4 })))
  else if (problems.some(({ code }) => code === undefined)) note('Run it again with --verbose to see where it comes from.')
}

function flatten(error: unknown): unknown[] {
  if (error instanceof AggregateError) return error.errors.flatMap(flatten)
  // That a handler failed says less than the error that a plugin has an own code for.
  const isWrapper = error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_HOOK_FAILED'
  return isWrapper && error.cause instanceof DicomtapError ? flatten(error.cause) : [error]
}

function lines(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)]
  const text = error instanceof DicomtapError ? error.message : `${error.name}: ${error.message}`
  const found = text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  return error instanceof DicomtapError ? found : found.slice(0, 1)
}
