import type { DataSet } from '@dicomtap/framework'
import { SPECIAL_NAMES } from '../model/derived-attributes.ts'
import { LEVELS, UNIQUE_KEYS, type InformationModel, type Level } from '../model/levels.ts'
import { columnText } from '../text/bounded.ts'
import { normalizeValue } from '../text/values.ts'
import { levelOf } from './identifier-level.ts'
import { textsOfKey } from './key-texts.ts'
import { violation } from './violation.ts'

export interface ParseRetrieveIdentifierOptions {
  readonly model: InformationModel
  /** Relational retrieval was negotiated, or is always on: unique keys of the levels above may be left out (PS3.4 C.4.2.2.2.1). */
  readonly relational: boolean
  /** Tags of attributes for offending elements: `AttributeCatalogue.tagOf`. */
  readonly tagOf: (name: string) => number | undefined
}

/** What a C-MOVE or C-GET asks for: everything that all of these restrict to. Values are normalized as columns are. */
export interface RetrieveSelection {
  readonly level: Level
  readonly patientId: string | undefined
  /** Empty: of any study. Above the level of retrieval there is one at most. */
  readonly studyInstanceUids: readonly string[]
  readonly seriesInstanceUids: readonly string[]
  readonly sopInstanceUids: readonly string[]
}

const UID = /^[0-9.]{1,64}$/

/**
 * Understands and checks the identifier of a C-MOVE or C-GET: a value of the unique key of each level above, and one
 * Patient ID or a list of UIDs at the level (PS3.4 C.4.2.1.4.1, C.4.2.2.1, C.4.3.1.3.1). There shall be no other keys;
 * empty ones do no harm and are ignored, and so are Specific Character Set, Query/Retrieve View and an offset from
 * UTC. A Patient ID in a study root, which many SCUs send, restricts as it does elsewhere.
 *
 * @throws StatusError A900 with comment and offending elements
 */
export function parseRetrieveIdentifier(identifier: DataSet, { model, relational, tagOf }: ParseRetrieveIdentifierOptions): RetrieveSelection {
  const level = levelOf(identifier, model)
  const values = new Map<Level, readonly string[]>()
  for (const [name, value] of Object.entries(identifier)) {
    if (name.startsWith('_') || SPECIAL_NAMES.has(name) || isEmpty(value)) continue
    const tag = tagOf(name) ?? 0
    const keyLevel = LEVELS.find((one) => UNIQUE_KEYS[one] === name)
    if (keyLevel === undefined) throw violation(`Not a unique key: ${name}`, tag)
    if (LEVELS.indexOf(keyLevel) > LEVELS.indexOf(level)) throw violation(`Key below the level of retrieval: ${name}`, tag)
    const texts = valuesOf(name, tag, keyLevel, value)
    if (texts.length > 1 && (keyLevel !== level || level === 'PATIENT')) throw violation(`Needs a single value: ${name}`, tag)
    values.set(keyLevel, texts)
  }
  for (const one of model.levels.slice(0, model.levels.indexOf(level) + 1)) {
    const name = UNIQUE_KEYS[one]
    const isNeeded = one === level || !relational
    if (isNeeded && (values.get(one) ?? []).length === 0) throw violation(`Unique key missing: ${name}`, tagOf(name) ?? 0)
  }
  return {
    level,
    patientId: values.get('PATIENT')?.[0],
    studyInstanceUids: values.get('STUDY') ?? [],
    seriesInstanceUids: values.get('SERIES') ?? [],
    sopInstanceUids: values.get('IMAGE') ?? [],
  }
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isEmpty)
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '')
}

/** Nothing is a wildcard here: an asterisk would be one of a Patient ID, and retrieve what nobody asked for. */
function valuesOf(name: string, tag: number, level: Level, value: unknown): readonly string[] {
  const vr = level === 'PATIENT' ? 'LO' : 'UI'
  const texts = textsOfKey({ name, tag, vr, level, column: undefined, isIndexed: false }, value).map((text) => (vr === 'UI' && UID.test(text) ? text : normalizeValue(vr, text)))
  if (texts.some((text) => text.includes('*') || text.includes('?'))) throw violation(`No wildcards: ${name}`, tag)
  if (vr === 'UI' && !texts.every((uid) => UID.test(uid))) throw violation(`Not a UID: ${name}`, tag)
  return [...new Set(texts.map(columnText))]
}
