import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import type { AttributeCatalogue, IndexedAttribute } from '../model/attributes.ts'
import { DERIVED_ATTRIBUTES, SPECIAL_NAMES, type DerivedAttribute } from '../model/derived-attributes.ts'
import { UNIQUE_KEYS, type InformationModel, type Level } from '../model/levels.ts'
import type { DerivedName, Key, Matching, Query } from '../model/query.ts'
import { parseOffset } from '../text/date-time.ts'
import { textOf } from '../text/values.ts'
import { characterSetsOf } from './character-sets.ts'
import { combineDateTimes } from './combine-date-times.ts'
import { checkOrder } from './date-key.ts'
import { isWithin, levelOf } from './identifier-level.ts'
import { matchingOf } from './matching-of.ts'
import { matchingOfSequence } from './sequence-key.ts'
import { Tag, violation } from './violation.ts'

export interface ParseIdentifierOptions {
  readonly model: InformationModel
  readonly attributes: AttributeCatalogue
  readonly negotiated: FindNegotiation
  /** Keys of any level, negotiated or not. */
  readonly relational: boolean
}

/**
 * Understands and checks the identifier of a C-FIND (PS3.4 C.4.1.1.3.1, C.4.1.2.1, C.4.1.2.2.1).
 *
 * More lenient than the standard, because SCUs are: the unique key of the level itself may be absent; Patient ID may
 * have wildcards at its level; an asterisk alone is universal in every key; keys of the levels above are matched and
 * returned although a hierarchical query has none but unique ones there; keys on computed attributes may be there.
 * Keys that are not indexed, and those of levels below, are not supported: not matched, not returned, and told.
 *
 * @throws StatusError A900 with comment and offending elements
 */
export function parseIdentifier(identifier: DataSet, { model, attributes, negotiated, relational }: ParseIdentifierOptions): Query {
  const level = levelOf(identifier, model)
  const characterSets = characterSetsOf(identifier)
  const itemAttributes = new Map<IndexedAttribute, readonly string[]>()
  const found: Key[] = []
  const derivedKeys: { name: DerivedName; matching: Matching }[] = []
  const returned: IndexedAttribute[] = []
  const derived: DerivedName[] = []
  const unsupported: string[] = []
  const sequences = { attributes, negotiated, itemAttributes, unsupported, itemKeys: 0 }
  const take = (attribute: IndexedAttribute, value: unknown): Matching =>
    attribute.vr === 'SQ' ? matchingOfSequence(attribute, value, sequences) : matchingOf(attribute, value, negotiated)
  const entries = Object.entries(identifier)
  if (entries.length > MAXIMUM_KEYS) throw violation('Too many keys')
  for (const [name, value] of entries) {
    if (name.startsWith('_') || SPECIAL_NAMES.has(name) || isPrivateCreator(name)) continue
    const computed = DERIVED_ATTRIBUTES.get(name)
    if (computed !== undefined) {
      if (!isWithin(computed.level ?? level, level)) unsupported.push(name)
      else {
        const matching = take(asAttribute(computed, level), value)
        derived.push(computed.name)
        if (matching.kind !== 'universal') derivedKeys.push({ name: computed.name, matching })
        if (matching.kind !== 'universal' && NOT_MATCHED.has(computed.name)) unsupported.push(name)
      }
      continue
    }
    const attribute = attributes.byName(name)
    if (attribute === undefined || !isWithin(attribute.level, level)) {
      unsupported.push(name)
      continue
    }
    const matching = take(attribute, value)
    returned.push(attribute)
    if (matching.kind !== 'universal') found.push({ attribute, matching })
  }
  // Nobody is granted Enhanced Multi-Frame Image Conversion: what is returned is the default view.
  if (textOf(identifier['QueryRetrieveView']) !== '') unsupported.push('QueryRetrieveView')
  if (!relational) checkUniqueKeysAbove(found, model, level, attributes)
  const isRange = ({ attribute, matching }: Key): boolean => matching.kind === 'range' && textOf(identifier[attribute.name]).includes('-')
  const { keys, dateTimeKeys } = negotiated.dateTimeMatching ? combineDateTimes(found, isRange) : { keys: found, dateTimeKeys: [] }
  for (const { attribute, matching } of keys) checkOrder(attribute, matching)
  for (const { date, time, from, to } of dateTimeKeys) {
    if (from !== undefined && to !== undefined && from > to) throw violation(`Range runs backwards: ${date.name}`, date.tag, time.tag)
  }
  const timezoneOffsetMinutes = negotiated.timezoneQueryAdjustment ? timezoneOf(identifier) : undefined
  return { level, keys, dateTimeKeys, derivedKeys, returned, derived, itemAttributes, unsupported, characterSets, timezoneOffsetMinutes }
}

/** Many times what there is to ask for at a level: who sends more does not want an answer. */
const MAXIMUM_KEYS = 1024

/** The same for all that is stored here: returned, and not matched. */
const NOT_MATCHED: ReadonlySet<DerivedName> = new Set<DerivedName>(['RetrieveAETitle', 'InstanceAvailability'])

/** A hierarchical query has one value for the unique key of each level above (PS3.4 C.4.1.2.1). */
function checkUniqueKeysAbove(keys: readonly Key[], model: InformationModel, level: Level, attributes: AttributeCatalogue): void {
  for (const above of model.levels.slice(0, model.levels.indexOf(level))) {
    const name = UNIQUE_KEYS[above]
    const tag = attributes.tagOf(name) ?? 0
    const key = keys.find(({ attribute }) => attribute.name === name)
    if (key === undefined) throw violation(`Unique key of a level above missing: ${name}`, tag)
    if (key.matching.kind !== 'single') throw violation(`Needs a single value: ${name}`, tag)
  }
}

/** `(gggg,0010)` to `(gggg,00FF)` reserve private elements and are no keys (PS3.5 7.8.1). */
function isPrivateCreator(name: string): boolean {
  return /^[0-9A-F]{3}[13579BDF]00[1-9A-F][0-9A-F]$/.test(name)
}

function asAttribute({ name, tag, vr, level }: DerivedAttribute, queryLevel: Level): IndexedAttribute {
  return { name, tag, vr, level: level ?? queryLevel, column: undefined, isIndexed: false }
}

function timezoneOf(identifier: DataSet): number | undefined {
  const text = textOf(identifier['TimezoneOffsetFromUTC'])
  if (text === '') return undefined
  const offset = parseOffset(text)
  if (offset === undefined) throw violation('Not an offset from UTC', Tag.TimezoneOffsetFromUTC)
  return offset
}
