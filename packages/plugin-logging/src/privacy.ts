import { DicomtapError } from '@dicomtap/framework'
import { RESERVED_NAMES } from './entry.ts'

/** An error as a log line carries it. */
export interface LoggedError {
  readonly name: string
  readonly code?: string
  /** Left out when it may hold patient data. */
  readonly message?: string
  /** Where it was thrown: the innermost frame of its stack; the whole stack with `phi`. */
  readonly at?: string
}

const WITHHELD = '(withheld: phi is off)'
const LONGEST_TEXT = 500
/** Causes of causes that are looked at; they may go in a circle. */
const DEEPEST_CAUSE = 5

/** Field names of attributes that identify a patient or an event of care, and of secrets. */
const PRIVATE_NAME =
  /^(?:other|issuerof)?(?:patient|person|physician|operator|responsible|referring|performing|requesting|institution)|birth|accession|identifier$|^data_?set$|password|passcode|secret|token|authorization|credential/i

/**
 * The fields of a line as far as they may be written. Plugins promise to put no patient data into their
 * fields (LogRecord); this catches the usual slips: data sets, identifiers and bytes as such, texts of
 * errors that the framework did not word.
 */
export function presentableFields(fields: Readonly<Record<string, unknown>>, phi: boolean): Record<string, unknown> {
  const presentable: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    presentable[RESERVED_NAMES.has(name) ? `${name}_` : name] = !phi && PRIVATE_NAME.test(name) ? WITHHELD : presentableValue(name, value, phi)
  }
  return presentable
}

/** The message without the text of an untrusted error, which hook and plugin errors repeat in their own. */
export function presentableMessage(message: string, fields: Readonly<Record<string, unknown>>, phi: boolean): string {
  if (phi) return message
  let cause = fields['error']
  for (let depth = 0; depth < DEEPEST_CAUSE && cause instanceof Error; depth += 1, cause = cause.cause) {
    if (cause instanceof DicomtapError || cause.message.length === 0) continue
    message = message.replaceAll(cause.message, systemErrorInWords(cause) ?? `${cause.name} ${WITHHELD}`)
  }
  return message
}

function presentableValue(name: string, value: unknown, phi: boolean): unknown {
  switch (typeof value) {
    case 'string':
      // `error: String(error)`: nobody can tell any more who worded it.
      if (name === 'error' && !phi) return WITHHELD
      return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}...` : value
    case 'number':
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'object':
      return presentableObject(value, phi)
    default:
      return `(${typeof value})`
  }
}

function presentableObject(value: object | null, phi: boolean): unknown {
  if (value === null) return null
  if (value instanceof Error) return presentableError(value, phi)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (value instanceof URL) return value.host
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
  if (Array.isArray(value) && value.every((item) => typeof item === 'number' || typeof item === 'string')) return value.slice(0, 50)
  if (!phi) return '(object withheld: phi is off)'
  try {
    const text = JSON.stringify(value)
    return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}...` : (JSON.parse(text) as unknown)
  } catch {
    return '(object)'
  }
}

function presentableError(error: Error, phi: boolean): LoggedError {
  const { code } = error as { code?: unknown }
  const frames = stackFrames(error)
  const at = phi ? frames.join('\n') : frames[0]
  const isOurs = error instanceof DicomtapError
  const message = phi || isOurs ? presentableMessage(error.message, { error: error.cause }, phi) : systemErrorInWords(error)
  return {
    name: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(message === undefined ? {} : { message }),
    ...(at === undefined || at === '' ? {} : { at }),
  }
}

/** `ENOSPC (write)`. The text of a system error names the path, which a site may build from patient data. */
function systemErrorInWords(error: Error): string | undefined {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  return typeof code === 'string' && typeof syscall === 'string' ? `${code} (${syscall})` : undefined
}

/** The frames alone: the first lines of a stack repeat the message. */
function stackFrames(error: Error): string[] {
  const lines = error.stack?.split('\n') ?? []
  return lines.map((line) => line.trim()).filter((line) => line.startsWith('at ')).map((line) => line.slice(3))
}
