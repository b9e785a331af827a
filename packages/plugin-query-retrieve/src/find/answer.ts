import type { DataSet } from '@dicomtap/framework'
import { matchesItem } from '../matching/matches.ts'
import { zonesOf } from '../matching/match-moments.ts'
import type { LocalOffset } from '../matching/moments.ts'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { DerivedName, Query } from '../model/query.ts'
import { answerCharacterSet, characterSetsOf } from './answer-character-set.ts'
import { derivedValue } from './derived.ts'
import type { FindRow } from './plan.ts'
import { UID_COLUMNS } from './plan.ts'
import type { RowAttributes } from './row-attributes.ts'
import { inZoneOfQuery, offsetText } from './time-zone.ts'

export interface AnswerOptions {
  /** Retrieve AE Title (0008,0054). */
  readonly retrieveAeTitle: string
  /** Offset from UTC of instances that do not say theirs. */
  readonly timezone: LocalOffset
  /** Elements that reserve the private ones of the query: they return with these (PS3.5 7.8.1). */
  readonly privateCreators: DataSet
}

/** Instance Availability (0008,0056) of what is in the storage folder (PS3.3 C.4.23.1.1). */
const INSTANCE_AVAILABILITY = 'ONLINE'

/**
 * The identifier of a match: the level, and what was asked for and is supported, without a value where the instance
 * has none (PS3.4 C.4.1.1.3.2).
 */
export function answerOf(row: FindRow, stored: RowAttributes, query: Query, options: AnswerOptions): DataSet {
  // Where the instances can be had is told whether it was asked for or not (PS3.4 C.4.1.1.3.2).
  const answer: DataSet = { QueryRetrieveLevel: query.level, RetrieveAETitle: options.retrieveAeTitle }
  const vrs: Record<string, string> = {}
  for (const attribute of query.returned) {
    answer[attribute.name] = valueOf(attribute, row, stored, query, options)
    const vr = vrOf(attribute, stored.of(attribute.level))
    if (vr !== undefined) vrs[attribute.name] = vr
  }
  for (const name of query.derived) answer[name] = derivedOf(name, row, options)
  if (Object.keys(vrs).length > 0) answer['_vrMap'] = vrs
  Object.assign(answer, options.privateCreators)
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
  if (vr === 'SQ') return itemsOf(attribute, attributes, query, options)
  if (query.timezoneOffsetMinutes !== undefined && (vr === 'DA' || vr === 'TM' || vr === 'DT')) {
    return inZoneOfQuery(name, vr, attributes, zonesOf(attributes, query.timezoneOffsetMinutes, options.timezone).instance, query.timezoneOffsetMinutes)
  }
  return attributes[name] ?? null
}

/** Of the items that match (PS3.4 C.2.2.2.6) what was asked for, or all of it. */
function itemsOf(attribute: IndexedAttribute, attributes: DataSet, query: Query, { timezone }: AnswerOptions): unknown {
  const names = query.itemAttributes.get(attribute) ?? []
  const zones = zonesOf(attributes, query.timezoneOffsetMinutes, timezone)
  const matching = query.keys.find((key) => key.attribute === attribute)?.matching
  const items = ([attributes[attribute.name] ?? []] as unknown[])
    .flat()
    .filter((item) => matching?.kind !== 'sequence' || matchesItem(matching.keys, item as DataSet, zones)) as readonly DataSet[]
  if (items.length === 0) return null
  return names.length === 0 ? items : items.map((item) => partOf(item, names, query))
}

function partOf(item: DataSet, names: readonly string[], query: Query): DataSet {
  const part: DataSet = {}
  for (const name of names) part[name] = Object.hasOwn(item, name) ? nestedPart(name, item[name], query) : null
  if (Object.hasOwn(item, '_vrMap')) part['_vrMap'] = item['_vrMap']
  return part
}

/** Of a sequence in a sequence too what was asked for. */
function nestedPart(name: string, value: unknown, query: Query): unknown {
  const names = [...query.itemAttributes].find(([attribute]) => attribute.name === name)?.[1] ?? []
  return names.length === 0 || !Array.isArray(value) ? value : (value as DataSet[]).map((item) => partOf(item, names, query))
}

function derivedOf(name: DerivedName, row: FindRow, { retrieveAeTitle }: AnswerOptions): unknown {
  switch (name) {
    case 'RetrieveAETitle':
      return retrieveAeTitle
    case 'InstanceAvailability':
      return INSTANCE_AVAILABILITY
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
