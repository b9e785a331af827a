import type { DataSet } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { Level } from '../model/levels.ts'
import type { Key, Matching, Query } from '../model/query.ts'
import { columnText } from '../text/bounded.ts'
import { normalizedValues } from '../text/values.ts'
import { datesInQueryZone, matchesCombined, matchesDateTimes, zonesOf, type Zones } from './match-moments.ts'
import { foldedNames, matchesNames } from './match-names.ts'
import { matchesTexts } from './match-texts.ts'
import { localOffset, type LocalOffset } from './moments.ts'

/** The attributes as stored, by level: `attributesOf` of each row. Keys of a level that is not given are left to the database. */
export interface StoredLevels {
  readonly patient?: DataSet | undefined
  readonly study?: DataSet | undefined
  readonly series?: DataSet | undefined
  readonly instance?: DataSet | undefined
}

const NAMES: Readonly<Record<Level, keyof StoredLevels>> = { PATIENT: 'patient', STUDY: 'study', SERIES: 'series', IMAGE: 'instance' }

/**
 * What a query means: whether all of its keys match (PS3.4 C.2.2.2). What the database finds may be more, never less.
 * Keys on computed attributes are not looked at.
 *
 * @param timezone the offset of instances that do not say theirs; see `localOffset`
 */
export function matches(query: Pick<Query, 'keys' | 'dateTimeKeys' | 'timezoneOffsetMinutes'>, levels: StoredLevels, timezone: LocalOffset = localOffset(undefined)): boolean {
  const { timezoneOffsetMinutes } = query
  return (
    query.keys.every(({ attribute, matching }) => {
      const attributes = levels[NAMES[attribute.level]]
      return attributes === undefined || matchesAttribute(attribute, matching, attributes, zonesOf(attributes, timezoneOffsetMinutes, timezone))
    }) &&
    query.dateTimeKeys.every((key) => {
      const attributes = levels[NAMES[key.date.level]]
      return attributes === undefined || matchesCombined(key, attributes, zonesOf(attributes, timezoneOffsetMinutes, timezone))
    })
  )
}

function matchesAttribute(attribute: IndexedAttribute, matching: Matching, attributes: DataSet, zones: Zones): boolean {
  const { name, vr } = attribute
  if (matching.kind === 'universal') return true
  switch (vr) {
    case 'SQ':
      return matchesItems(matching, attributes[name], zones)
    case 'PN':
      return matchesNames(matching, ofColumn(attribute, foldedNames(attributes[name])))
    case 'DT':
      return matchesDateTimes(matching, attribute, attributes, zones)
    case 'DA':
    case 'TM':
      return matchesTexts(matching, ofColumn(attribute, datesInQueryZone(attribute, attributes, zones)))
    default:
      return matchesTexts(matching, textsOf(attribute, attributes[name]))
  }
}

function textsOf(attribute: IndexedAttribute, value: unknown): readonly string[] {
  const texts = ofColumn(attribute, normalizedValues(attribute.vr, value))
  return attribute.column !== undefined || attribute.isIndexed ? texts.map(columnText) : texts
}

/** A column holds one value: of an attribute that should have no more, the first counts. */
function ofColumn<T>({ column }: IndexedAttribute, values: readonly T[]): readonly T[] {
  return column === undefined ? values : values.slice(0, 1)
}

/** One of the items matches all keys (PS3.4 C.2.2.2.6). */
function matchesItems(matching: Matching, value: unknown, zones: Zones): boolean {
  const items = (Array.isArray(value) ? (value as readonly unknown[]) : [value]).filter((item) => typeof item === 'object' && item !== null) as readonly DataSet[]
  if (matching.kind === 'empty') return items.length === 0
  if (matching.kind !== 'sequence') return false
  return items.some((item) => matchesItem(matching.keys, item, zones))
}

/** Does an item match all keys of a sequence? What a response returns of a sequence are those (PS3.4 C.2.2.2.6). */
export function matchesItem(keys: readonly Key[], item: DataSet, zones: Zones): boolean {
  return keys.every(({ attribute, matching }) => matchesAttribute(attribute, matching, item, zones))
}
