import type { ArchiveName, Deviation } from './compare.js'

/** A kind of difference; its title stands in docs/reference/query-retrieve.md, with the reason. */
export interface DeviationKind {
  readonly title: string
  readonly archives: readonly ArchiveName[]
  is(deviation: Deviation): boolean
}

const both = ['dcmqrscp', 'Orthanc'] as const
const NAME_KEY = /(PatientName|ReferringPhysicianName)=/
const COUNTS = /^(002012|00080061|00080062)/

/** What is known of the others. The first one that fits is it. */
export const DEVIATION_KINDS: readonly DeviationKind[] = [
  {
    title: 'Patient/Study Only',
    archives: ['Orthanc'],
    is: ({ query }) => query.startsWith('O '),
  },
  {
    title: 'Character set of answers',
    archives: ['Orthanc'],
    is: ({ what, of, expected }) => what === 'value' && ['00100010', '00080090', '00081030'].includes(of) && (/[^\0-\xff]/.test(expected) || expected === 'Müller^Uwe'),
  },
  {
    // SAME has two issuers, two patients have no ID, and DE-3 (its studies are 9.0 and 9.1) has changed her name.
    title: 'Who is a patient',
    archives: both,
    is: ({ what, of, expected, archive, level }) =>
      (level === 'PATIENT' && what !== 'value' && ['SAME', '', 'DE-3'].includes(of)) ||
      (what === 'missing' && /\.9\.[01]$/.test(of)) ||
      (what === 'value' && expected.startsWith('Müller-')) ||
      (archive === 'Orthanc' && what === 'value' && /^0020120[024]$/.test(of)),
  },
  {
    title: 'Keys that are not supported',
    archives: ['dcmqrscp'],
    is: ({ what, of, given, query }) =>
      (what === 'value' && given === '' && (COUNTS.test(of) || /^(00080016|0008103e|00180015|0040024[45]|00700080|00081032|00400275)$/.test(of))) ||
      (what === 'extra' && /(ModalitiesInStudy|SeriesDescription|BodyPartExamined|PerformedProcedureStepStartDate|Sequence)=/.test(query)),
  },
  {
    title: 'Keys in sequences',
    archives: ['Orthanc'],
    is: ({ what, query }) => query.includes('Sequence=[') && (what === 'extra' || what === 'value'),
  },
  {
    title: 'Japanese',
    archives: ['dcmqrscp'],
    is: ({ what, query }) => what === 'missing' && /yamada|JIS|Japanese|component group|second group|third group/.test(query),
  },
  {
    title: 'Names',
    archives: both,
    is: ({ what, query }) => what === 'missing' && NAME_KEY.test(query),
  },
  {
    title: 'Times and dates',
    archives: both,
    is: ({ query }) => /Study(Time|Date)=/.test(query),
  },
  {
    title: 'Numbers',
    archives: both,
    is: ({ what, query }) => what === 'missing' && query.includes('SeriesNumber='),
  },
  {
    title: 'Spaces and percent signs',
    archives: ['Orthanc'],
    is: ({ what, query }) => what === 'missing' && /PatientID=( |50\?)/.test(query),
  },
]

export function kindOf(deviation: Deviation): DeviationKind | undefined {
  return DEVIATION_KINDS.find((kind) => kind.archives.includes(deviation.archive) && kind.is(deviation))
}

export function inWords({ archive, query, what, of, expected, given }: Deviation): string {
  return `${archive}, ${query}: ${what} ${of}${what === 'value' ? ` ${expected} -> ${given}` : ''}`
}
