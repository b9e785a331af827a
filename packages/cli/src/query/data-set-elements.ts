import type { DataSet, Dictionary } from '@dicomtap/framework'

/** An element of a decoded data set, its value always as a list. */
export interface Element {
  readonly tag: number
  /** How the data set calls it. */
  readonly name: string
  /** The keyword, or eight hexadecimal digits. */
  readonly keyword: string
  readonly vr: string
  readonly values: readonly unknown[]
}

/** dcmjs's name for the VRs that the dictionary does not tell. */
export const VR_MAP = '_vrMap'

const CHOICES: Readonly<Record<string, string>> = { xs: 'US', ox: 'OW', lt: 'OW' }

/** The elements of a data set in the order in which it has them. */
export function elementsOf(dataset: DataSet, dictionary: Dictionary): Element[] {
  const vrs = (dataset[VR_MAP] ?? {}) as Readonly<Record<string, string>>
  return Object.entries(dataset).flatMap(([name, value]) => {
    const tag = dictionary.byName(name)?.tag ?? (/^[0-9a-f]{8}$/iu.test(name) ? Number.parseInt(name, 16) : undefined)
    if (tag === undefined || value === undefined) return []
    const known = (Object.hasOwn(vrs, name) ? vrs[name] : undefined) ?? dictionary.vrOf(tag) ?? 'UN'
    const vr = CHOICES[known] ?? known
    return [{ tag, name, keyword: name.replace(/^RETIRED_/u, ''), vr, values: valuesOf(value) }]
  })
}

/** As PS3.5 7.1 wants them: by tag. */
export function sortedElementsOf(dataset: DataSet, dictionary: Dictionary): Element[] {
  return elementsOf(dataset, dictionary).sort((a, b) => a.tag - b.tag)
}

function valuesOf(value: unknown): readonly unknown[] {
  if (value === null) return []
  return Array.isArray(value) ? Array.from(value as readonly unknown[]) : [value]
}

/** A person name as it stands in an element: `Alphabetic=Ideographic=Phonetic`. */
export function nameText(value: unknown): string {
  if (typeof value !== 'object' || value === null || value instanceof String) return plainText(value)
  const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as Record<string, string | undefined>
  return `${Alphabetic}=${Ideographic}=${Phonetic}`.replace(/=+$/u, '')
}

/** Text, and numbers as text; nothing of what has no text. */
export function plainText(value: unknown): string {
  if (typeof value === 'string' || value instanceof String) return value.toString()
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : ''
}

export function bytesOf(value: unknown): Buffer | undefined {
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return undefined
}

export function isItem(value: unknown): value is DataSet {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && bytesOf(value) === undefined
}

/** Attribute Tag (AT) values: eight hexadecimal digits. */
export function tagDigits(value: unknown): string {
  return typeof value === 'number' ? value.toString(16).toUpperCase().padStart(8, '0') : String(value)
}

/** A copy without the accessors of the decoded form, which can be changed freely. */
export function plainDataSet(dataset: DataSet, dictionary: Dictionary): DataSet {
  const copy: DataSet = {}
  for (const { name, vr, values } of elementsOf(dataset, dictionary)) {
    const plain = values.map((value) => {
      if (vr === 'SQ' && isItem(value)) return plainDataSet(value, dictionary)
      return vr === 'PN' ? nameText(value) : value
    })
    const isOne = plain.length === 1 && vr !== 'SQ' && bytesOf(plain[0]) === undefined
    copy[name] = isOne ? plain[0] : plain.length === 0 && vr !== 'SQ' ? null : plain
  }
  if (dataset[VR_MAP] !== undefined) copy[VR_MAP] = { ...(dataset[VR_MAP] as object) }
  return copy
}
