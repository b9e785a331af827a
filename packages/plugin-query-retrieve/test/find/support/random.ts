import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import type { InformationModel, Level } from '../../../dist/model/levels.js'
import { MODELS } from '../../../dist/model/levels.js'

/** The same seed, the same numbers: mulberry32. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }
}

const NAMES = [
  'Doe^Jane', 'DOE^JANE^A', 'Doe', 'Döe^Jané', 'Müller^Jörg', 'MUELLER^JOERG', 'Smith^John', 'Smyth^Jon', "O'Brien^Mary-Jane", '100%^_x', 'a[b]^c*d', '',
  'Yamada^Tarou=山田^太郎=やまだ^たろう', '=山田^太郎', 'Παπαδόπουλος^Γιώργος', 'قباني^لنزار', 'Hong^Gildong=洪^吉洞=홍^길동', 'Nobody^"Quoted"', String.raw`Back\slash`,
]
const IDS = ['P1', 'P2', 'p1', 'P 1', 'P%', 'P_1', 'P[1]', "P'1", 'P"1', '12345', '', 'Ä1']
const DATES = ['20231230', '20231231', '20240101', '20240102', '20240229', '20240301', '19700101', '2024.03.02', 'garbage', '']
const TIMES = ['000000', '0030', '12', '120000.5', '235959.999999', '2330', '13:45:00', 'garbage', '']
const ZONES = ['+0000', '+0100', '-0500', '+1400', '-1200', undefined, undefined]
const TEXTS = ['CHEST', 'Chest', 'chest 1', 'Thorax ü', '*', '100%', 'a_b', '[x]', '', "it's", 'Κεφάλι']
const MODALITIES = ['CT', 'MR', 'SR', 'US', '']
const CODES = ['A', 'B', 'A*', '']

/** One instance out of a small world, so that random queries find something. */
export function randomInstance(random: Random, number: number): DataSet {
  const [study, series] = [random.below(12), random.below(3)]
  const owned = new Random(study + 1)
  const [name, id, date, time] = [owned.of(NAMES), owned.of(IDS), owned.of(DATES), owned.of(TIMES)]
  return {
    SOPClassUID: `1.2.840.10008.5.1.4.1.1.${1 + random.below(3)}`,
    SOPInstanceUID: `1.9.${number}`,
    StudyInstanceUID: `1.2.${study}`,
    SeriesInstanceUID: `1.3.${study}.${series}`,
    PatientID: id,
    PatientName: name === '' ? null : [nameOf(name)],
    PatientBirthDate: owned.of(DATES),
    PatientSex: owned.of(['M', 'F', 'O', '']),
    StudyDate: date,
    StudyTime: time,
    TimezoneOffsetFromUTC: owned.of(ZONES),
    AccessionNumber: owned.of(IDS),
    StudyID: owned.of(TEXTS),
    StudyDescription: owned.of(TEXTS),
    ReferringPhysicianName: [nameOf(owned.of(NAMES))],
    ProcedureCodeSequence: Array.from({ length: owned.below(3) }, () => ({ CodeValue: owned.of(CODES), CodeMeaning: owned.of(TEXTS) })),
    Modality: MODALITIES[(study + series) % MODALITIES.length],
    SeriesNumber: String(series),
    SeriesDescription: TEXTS[(study * 3 + series) % TEXTS.length],
    InstanceNumber: random.of([number, '', `0${number}`]),
    AcquisitionDateTime: random.of(['20240101120000', '20231231233000.5-0500', '202402', '']),
    ImageType: random.of([['ORIGINAL', 'PRIMARY'], ['DERIVED', 'SECONDARY', 'AXIAL'], null]),
  }
}

function nameOf(text: string): Record<string, string> {
  const [Alphabetic = '', Ideographic = '', Phonetic = ''] = text.split('=')
  return { ...(Alphabetic && { Alphabetic }), ...(Ideographic && { Ideographic }), ...(Phonetic && { Phonetic }) }
}

