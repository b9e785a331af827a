import { isPathField, PATH_FIELD_NAMES, pathField, type PathFieldName } from './path-fields.ts'
import { MISSING_NAME, safeSegment, safeText, safeUid, shortHash } from './safe-name.ts'

/** Looks a field's value up; undefined or empty when the object does not have it. */
export type PathValues = (name: PathFieldName) => string | undefined

/** A parsed template. */
export interface PathTemplate {
  readonly source: string
  /** Fields it names, each once. */
  readonly fields: readonly PathFieldName[]
  /** The path of an object below the storage folder, with `/` between its parts. */
  render(values: PathValues): string
}

interface FieldPart {
  readonly name: PathFieldName
  readonly isHashed: boolean
  readonly defaultName: string
}
type Part = string | FieldPart

/** The folder in the storage folder that is the plugin's own. */
export const RESERVED_FOLDER = '.dicomtap'

const FIELD = /\{([^{}]*)\}/g
const FIELD_BODY = /^([A-Za-z0-9]+)(?:\|([a-z]+))?(?::(.*))?$/
// Characters that Windows or a shell take for something else.
// oxlint-disable-next-line no-control-regex -- control characters are what it is for
const FORBIDDEN_TEXT = /[\u0000-\u001f\u007f<>:"|?*\\{}]/

/**
 * Parses a path template: text and fields, `{StudyInstanceUID}`, `{Modality:OT}` with a value for
 * objects without it, `{PatientID|hash}` for a hash in place of the value.
 *
 * @throws Error with one line that says what is wrong and what is possible.
 */
export function parsePathTemplate(source: string): PathTemplate {
  if (source.startsWith('/')) throw new Error('must be relative to the directory: take away the "/" it starts with')
  const segments = source.split('/').map((segment) => parseSegment(segment))
  const fields = [...new Set(segments.flat().flatMap((part) => (typeof part === 'string' ? [] : [part.name])))]
  if (!fields.includes('SOPInstanceUID')) {
    throw new Error('must contain {SOPInstanceUID}: without it different objects would have the same path')
  }
  return {
    source,
    fields,
    render: (values) => segments.map((parts) => safeSegment(renderParts(parts, values))).join('/'),
  }
}

function parseSegment(segment: string): readonly Part[] {
  if (segment === '') throw new Error('has an empty part: "//" or a "/" at the end')
  const parts: Part[] = []
  let end = 0
  for (const match of segment.matchAll(FIELD)) {
    addText(parts, segment.slice(end, match.index))
    parts.push(parseField(match[1] ?? ''))
    end = match.index + match[0].length
  }
  addText(parts, segment.slice(end))
  const [first] = parts
  const last = parts.at(-1)
  if (typeof first === 'string' && first.startsWith('.')) throw new Error(`has a part that starts with a dot: "${segment}"`)
  if (typeof last === 'string' && /[. ]$/.test(last)) throw new Error(`has a part that ends with a dot or a space: "${segment}"`)
  checkInstanceStandsOut(segment, parts)
  return parts
}

/** "1" before "2.3" and "12" before ".3" are the same name: there must be something between that no UID has. */
function checkInstanceStandsOut(segment: string, parts: readonly Part[]): void {
  const isField = (part: Part | undefined): boolean => typeof part === 'object'
  const separates = (part: Part | undefined): boolean => typeof part === 'string' && /[^0-9.]/.test(part)
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string' || part.name !== 'SOPInstanceUID') continue
    const hasFieldBefore = parts.slice(0, index).some(isField)
    const hasFieldAfter = parts.slice(index + 1).some(isField)
    if ((hasFieldBefore && !separates(parts[index - 1])) || (hasFieldAfter && !separates(parts[index + 1]))) {
      throw new Error(`needs text such as "-" or "_" between {SOPInstanceUID} and another field: "${segment}"`)
    }
  }
}

function addText(parts: Part[], text: string): void {
  if (text === '') return
  const forbidden = FORBIDDEN_TEXT.exec(text)
  if (forbidden !== null) throw new Error(`has a character that is not allowed in a file name: ${JSON.stringify(forbidden[0])}`)
  parts.push(text)
}

function parseField(body: string): FieldPart {
  const [, name, modifier, defaultName] = FIELD_BODY.exec(body) ?? []
  if (name === undefined || !isPathField(name)) {
    throw new Error(`has an unknown field {${body}}; known are ${PATH_FIELD_NAMES.join(', ')}`)
  }
  if (modifier !== undefined && modifier !== 'hash') {
    throw new Error(`has an unknown modifier in {${body}}; known is |hash`)
  }
  if (defaultName !== undefined && (defaultName === '' || safeText(defaultName) !== defaultName)) {
    throw new Error(`has a default in {${body}} that is no plain name: use letters, digits, "_" and "-"`)
  }
  return { name, isHashed: modifier === 'hash', defaultName: defaultName ?? MISSING_NAME }
}

function renderParts(parts: readonly Part[], values: PathValues): string {
  let segment = ''
  for (const part of parts) segment += typeof part === 'string' ? part : renderField(part, values(part.name))
  return segment
}

function renderField(part: FieldPart, value: string | undefined): string {
  if (value === undefined || value === '') return part.defaultName
  const { kind } = pathField(part.name)
  if (part.isHashed) return shortHash(value, kind === 'uid' ? 32 : 16)
  return kind === 'uid' ? safeUid(value) : safeText(value)
}
