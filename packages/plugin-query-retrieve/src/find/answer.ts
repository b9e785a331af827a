import type { DataSet } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { Level } from '../model/levels.ts'
import type { DerivedName, Query } from '../model/query.ts'
import { parseOffset } from '../text/date-time.ts'
import { answerCharacterSet, characterSetsOf } from './answer-character-set.ts'
import { derivedValue } from './derived.ts'
import type { FindRow } from './plan.ts'
import { UID_COLUMNS } from './plan.ts'
import type { RowAttributes } from './row-attributes.ts'
import { inOtherZone, localOffsetMinutes, offsetText } from './time-zone.ts'

export interface AnswerOptions {
  /** Retrieve AE Title (0008,0054). */
  readonly retrieveAeTitle: string
  /** Offset from UTC of instances that do not say theirs, in minutes; undefined: that of this machine. */
  readonly timezoneOffsetMinutes: number | undefined
}

/**
 * The identifier of a match: the level, and what was asked for and is supported, without a value where the instance
 * has none (PS3.4 C.4.1.1.3.2).
 */
export function answerOf(row: FindRow, stored: RowAttributes, query: Query, options: AnswerOptions): DataSet {
  const answer: DataSet = { QueryRetrieveLevel: query.level }
  const vrs: Record<string, string> = {}
  for (const attribute of query.returned) {
    answer[attribute.name] = valueOf(attribute, row, stored, query, options)
    const vr = vrOf(attribute, stored.of(attribute.level))
    if (vr !== undefined) vrs[attribute.name] = vr
  }
  for (const name of query.derived) answer[name] = derivedOf(name, row, options)
  if (Object.keys(vrs).length > 0) answer['_vrMap'] = vrs
  if (query.timezoneOffsetMinutes !== undefined) answer['TimezoneOffsetFromUTC'] = offsetText(query.timezoneOffsetMinutes)
  const characterSet = answerCharacterSet(answer, query.characterSets, stored.all().map((one) => characterSetsOf(one['SpecificCharacterSet'])))
  if (characterSet !== undefined) answer['SpecificCharacterSet'] = characterSet
  return answer
}

function valueOf(attribute: IndexedAttribute, row: FindRow, stored: RowAttributes, query: Query, options: AnswerOptions): unknown {
  const { name, vr, level } = attribute
  if (Object.hasOwn(UID_COLUMNS, name)) return row[name] ?? null
  const attributes = stored.of(level)
  if (!Object.hasOwn(attributes, name)) return null
  if (vr === 'SQ') return itemsOf(attributes[name], query.itemAttributes.get(attribute))
  if (query.timezoneOffsetMinutes !== undefined && (vr === 'DA' || vr === 'TM' || vr === 'DT')) {
    return inOtherZone(name, vr, attributes, query.timezoneOffsetMinutes - offsetOf(attributes, level, options))
  }
  return attributes[name] ?? null
}

const DATES: Readonly<Partial<Record<Level, string>>> = { STUDY: 'StudyDate', SERIES: 'SeriesDate', IMAGE: 'ContentDate' }

/** Offset from UTC of what was stored, in minutes. */
export function offsetOf(attributes: DataSet, level: Level, { timezoneOffsetMinutes }: Pick<AnswerOptions, 'timezoneOffsetMinutes'>): number {
  const own = attributes['TimezoneOffsetFromUTC']
  const minutes = typeof own === 'string' ? parseOffset(own.trim()) : undefined
  return minutes ?? timezoneOffsetMinutes ?? localOffsetMinutes(attributes[DATES[level] ?? ''])
}

/** Of each item what was asked for, or all of it. */
function itemsOf(value: unknown, names: readonly string[] | undefined): unknown {
  const items = (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]) as readonly DataSet[]
  if (items.length === 0) return null
  if (names === undefined || names.length === 0) return items
  return items.map((item) => {
    const part: DataSet = {}
    for (const name of names) part[name] = Object.hasOwn(item, name) ? item[name] : null
    if (Object.hasOwn(item, '_vrMap')) part['_vrMap'] = item['_vrMap']
    return part
  })
}

function derivedOf(name: DerivedName, row: FindRow, { retrieveAeTitle }: AnswerOptions): unknown {
  switch (name) {
    case 'RetrieveAETitle':
      return retrieveAeTitle
    case 'InstanceAvailability':
      return 'ONLINE'
    default:
      return Object.hasOwn(row, name) ? derivedValue(name, row[name]) : null
  }
}

/** The VR of an attribute that the dictionary does not tell: it cannot be encoded without. */
function vrOf({ name, vr }: IndexedAttribute, stored: DataSet): string | undefined {
  const vrs = (stored['_vrMap'] ?? {}) as Readonly<Record<string, string>>
  if (Object.hasOwn(vrs, name)) return vrs[name]
  return /^[0-9A-Fa-f]{8}$/.test(name) ? vr : undefined
}
