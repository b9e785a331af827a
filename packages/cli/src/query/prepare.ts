import { DicomtapError, encodeDataSet, loadDictionary, TransferSyntax } from '@dicomtap/framework'
import type { DataSet, Dictionary } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { addReturnKeys, hasReturnKey, needsCharacterSet, parseKey, setKey } from './identifier.ts'
import { impliedLevel, missingUniqueKeys, parseLevel, returnKeysOf } from './levels.ts'
import type { QueryLevel } from './levels.ts'
import { resolveModel } from './models.ts'
import type { QueryModel, QueryOperation } from './models.ts'
import { readQueryFile } from './query-file.ts'
import type { FindOptions, QueryOptions } from './register.ts'

/** A query, ready to be sent. */
export interface PreparedQuery {
  readonly dictionary: Dictionary
  readonly model: QueryModel
  /** SOP Class UID. */
  readonly uid: string
  readonly identifier: DataSet
  /** Names, with dots, of the keys that were added because nobody said what is wanted. */
  readonly defaults: ReadonlySet<string>
  /** What is worth knowing before it is sent. */
  readonly remarks: readonly string[]
}

/**
 * Makes the identifier out of the keys on the command line and in a file, with level, character set and, for
 * a query that only says what to match, the attributes worth knowing.
 *
 * @throws UsageError
 */
export async function prepareQuery(
  operation: QueryOperation,
  keys: readonly string[],
  options: QueryOptions & Pick<FindOptions, 'defaultKeys' | 'timezone'>,
): Promise<PreparedQuery> {
  const { model, uid } = resolveModel(modelOf(options), operation)
  const dictionary = await loadDictionary()
  const given: DataSet = options.file === undefined ? {} : await readQueryFile(options.file, dictionary)
  for (const text of [...keys, ...(options.key ?? [])]) setKey(given, parseKey(text, dictionary))

  const isRetrieval = operation !== 'find'
  const level = levelOf(model, given, isRetrieval, options.level)
  const saysWhat = options.file !== undefined || hasReturnKey(given, dictionary)
  const { identifier, defaults } =
    isRetrieval || saysWhat || options.defaultKeys === false
      ? { identifier: given, defaults: [] }
      : withReturnKeys(given, model, level, dictionary)
  if (level !== undefined) identifier['QueryRetrieveLevel'] ??= level
  if (options.timezone === true) identifier['TimezoneOffsetFromUTC'] ??= localOffset()
  setCharacterSet(identifier, options.charset, dictionary)
  if (Object.keys(identifier).every((name) => name === 'QueryRetrieveLevel')) {
    throw new UsageError('there is no key: give at least one, e.g. PatientID=123, or PatientID alone to ask for it')
  }
  const missing = level === undefined ? [] : missingUniqueKeys(model, level, identifier, isRetrieval)
  if (isRetrieval) refuseRetrievalOfNothing(model, level, missing)
  await checkEncodable(identifier)
  const remarks = options.relational === true ? [] : remarksOn(level, missing)
  return { dictionary, model, uid, identifier, defaults: new Set(defaults), remarks }
}

function modelOf({ model, patient, study, psonly, worklist, ups }: QueryOptions): string {
  const flags = { patient, study, 'patient-study': psonly, worklist, ups }
  const named = [
    ...(model === undefined ? [] : [model]),
    ...Object.entries(flags).flatMap(([name, isSet]) => (isSet === true ? [name] : [])),
  ]
  if (named.length > 1) throw new UsageError(`two models: ${named.join(' and ')}; leave one out`)
  return named[0] ?? 'study'
}

function levelOf(model: QueryModel, given: DataSet, isRetrieval: boolean, wanted: string | undefined): QueryLevel | undefined {
  const level = wanted === undefined ? undefined : parseLevel(wanted)
  if (!model.hasLevels) {
    if (level !== undefined) throw new UsageError(`the model ${model.name} has no levels: leave --level out`)
    return undefined
  }
  const inKeys = given['QueryRetrieveLevel']
  if (typeof inKeys === 'string' && level === undefined) return parseLevel(inKeys)
  if (level !== undefined) delete given['QueryRetrieveLevel']
  const implied = level ?? impliedLevel(model, given, isRetrieval)
  if (implied === undefined) throw new UsageError('it does not say what to retrieve: give StudyInstanceUID=..., or another unique key')
  return implied
}

/** Default keys first, in their order, with the values that were given; then what else was given. */
function withReturnKeys(
  given: DataSet,
  model: QueryModel,
  level: QueryLevel | undefined,
  dictionary: Dictionary,
): { identifier: DataSet; defaults: readonly string[] } {
  const keys = level === undefined ? (model.returnKeys ?? []) : returnKeysOf(model, level)
  const defaults = addReturnKeys(given, keys, dictionary)
  const first = keys.map((key) => key.split(/[.[]/u, 1)[0] ?? '')
  const names = [...new Set([...first.filter((name) => Object.hasOwn(given, name)), ...Object.keys(given)])]
  return { identifier: Object.fromEntries(names.map((name) => [name, given[name]])), defaults }
}

const CHARACTER_SET_NAMES: Readonly<Record<string, string>> = {
  'utf-8': 'ISO_IR 192',
  utf8: 'ISO_IR 192',
  latin1: 'ISO_IR 100',
  'iso-8859-1': 'ISO_IR 100',
  ascii: '',
}

function setCharacterSet(identifier: DataSet, wanted: string | undefined, dictionary: Dictionary): void {
  if (wanted !== undefined) {
    const terms = (CHARACTER_SET_NAMES[wanted.toLowerCase()] ?? wanted).split('\\')
    identifier['SpecificCharacterSet'] = terms.length === 1 ? terms[0] || null : terms
  } else if (identifier['SpecificCharacterSet'] === undefined && needsCharacterSet(identifier, dictionary)) {
    identifier['SpecificCharacterSet'] = 'ISO_IR 192'
  }
}

/** Offset of this host from UTC as PS3.3 C.12.1.1.8 writes it: `+0100`. */
function localOffset(): string {
  const minutes = -new Date().getTimezoneOffset()
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}${two(Math.abs(minutes) % 60)}`
}

const UNIQUE_KEY: Readonly<Record<QueryLevel, string>> = {
  PATIENT: 'PatientID',
  STUDY: 'StudyInstanceUID',
  SERIES: 'SeriesInstanceUID',
  IMAGE: 'SOPInstanceUID',
  FRAME: 'SOPInstanceUID',
}

function refuseRetrievalOfNothing(model: QueryModel, level: QueryLevel | undefined, missing: readonly string[]): void {
  const key = level === undefined ? undefined : UNIQUE_KEY[level]
  if (key !== undefined && missing.includes(key)) {
    throw new UsageError(`at level ${level} the model ${model.name} retrieves by ${key}: give ${key}=...`)
  }
}

function remarksOn(level: QueryLevel | undefined, missing: readonly string[]): string[] {
  if (missing.length === 0) return []
  return [`At level ${level} most servers want ${missing.join(' and ')} with one value; without it negotiate --relational.`]
}

async function checkEncodable(identifier: DataSet): Promise<void> {
  try {
    await encodeDataSet(identifier, TransferSyntax.ExplicitVRLittleEndian)
  } catch (error) {
    if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_DS_ENCODE') {
      throw new UsageError(error.message.replace(/^The data set cannot be encoded: /u, 'the query cannot be encoded: '))
    }
    throw error
  }
}
