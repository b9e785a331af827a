import type { DataSet } from '@dicomtap/framework'

// A peer decides how large its query is: the log must not become that large.
const MOST_ATTRIBUTES = 200
const MOST_VALUES = 50
const LONGEST_VALUE = 200
const DEEPEST_ITEM = 8

/** What a log line has of a value: text, a number, null for none, or an item of a sequence. */
export type LoggedValue = string | number | null | LoggedIdentifier
export type LoggedIdentifier = { readonly [attribute: string]: LoggedValue | readonly LoggedValue[] }

/** An identifier as the json format has it: keywords to values, names as text, bytes as their number. */
export function presentableIdentifier(identifier: DataSet): LoggedIdentifier {
  return itemOf(identifier, { left: MOST_ATTRIBUTES }, 0)
}

/** The same as lines: `PatientName  Doe^Jane`, items of sequences indented. */
export function identifierLines(identifier: LoggedIdentifier, indent: string = ''): string[] {
  const width = Math.max(...Object.keys(identifier).map((name) => name.length), 0)
  return Object.entries(identifier).flatMap(([name, value]) => {
    const values = isList(value) ? value : [value]
    if (!values.some(isItem)) return [`${indent}${name.padEnd(width)}  ${values.map(textOf).join('\\')}`.trimEnd()]
    return values.flatMap((one, index) => [
      `${indent}${name}[${index}]`,
      ...(isItem(one) ? identifierLines(one, `${indent}  `) : [`${indent}  ${textOf(one)}`]),
    ])
  })
}

interface Room {
  left: number
}

function itemOf(item: object, room: Room, depth: number): LoggedIdentifier {
  const presentable: Record<string, LoggedValue | readonly LoggedValue[]> = {}
  for (const [name, value] of Object.entries(item)) {
    if (name === '_vrMap' || value === undefined) continue
    if (room.left === 0) {
      presentable['...'] = 'more attributes are not logged'
      break
    }
    room.left -= 1
    presentable[name] = valueOf(value, room, depth)
  }
  return presentable
}

function valueOf(value: unknown, room: Room, depth: number): LoggedValue | readonly LoggedValue[] {
  if (value === null) return null
  if (typeof value === 'number') return value
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
  if (Array.isArray(value)) {
    const values = (value as readonly unknown[]).slice(0, MOST_VALUES).flatMap((one) => valueOf(one, room, depth))
    if (value.length > MOST_VALUES) values.push(`(${value.length - MOST_VALUES} more)`)
    const [first = null] = values
    return values.length < 2 && !isItem(first) ? first : values
  }
  if (typeof value !== 'object' || value instanceof String) return short(String(value as string | bigint | boolean))
  const { Alphabetic, Ideographic, Phonetic } = value as Record<string, unknown>
  if (typeof Alphabetic === 'string' || typeof Ideographic === 'string' || typeof Phonetic === 'string') {
    return short([Alphabetic, Ideographic, Phonetic].map((group) => (typeof group === 'string' ? group : '')).join('=').replace(/=+$/u, ''))
  }
  return depth < DEEPEST_ITEM ? itemOf(value, room, depth + 1) : '(items this deep are not logged)'
}

function isItem(value: LoggedValue): value is LoggedIdentifier {
  return typeof value === 'object' && value !== null
}

function isList(value: LoggedValue | readonly LoggedValue[]): value is readonly LoggedValue[] {
  return Array.isArray(value)
}

function textOf(value: LoggedValue): string {
  return value === null || isItem(value) ? '' : String(value)
}

function short(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...` : text
}