const KEYS: Readonly<Record<Level, readonly string[]>> = {
  PATIENT: ['PatientID', 'PatientName', 'PatientBirthDate', 'PatientSex', 'NumberOfPatientRelatedInstances'],
  STUDY: ['StudyInstanceUID', 'StudyDate', 'StudyTime', 'AccessionNumber', 'StudyID', 'StudyDescription', 'ReferringPhysicianName', 'ProcedureCodeSequence', 'ModalitiesInStudy', 'SOPClassesInStudy', 'NumberOfStudyRelatedSeries'],
  SERIES: ['SeriesInstanceUID', 'Modality', 'SeriesNumber', 'SeriesDescription', 'NumberOfSeriesRelatedInstances'],
  IMAGE: ['SOPInstanceUID', 'SOPClassUID', 'InstanceNumber', 'AcquisitionDateTime', 'ImageType'],
}
const ORDER: readonly Level[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE']

export interface RandomQuery {
  readonly identifier: DataSet
  readonly model: InformationModel
  readonly negotiated: FindNegotiation
}

/** An identifier as a peer may send it, right or wrong; relational, so that keys of any level go together. */
export function randomQuery(random: Random): RandomQuery {
  const model = random.of([MODELS.patientRoot, MODELS.studyRoot, MODELS.patientStudyOnly])
  const level = random.of(model.levels)
  const names = ORDER.slice(0, ORDER.indexOf(level) + 1).flatMap((one) => KEYS[one])
  const identifier: DataSet = { QueryRetrieveLevel: level }
  for (let count = 1 + random.below(3); count > 0; count--) {
    const name = random.of(names)
    identifier[name] = randomKey(random, name)
  }
  if (random.chance(0.2)) Object.assign(identifier, { StudyDate: randomKey(random, 'StudyDate'), StudyTime: randomKey(random, 'StudyTime') })
  if (random.chance(0.3)) identifier['TimezoneOffsetFromUTC'] = random.of(['+0000', '+0900', '-0330'])
  const flag = (): boolean => random.chance(0.4)
  return {
    identifier,
    model,
    negotiated: {
      relationalQueries: true,
      dateTimeMatching: flag(),
      fuzzySemanticMatching: flag(),
      timezoneQueryAdjustment: flag(),
      enhancedMultiFrameImageConversion: false,
      emptyValueMatching: flag(),
      multipleValueMatching: flag(),
    },
  }
}

function randomKey(random: Random, name: string): unknown {
  switch (name) {
    case 'PatientName':
    case 'ReferringPhysicianName':
      return [nameOf(mutated(random, random.of(NAMES)))]
    case 'PatientBirthDate':
    case 'StudyDate':
      return ranged(random, random.of(DATES.slice(0, 7)), random.of(DATES.slice(0, 7)))
    case 'StudyTime':
      return ranged(random, random.of(TIMES.slice(0, 6)), random.of(TIMES.slice(0, 6)))
    case 'AcquisitionDateTime':
      return ranged(random, random.of(['20240101', '20231231', '20240101120000+0100']), random.of(['20240201', '2024']))
    case 'StudyInstanceUID':
      return random.chance(0.5) ? `1.2.${random.below(12)}` : [`1.2.${random.below(12)}`, `1.2.${random.below(12)}`, '1.2.99']
    case 'SeriesInstanceUID':
      return `1.3.${random.below(12)}.${random.below(3)}`
    case 'SOPInstanceUID':
      return `1.9.${random.below(80)}`
    case 'SOPClassUID':
    case 'SOPClassesInStudy':
      return random.of(['1.2.840.10008.5.1.4.1.1.1', ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.3'], '1.2'])
    case 'Modality':
    case 'ModalitiesInStudy':
      return random.of(['CT', 'C*', '?R', ['CT', 'US'], 'XX', '""'])
    case 'ProcedureCodeSequence':
      return [{ CodeValue: mutated(random, random.of(CODES)), CodeMeaning: random.chance(0.5) ? mutated(random, random.of(TEXTS)) : null }]
    case 'ImageType':
      return random.of(['ORIGINAL', ['DERIVED', 'AXIAL'], '*MARY', '""'])
    case 'SeriesNumber':
    case 'InstanceNumber':
    case 'NumberOfSeriesRelatedInstances':
    case 'NumberOfStudyRelatedSeries':
    case 'NumberOfPatientRelatedInstances':
      return random.of([random.below(10), `0${random.below(10)}`, ''])
    case 'PatientID':
    case 'AccessionNumber':
      return mutated(random, random.of(IDS))
    default:
      return mutated(random, random.of([...TEXTS, 'M', '""']))
  }
}

/** A value as it is, in part, with wildcards, in another case. */
function mutated(random: Random, text: string): string {
  switch (random.below(6)) {
    case 0:
      return `${text.slice(0, 1 + random.below(4))}*`
    case 1:
      return `*${text.slice(random.below(4))}`
    case 2:
      return text === '' ? '?' : `${text.slice(0, 1)}?${text.slice(2)}`
    case 3:
      return text.toLowerCase()
    default:
      return text
  }
}

function ranged(random: Random, first: string, second: string): string {
  const [from, to] = first <= second ? [first, second] : [second, first]
  return random.of([first, first, `${from}-${to}`, `${from}-`, `-${to}`, '""'])
}
