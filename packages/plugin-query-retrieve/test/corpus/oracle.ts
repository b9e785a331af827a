import type { Dumped, DumpedElement } from './dump.ts'
import { matches } from './oracle-matching.ts'

/**
 * The answers that are expected, computed from the files as DCMTK reads them: slow, simple, and with nothing of the
 * plugin. The data sets are in the order in which they were stored.
 */
export type OracleLevel = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE'
export interface Question {
  readonly level: OracleLevel
  readonly root: 'P' | 'S' | 'O'
  /** The identifier, as DCMTK reads it. */
  readonly keys: Dumped
}

/** One match: the text of each attribute that was asked for. */
export type Answer = Readonly<Record<string, string>>

const T = {
  level: '00080052',
  characterSet: '00080005',
  patientId: '00100020',
  issuer: '00100021',
  study: '0020000d',
  series: '0020000e',
  instance: '00080018',
  sopClass: '00080016',
  modality: '00080060',
} as const

/** What all instances of an entity have in common. */
const UNIQUE = new Map<string, OracleLevel>([
  [T.study, 'STUDY'],
  [T.series, 'SERIES'],
  [T.instance, 'IMAGE'],
])

/** Attributes by level, apart from those of IMAGE, which are all others (PS3.4 C.6.1.1). */
const LEVEL_OF: Readonly<Record<string, OracleLevel>> = Object.fromEntries([
  ...['00100010', '00100020', '00100021', '00100030', '00100032', '00100040', '00101000', '00101001', '00104000'].map((tag) => [tag, 'PATIENT']),
  ...['0020000d', '00080020', '00080030', '00080050', '00200010', '00081030', '00080090', '00081032', '00080061', '00080062', '00201206', '00201208', '00201200', '00201202', '00201204'].map((tag) => [tag, 'STUDY']),
  ...['0020000e', '00080060', '00200011', '0008103e', '00400275', '00180015', '00080021', '00080031', '00400244', '00400245', '00201209', '00080080', '00081070', '00081050', '00081010'].map((tag) => [tag, 'SERIES']),
])
const ORDER: readonly OracleLevel[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE']

/** Which patient an instance is of: without an ID, that of its study alone (PS3.3 C.7.1.1). */
export function patientOf(instance: Dumped): string {
  const id = textOf(instance, T.patientId)
  return id === '' ? `study ${textOf(instance, T.study)}` : `${id}\n${textOf(instance, T.issuer)}`
}

function entityOf(instance: Dumped, level: OracleLevel): string {
  if (level === 'PATIENT') return patientOf(instance)
  return textOf(instance, { STUDY: T.study, SERIES: T.series, IMAGE: T.instance }[level])
}

export function expectedAnswers(question: Question, instances: readonly Dumped[]): Answer[] {
  return entitiesOf(question.level, instances)
    .filter((own) => isMatch(question, own, instances))
    .map((own) => answerOf(question, own, instances))
}

/** The SOP Instance UIDs that a C-MOVE or C-GET with this identifier is about. */
export function expectedInstances(question: Question, instances: readonly Dumped[]): string[] {
  return entitiesOf(question.level, instances)
    .filter((own) => isMatch(question, own, instances))
    .flatMap((own) => own.map((instance) => textOf(instance, T.instance)))
}

function entitiesOf(level: OracleLevel, instances: readonly Dumped[]): Dumped[][] {
  const entities = new Map<string, Dumped[]>()
  for (const instance of instances) {
    const id = entityOf(instance, level)
    const own = entities.get(id)
    if (own === undefined) entities.set(id, [instance])
    else own.push(instance)
  }
  return [...entities.values()]
}

function keysOf({ keys }: Question): [string, DumpedElement][] {
  return [...keys].filter(([tag]) => !tag.startsWith('0002') && tag !== T.level && tag !== T.characterSet && tag !== '00080201')
}

function isMatch(question: Question, own: readonly Dumped[], all: readonly Dumped[]): boolean {
  // UIDs first: they are looked up in the instance itself.
  const keys = keysOf(question).toSorted(([, a], [, b]) => Number(b.vr === 'UI') - Number(a.vr === 'UI'))
  return keys.every(([tag, key]) => matches(key, attribute(tag, question, own, all)))
}

function answerOf(question: Question, own: readonly Dumped[], all: readonly Dumped[]): Answer {
  return Object.fromEntries(keysOf(question).map(([tag, key]) => [tag, canonical(onlyMatchingItems(key, attribute(tag, question, own, all)), key)]))
}

/** Of a sequence the items that match are returned (PS3.4 C.2.2.2.6). */
function onlyMatchingItems(key: DumpedElement, value: DumpedElement | undefined): DumpedElement | undefined {
  if (key.items === undefined || value?.items === undefined) return value
  return { ...value, items: value.items.filter((item) => matches(key, { ...value, items: [item] })) }
}

/** The value of an attribute for what an entity has: that of the instance which was stored last, at its level. */
function attribute(tag: string, question: Question, own: readonly Dumped[], all: readonly Dumped[]): DumpedElement | undefined {
  const last = own.at(-1) as Dumped
  if (UNIQUE.has(tag) && ORDER.indexOf(UNIQUE.get(tag) ?? 'IMAGE') <= ORDER.indexOf(question.level)) return last.get(tag)
  const derived = DERIVED[tag]
  if (derived !== undefined) return derived(last, all)
  const level = LEVEL_OF[tag] ?? 'IMAGE'
  if (ORDER.indexOf(level) > ORDER.indexOf(question.level)) return undefined
  return lastOf(level, all).get(entityOf(last, level))?.get(tag)
}

const lastInstances = new WeakMap<readonly Dumped[], Map<OracleLevel, Map<string, Dumped>>>()

/** The instance of each entity that was stored last: of those with the same name a map keeps the last one. */
function lastOf(level: OracleLevel, all: readonly Dumped[]): Map<string, Dumped> {
  const levels = lastInstances.get(all) ?? new Map<OracleLevel, Map<string, Dumped>>()
  lastInstances.set(all, levels)
  const last = levels.get(level) ?? new Map(all.map((instance) => [entityOf(instance, level), instance]))
  levels.set(level, last)
  return last
}

/** PS3.4 C.3.4 and C.6.1.1: what is computed from what is there. */
const DERIVED: Readonly<Record<string, (of: Dumped, all: readonly Dumped[]) => DumpedElement>> = {
  '00080061': (of, all) => values('CS', all.filter((other) => isSame(other, of, 'STUDY')).map((other) => textOf(other, T.modality))),
  '00080062': (of, all) => values('UI', all.filter((other) => isSame(other, of, 'STUDY')).map((other) => textOf(other, T.sopClass))),
  '00201200': (of, all) => count(of, all, 'PATIENT', 'STUDY'),
  '00201202': (of, all) => count(of, all, 'PATIENT', 'SERIES'),
  '00201204': (of, all) => count(of, all, 'PATIENT', 'IMAGE'),
  '00201206': (of, all) => count(of, all, 'STUDY', 'SERIES'),
  '00201208': (of, all) => count(of, all, 'STUDY', 'IMAGE'),
  '00201209': (of, all) => count(of, all, 'SERIES', 'IMAGE'),
}

function isSame(one: Dumped, other: Dumped, level: OracleLevel): boolean {
  return entityOf(one, level) === entityOf(other, level)
}

function count(of: Dumped, all: readonly Dumped[], within: OracleLevel, what: OracleLevel): DumpedElement {
  const inside = all.filter((other) => isSame(other, of, within))
  return { vr: 'IS', text: String(new Set(inside.map((other) => entityOf(other, what))).size) }
}

function values(vr: string, texts: readonly string[]): DumpedElement {
  return { vr, text: [...new Set(texts)].filter((text) => text !== '').toSorted().join('\\') }
}

export function textOf(dataSet: Dumped, tag: string): string {
  return (dataSet.get(tag)?.text ?? '').trim()
}

/** Attributes whose values have no order. */
const UNORDERED = new Set(['00080061', '00080062'])

/** Values in one form, so that two answers which say the same are the same. */
export function canonical(element: DumpedElement | undefined, key?: DumpedElement, tag = ''): string {
  if (element === undefined) return ''
  if (element.items !== undefined) {
    const wanted = key?.items?.[0]
    const items = element.items.map((item) => {
      const tags = wanted === undefined || wanted.size === 0 ? [...item.keys()] : [...wanted.keys()]
      return `{${tags.toSorted().map((name) => `${name}=${canonical(item.get(name), wanted?.get(name))}`).join(',')}}`
    })
    return items.join('')
  }
  const parts = element.text.split('\\').map((text) => text.trim())
  if (UNORDERED.has(tag)) parts.sort()
  // 007 and 7 are the same integer (PS3.5 6.2): who decodes it need not keep how it was written.
  if (element.vr === 'IS' || element.vr === 'DS') return parts.map((text) => (text === '' ? '' : String(Number(text)))).join('\\')
  return (element.vr === 'PN' ? parts.map((name) => name.replace(/[=^]+$/, '').normalize('NFC')) : parts).join('\\').normalize('NFC')
}

/** What a response says of the attributes that were asked for. */
export function givenAnswer(question: Question, response: Dumped): Answer {
  return Object.fromEntries(keysOf(question).map(([tag, key]) => [tag, canonical(response.get(tag), key, tag)]))
}
