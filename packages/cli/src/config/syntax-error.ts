import { DicomtapError } from '@dicomtap/framework'

/** Both start at 1. */
export interface Position {
  readonly line: number
  /** Undefined when it is not known. */
  readonly column: number | undefined
}

/** DICOMTAP_ERR_CFG_SYNTAX: `<file>:<line>:<column>: <what>`. */
export function syntaxError(file: string, position: Position | undefined, what: string, cause: unknown): DicomtapError {
  const place = [file, position?.line, position?.column].filter((part) => part !== undefined).join(':')
  return new DicomtapError('DICOMTAP_ERR_CFG_SYNTAX', `${place}: ${what}`, { cause })
}

/** What js-yaml throws. */
interface YamlError {
  readonly name: 'YAMLException'
  readonly reason: string
  readonly mark?: { readonly line: number; readonly column: number }
}

export function yamlSyntaxError(file: string, error: unknown): DicomtapError {
  const { name, reason, mark } = error as YamlError
  if (name !== 'YAMLException') return syntaxError(file, undefined, String(error), error)
  // Tabs are the commonest mistake and the message of the parser does not help.
  const hint = reason.includes('tab characters') ? '; indent with spaces' : ''
  return syntaxError(file, mark && { line: mark.line + 1, column: mark.column + 1 }, reason + hint, error)
}

/**
 * The error for a JavaScript or TypeScript config file that does not compile or throws. Finds the
 * place in the message of jiti, in the stack, or by `parse`, which answers where the source breaks.
 */
export async function scriptError(
  file: string,
  error: unknown,
  parse: () => Promise<{ position: Position; what: string } | undefined>,
): Promise<DicomtapError> {
  if (error instanceof DicomtapError) return error
  const thrown = error instanceof Error ? error : new Error(`it threw ${String(error)}`, { cause: error })
  const parsed = /^ParseError: (?<what>.*?)\s*\n\s*(?<file>.*):(?<line>\d+):(?<column>\d+)$/su.exec(thrown.message)?.groups
  if (parsed !== undefined) {
    const { what = '', file: where = file, line, column } = parsed
    // jiti's parser counts columns from 0.
    return syntaxError(where, { line: Number(line), column: Number(column) + 1 }, `Syntax error: ${what}`, error)
  }
  if (thrown instanceof SyntaxError || thrown.name === 'SyntaxError') {
    const found = await parse()
    if (found !== undefined) return syntaxError(file, found.position, `Syntax error: ${found.what}`, error)
  }
  return syntaxError(file, positionInStack(file, thrown.stack), `${thrown.name}: ${firstLine(thrown.message)}`, error)
}

function positionInStack(file: string, stack: string | undefined): Position | undefined {
  for (const line of stack?.split('\n') ?? []) {
    if (!decodeURI(safe(line)).includes(file)) continue
    const place = /:(\d+):(\d+)\)?$/.exec(line)
    // Types are taken out line by line: in TypeScript the columns are not those of the source.
    if (place !== null) return { line: Number(place[1]), column: /\.[mc]?ts$/u.test(file) ? undefined : Number(place[2]) }
  }
  return undefined
}

/** Frames name files as URLs; a stray % would make decodeURI throw. */
function safe(line: string): string {
  return line.replace(/%(?![0-9a-f]{2})/giu, '%25')
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
