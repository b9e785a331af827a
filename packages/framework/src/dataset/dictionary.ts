import type { data, utilities } from 'dcmjs'
import { nearNames } from '../near-names.ts'
import { tagKey } from './vr.ts'

/** What the dictionary of PS3.6 says of an attribute. */
export interface Attribute {
  readonly tag: number
  /**
   * A VR, or where it depends on other attributes: `ox` is OB or OW, `xs` US or SS, `lt` US or OW.
   * `up` is UL, `na` no attribute at all.
   */
  readonly vr: string
  /** As dcmjs calls it: the keyword, after `RETIRED_` for retired attributes. */
  readonly name: string
}

/** The attributes of PS3.6, and the values of dcmjs's naturalized form that are more than plain data. */
export interface Dictionary {
  byTag(tag: number): Attribute | undefined
  /** By keyword, with or without `RETIRED_`. */
  byName(name: string): Attribute | undefined
  /** The VR of an attribute, for members of repeating groups too. */
  vrOf(tag: number): string | undefined
  /** How a data set calls the attribute: its keyword, or eight hexadecimal digits. */
  nameOf(tag: number): string
  /** Up to three keywords that a mistyped one may have meant, nearest first. */
  nearKeywords(name: string): string[]
  addSequenceAccessors<T extends object>(items: T[]): T[]
  addNameAccessors<T extends object>(names: T): T
}

let dictionary: Promise<Dictionary> | undefined

/** Loads dcmjs when it is first needed: that takes about 90 ms, which a server that only stores never spends. */
export function loadDictionary(): Promise<Dictionary> {
  dictionary ??= import('dcmjs').then((dcmjs) => makeDictionary(dcmjs.data, dcmjs.utilities))
  return dictionary
}

const RETIRED = 'RETIRED_'

function makeDictionary(dictionaryData: typeof data, tools: typeof utilities): Dictionary {
  const tags = new Map<number, Attribute>()
  const names = new Map<string, Attribute>()
  for (const [name, entry] of Object.entries(dictionaryData.DicomMetaDictionary.nameMap)) {
    const tag = Number.parseInt(entry.tag.slice(1, 5) + entry.tag.slice(6, 10), 16)
    if (entry.vr === 'na' || Number.isNaN(tag)) continue
    const attribute: Attribute = { tag, vr: entry.vr === 'up' ? 'UL' : entry.vr, name }
    tags.set(tag, attribute)
    names.set(name, attribute)
  }
  for (const [name, attribute] of [...names]) {
    const keyword = name.startsWith(RETIRED) ? name.slice(RETIRED.length) : name
    if (!names.has(keyword)) names.set(keyword, attribute)
  }
  return {
    byTag: (tag) => tags.get(tag),
    byName: (name) => names.get(name),
    vrOf: (tag) => (tags.get(tag) ?? tags.get(firstOfRepeatingGroup(tag)))?.vr ?? vrOfPrivate(tag),
    nameOf: (tag) => tags.get(tag)?.name ?? tagKey(tag),
    nearKeywords: (name) => nearNames(name, [...names.keys()].filter((one) => !one.startsWith(RETIRED))),
    addSequenceAccessors: (items) => (items.length === 1 ? tools.addAccessors(items, items[0]) : items),
    addNameAccessors: (value) => tools.dicomJson.pnAddValueAccessors(value),
  }
}

/** Overlays (60xx), curves (50xx) and variable pixel data (7Fxx) repeat their elements in even groups (PS3.5 7.6). */
function firstOfRepeatingGroup(tag: number): number {
  const family = tag >>> 24
  const isRepeating = (family === 0x60 || family === 0x50 || family === 0x7f) && ((tag >>> 16) & 1) === 0
  return isRepeating ? family * 0x1000000 + (tag & 0xffff) : tag
}

/** The element that reserves a block of private elements names its creator (PS3.5 7.8.1). */
function vrOfPrivate(tag: number): string | undefined {
  return isPrivateCreator(tag) ? 'LO' : undefined
}

export function isPrivateCreator(tag: number): boolean {
  const element = tag & 0xffff
  return ((tag >>> 16) & 1) === 1 && element >= 0x10 && element <= 0xff
}
