import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { objectElements, SOP_CLASSES } from './objects.ts'
import type { Element, EncodingName, Item } from './part10.ts'
import { ENCODINGS, part10 } from './part10.ts'
import type { PatientPlan, SeriesPlan, StudyPlan } from './patients.ts'
import { patientPlans } from './patients.ts'

export interface CorpusOptions {
  /** The same corpus for the same seed. */
  readonly seed?: number
  readonly ordinaryPatients?: number
  /** Instances of the largest study; below 10 there is none. */
  readonly largestStudy?: number
}

export interface CorpusFile {
  readonly path: string
  readonly encoding: EncodingName
  readonly sopClassUid: string
  readonly sopInstanceUid: string
}

/**
 * Writes the corpus: patients with names in many character sets, studies of one to thousands of instances, missing
 * attributes, sequences, and several transfer syntaxes, a folder for each of these.
 * @returns the files in the order in which they are to be stored: by transfer syntax, then by name
 */
export async function writeCorpus(folder: string, { seed = 1, ordinaryPatients = 40, largestStudy = 2000 }: CorpusOptions = {}): Promise<CorpusFile[]> {
  const files: CorpusFile[] = []
  for (const encoding of Object.keys(ENCODINGS)) await mkdir(join(folder, encoding), { recursive: true })
  for (const [patientIndex, patient] of patientPlans(seed, ordinaryPatients, largestStudy).entries()) {
    for (const { elements, encoding, sopClassUid, sopInstanceUid } of instancesOf(patient, patientIndex, seed)) {
      const path = join(folder, encoding, `${String(files.length).padStart(5, '0')}.dcm`)
      await writeFile(path, part10(elements, ENCODINGS[encoding]))
      files.push({ path, encoding, sopClassUid, sopInstanceUid })
    }
  }
  const names = Object.keys(ENCODINGS)
  return files.toSorted((a, b) => names.indexOf(a.encoding) - names.indexOf(b.encoding) || (a.path < b.path ? -1 : 1))
}

type Instance = Omit<CorpusFile, 'path'> & { readonly elements: Item }

function* instancesOf(patient: PatientPlan, patientIndex: number, seed: number): Generator<Instance> {
  for (const [studyIndex, study] of patient.studies.entries()) {
    const studyUid = `2.25.59${seed}.${patientIndex}.${studyIndex}`
    for (const [seriesIndex, series] of study.series.entries()) {
      const seriesUid = `${studyUid}.${seriesIndex + 1}`
      for (let number = 1; number <= series.count; number++) {
        const sopInstanceUid = `${seriesUid}.${number}`
        const encoding = series.encoding ?? (patientIndex % 7 === 3 ? 'implicit' : 'explicit')
        const elements = [
          ...patientElements(patient, study),
          ...studyElements(study, studyUid, studyIndex),
          ...seriesElements(series, seriesUid, seriesIndex),
          ['00080016', 'UI', SOP_CLASSES[series.kind]],
          ['00080018', 'UI', sopInstanceUid],
          ['00200013', 'IS', String(number)],
          ...objectElements(series.kind, ENCODINGS[encoding], seed + patientIndex * 1000 + number),
        ] as const satisfies Item
        yield { elements: withoutRepeats(elements), encoding, sopClassUid: SOP_CLASSES[series.kind], sopInstanceUid }
      }
    }
  }
}

function patientElements({ id, issuer, name, birthDate, sex, elements = [] }: PatientPlan, study: StudyPlan): Item {
  return [
    ...given('00080005', 'CS', typeof name === 'string' ? undefined : name.characterSet),
    ['00100010', 'PN', typeof name === 'string' ? name : name.bytes],
    ...given('00100020', 'LO', id),
    ...given('00100021', 'LO', issuer),
    ...given('00100030', 'DA', birthDate),
    ...given('00100040', 'CS', sex),
    ...elements,
    ...(study.patient ?? []),
  ]
}

function studyElements({ date, time, accession, elements = [] }: StudyPlan, uid: string, index: number): Item {
  return [
    ['0020000d', 'UI', uid],
    ...given('00080020', 'DA', date),
    ...given('00080030', 'TM', time),
    ...given('00080050', 'SH', accession),
    ['00200010', 'SH', `ID${index + 1}`],
    ...elements,
  ]
}

function seriesElements(plan: SeriesPlan, uid: string, index: number): Item {
  return [
    ['0020000e', 'UI', uid],
    ...given('00080060', 'CS', 'modality' in plan ? plan.modality : plan.kind),
    ...given('00200011', 'IS', 'number' in plan ? plan.number : String(index + 1)),
    ...(plan.elements ?? []),
  ]
}

function given(tag: string, vr: string, value: string | undefined): Element[] {
  return value === undefined ? [] : [[tag, vr, value]]
}

/** The last of those with the same tag. */
function withoutRepeats(elements: Item): Item {
  return [...new Map(elements.map((element) => [element[0], element])).values()]
}
