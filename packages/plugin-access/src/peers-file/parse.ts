import { LineCounter, isNode, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import type { z } from 'zod'
import { peersFileSchema } from './schema.ts'
import type { PeersFile } from './types.ts'

/** Larger ones are not read. */
export const MAXIMUM_PEERS_FILE_BYTES = 4_194_304

/** A peers file that cannot be used: a line for each mistake, with line and column. */
export class PeersFileError extends Error {
  override readonly name: string = 'PeersFileError'
}

export interface ParsedPeersFile {
  readonly file: PeersFile
  /** With its comments, to be changed and written again. */
  readonly document: Document
}

/**
 * Reads YAML, of which JSON is a part.
 * @param name for messages.
 * @throws PeersFileError
 */
export function parsePeersFile(text: string, name: string): ParsedPeersFile {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true })
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `${name}:${Math.max(1, line)}:${Math.max(1, col)}`
  }
  const [syntaxError] = document.errors
  if (syntaxError !== undefined) throw new PeersFileError(`${at(syntaxError.pos[0])}: ${firstLine(syntaxError.message)}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new PeersFileError(`${name}: ${firstLine((cause as Error).message)}`, { cause })
  }
  const result = peersFileSchema.safeParse(value ?? {})
  if (result.success) return { file: result.data, document }
  const lines = result.error.issues.flatMap(plainIssues).map(({ path, message }) => `${at(offsetOf(document, path))}: ${pathText(path)}${message}`)
  throw new PeersFileError([...new Set(lines)].slice(0, 20).join('\n'), { cause: result.error })
}

interface PlainIssue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Of alternatives the mistakes of the one that was meant: whose type fits. */
function plainIssues(issue: z.core.$ZodIssue): PlainIssue[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol')
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here' }))
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ path, message: issue.message }]
  const meant = issue.errors.find((issues) => !issues.some((one) => one.code === 'invalid_type' && one.path.length === 0)) ?? issue.errors[0] ?? []
  return meant.flatMap(plainIssues).map((one) => ({ ...one, path: [...path, ...one.path] }))
}

/** Where a value is, or the nearest one around it. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range != null) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

function pathText(path: readonly (string | number)[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('')
  return text === '' ? '' : `${text.replace(/^\./, '')}: `
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
