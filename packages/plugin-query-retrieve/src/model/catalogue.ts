import { createHash } from 'node:crypto'
import { DicomtapError, loadDictionary, type Dictionary } from '@dicomtap/framework'
import type { ExtraAttribute, ResolvedQueryRetrieveOptions } from '../options.ts'
import { BULK_VRS, NUMBER_VRS, WILDCARD_VRS } from '../text/values.ts'
import type { AttributeCatalogue, IndexedAttribute } from './attributes.ts'
import { DERIVED_ATTRIBUTES, SPECIAL_NAMES } from './derived-attributes.ts'
import { LEVELS, type Level } from './levels.ts'
import { COLUMNS, USUAL_ATTRIBUTES } from './usual-attributes.ts'

/** To be changed with what is indexed, or how values are normalized: indexes of before are then incomplete. */
const CATALOGUE_VERSION = 1

const OPTION_LEVELS = { patient: 'PATIENT', study: 'STUDY', series: 'SERIES', instance: 'IMAGE' } as const
const VALUE_VRS: ReadonlySet<string> = new Set([...WILDCARD_VRS, ...NUMBER_VRS, 'AS', 'AT', 'DA', 'DT', 'SQ', 'TM', 'UI'])
/** DT has its offset from UTC and sequences have items: the database cannot look them up. */
const NOT_LOOKED_UP: ReadonlySet<string> = new Set(['DT', 'SQ'])

/**
 * The attributes that are indexed: the usual ones and those of the options.
 * @throws DICOMTAP_ERR_PLG_OPTIONS for an attribute that nobody knows, with a line for each
 */
export async function buildCatalogue(extra: ResolvedQueryRetrieveOptions['attributes']): Promise<AttributeCatalogue> {
  const dictionary = await loadDictionary()
  const attributes = new Map<number, IndexedAttribute>()
  for (const level of LEVELS) {
    for (const keyword of USUAL_ATTRIBUTES[level]) {
      const { tag, vr, name } = known(dictionary, keyword)
      attributes.set(tag, { name, tag, vr, level, column: COLUMNS[keyword], isIndexed: false })
    }
  }
  const problems: string[] = []
  for (const [option, level] of Object.entries(OPTION_LEVELS)) {
    for (const [index, entry] of extra[option as keyof typeof OPTION_LEVELS].entries()) {
      const added = extraAttribute(entry, level, dictionary, attributes)
      if (typeof added === 'string') problems.push(`plugins[query-retrieve].options.attributes.${option}[${index}]: ${added}`)
      else attributes.set(added.tag, added)
    }
  }
  if (problems.length > 0) throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', problems.join('\n'))
  return catalogueOf([...attributes.values()], dictionary)
}

function known(dictionary: Dictionary, keyword: string): { tag: number; vr: string; name: string } {
  const attribute = dictionary.byName(keyword)
  if (attribute === undefined) throw new Error(`The dictionary lacks ${keyword}`)
  return attribute
}

/** The attribute, or what is wrong with it. */
function extraAttribute(
  entry: ExtraAttribute,
  level: Level,
  dictionary: Dictionary,
  present: ReadonlyMap<number, IndexedAttribute>,
): IndexedAttribute | string {
  const { attribute, vr: givenVr, indexed = false } = typeof entry === 'string' ? { attribute: entry } : entry
  const found = /^[0-9a-f]{8}$/i.test(attribute) ? byHex(attribute, dictionary) : dictionary.byName(attribute)
  if (found === undefined) {
    const near = dictionary.nearKeywords(attribute)
    return `'${attribute}' is no attribute${near.length === 0 ? ': use a keyword, or eight hexadecimal digits' : `; did you mean ${near.join(' or ')}?`}`
  }
  const { tag, name } = found
  if (SPECIAL_NAMES.has(name) || DERIVED_ATTRIBUTES.has(name)) return `'${attribute}' is there already: it is computed, or kept for each instance`
  const group = tag >>> 16
  if (group < 8 || group === 0xfffe || (tag & 0xffff) === 0) return `'${attribute}' does not belong in a data set`
  const vr = found.vr ?? givenVr
  if (vr === undefined) return `'${attribute}' is not in the dictionary: give its vr, { attribute: '${attribute}', vr: 'LO' }`
  if (givenVr !== undefined && givenVr !== vr && vr !== 'xs') return `'${attribute}' has the vr ${vr}, not ${givenVr}`
  if (BULK_VRS.has(vr) || !VALUE_VRS.has(vr === 'xs' ? 'US' : vr)) return `'${attribute}' has the vr ${vr}, which has no values that can be matched`
  const before = present.get(tag)
  if (before !== undefined && before.level !== level) return `'${attribute}' is there already, of the level ${before.level}`
  if (indexed && NOT_LOOKED_UP.has(vr)) return `'${attribute}' has the vr ${vr}: it can be queried, but not with indexed`
  return { name, tag, vr, level, column: before?.column, isIndexed: before?.column === undefined && (indexed || before?.isIndexed === true) }
}

function byHex(hex: string, dictionary: Dictionary): { tag: number; vr: string | undefined; name: string } {
  const tag = Number.parseInt(hex, 16)
  return { tag, vr: dictionary.vrOf(tag), name: dictionary.nameOf(tag) }
}

function catalogueOf(all: readonly IndexedAttribute[], dictionary: Dictionary): AttributeCatalogue {
  const names = new Map(all.map((attribute) => [attribute.name, attribute]))
  const levels = new Map(LEVELS.map((level) => [level, all.filter((attribute) => attribute.level === level)]))
  const lines = all.map(({ tag, vr, level, column, isIndexed }) => `${tag} ${vr} ${level} ${column ?? ''} ${isIndexed}`).sort()
  const items = new Map<string, IndexedAttribute>()
  return {
    all,
    byName: (name) => names.get(name) ?? names.get(dictionary.byName(name)?.name ?? ''),
    ofLevel: (level) => levels.get(level) ?? [],
    itemOf(sequence, name, vr) {
      const tag = dictionary.byName(name)?.tag ?? (/^[0-9a-f]{8}$/i.test(name) ? Number.parseInt(name, 16) : undefined)
      if (tag === undefined) return undefined
      const actualVr = dictionary.vrOf(tag) ?? vr
      if (actualVr === undefined || !VALUE_VRS.has(actualVr === 'xs' ? 'US' : actualVr)) return undefined
      const key = `${sequence.level} ${tag} ${actualVr}`
      const attribute = items.get(key) ?? { name: dictionary.nameOf(tag), tag, vr: actualVr, level: sequence.level, column: undefined, isIndexed: false }
      // Peers choose the names: only those of the dictionary are kept, and there are not many of them.
      if (dictionary.vrOf(tag) !== undefined && ((tag >>> 16) & 1) === 0) items.set(key, attribute)
      return attribute
    },
    tagOf: (name) => dictionary.byName(name)?.tag ?? (/^[0-9a-f]{8}$/i.test(name) ? Number.parseInt(name, 16) : undefined),
    fingerprint: createHash('sha256').update(`${CATALOGUE_VERSION}\n${lines.join('\n')}`).digest('hex').slice(0, 32),
  }
}
