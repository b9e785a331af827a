import type { DataSet } from '@dicomtap/framework'
import { boundText } from '../text/bounded.ts'
import { groupsOf } from '../text/names.ts'

/** Values of one attribute, items of one sequence, attributes of one item, sequences in sequences. */
const MAXIMUM_VALUES = 256
const MAXIMUM_ITEMS = 64
const MAXIMUM_ITEM_ATTRIBUTES = 128
const MAXIMUM_DEPTH = 6
/** Characters of JSON that one level of an instance may take, about. */
const MAXIMUM_LEVEL_CHARACTERS = 65_536

/** What may still be kept of a level of an instance. */
export interface Room {
  characters: number
}

export function newRoom(): Room {
  return { characters: MAXIMUM_LEVEL_CHARACTERS }
}

/**
 * A value of a data set as JSON can hold it, cut to what the index keeps; undefined when nothing is left. Names are
 * plain objects, 64-bit integers text, and bytes, which are bulk data or not understood, are left out.
 */
export function storedValue(vr: string, value: unknown, room: Room): unknown {
  if (value === null || value === undefined) return undefined
  const bounded = vr === 'SQ' ? storedItems(value, room, 1) : storedValues(vr, value)
  if (bounded === undefined) return undefined
  // Sequences have taken their room part by part.
  if (vr === 'SQ') return bounded
  return claim(room, bounded) ? bounded : undefined
}

function claim(room: Room, value: unknown): boolean {
  const characters = JSON.stringify(value).length + 24
  if (characters > room.characters) return false
  room.characters -= characters
  return true
}

function storedValues(vr: string, value: unknown): unknown {
  if (vr === 'PN') {
    const names = (Array.isArray(value) ? (value as readonly unknown[]) : [value]).slice(0, MAXIMUM_VALUES).map(storedName)
    return names.some((name) => Object.keys(name).length > 0) ? names : undefined
  }
  if (!Array.isArray(value)) return storedScalar(value)
  const values = (value as readonly unknown[]).slice(0, MAXIMUM_VALUES).map((one) => storedScalar(one) ?? null)
  return values.some((one) => one !== null) ? values : undefined
}

function storedScalar(value: unknown): string | number | undefined {
  if (typeof value === 'string') return boundText(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value === 'bigint' || value instanceof String) return boundText(String(value))
  return undefined
}

function storedName(value: unknown): Record<string, string> {
  const [alphabetic, ideographic, phonetic] = groupsOf(value).map(boundText)
  return {
    ...(alphabetic ? { Alphabetic: alphabetic } : {}),
    ...(ideographic ? { Ideographic: ideographic } : {}),
    ...(phonetic ? { Phonetic: phonetic } : {}),
  }
}

function storedItems(value: unknown, room: Room, depth: number): DataSet[] | undefined {
  if (depth > MAXIMUM_DEPTH || typeof value !== 'object') return undefined
  const items = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  const stored: DataSet[] = []
  for (let index = 0; index < items.length && index < MAXIMUM_ITEMS; index++) {
    const item = items[index]
    if (typeof item !== 'object' || item === null || item instanceof ArrayBuffer || !claim(room, {})) break
    stored.push(storedItem(item as DataSet, room, depth))
  }
  return stored.length === 0 ? undefined : stored
}

/** All attributes of an item, whatever they are: their VRs are told by how they look. */
function storedItem(item: DataSet, room: Room, depth: number): DataSet {
  const stored: DataSet = {}
  const vrs = (item['_vrMap'] ?? {}) as Readonly<Record<string, unknown>>
  const keptVrs: Record<string, string> = {}
  let count = 0
  for (const [name, value] of Object.entries(item)) {
    if (name.startsWith('_') || value === null || value === undefined) continue
    if (++count > MAXIMUM_ITEM_ATTRIBUTES) break
    const kind = kindOf(value)
    const kept = kind === 'SQ' ? storedItems(value, room, depth + 1) : storedValues(kind, value)
    if (kept === undefined || (kind !== 'SQ' && !claim(room, kept))) continue
    stored[name] = kept
    const vr = Object.hasOwn(vrs, name) ? vrs[name] : undefined
    if (typeof vr === 'string') keptVrs[name] = vr
  }
  if (Object.keys(keptVrs).length > 0) stored['_vrMap'] = keptVrs
  return stored
}

const NAME_GROUPS = ['Alphabetic', 'Ideographic', 'Phonetic']

function kindOf(value: unknown): 'PN' | 'SQ' | 'other' {
  const first: unknown = Array.isArray(value) ? (value as readonly unknown[])[0] : value
  if (typeof first !== 'object' || first === null || first instanceof String) return 'other'
  if (first instanceof ArrayBuffer || ArrayBuffer.isView(first)) return 'other'
  const own = Object.keys(first)
  // A name of which all groups are empty has none of them, as an empty item has no attributes: both are nothing.
  return own.length > 0 && own.every((name) => NAME_GROUPS.includes(name)) ? 'PN' : 'SQ'
}

/** The attributes of a level again, from what the index holds of it. */
export function attributesOf(json: string): DataSet {
  return json === '' ? {} : (JSON.parse(json) as DataSet)
}
