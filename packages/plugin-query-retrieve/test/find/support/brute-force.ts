import type { DataSet } from '@dicomtap/framework'
import type { ExecutionContext } from 'ava'
import type { InstanceIndex } from '../../../dist/database/instance-index.js'
import { answerOf } from '../../../dist/find/answer.js'
import { planFind } from '../../../dist/find/plan.js'
import { RowReader } from '../../../dist/find/row-attributes.js'
import { rowMatches } from '../../../dist/find/row-matches.js'
import { parseIdentifier } from '../../../dist/identifier/parse-identifier.js'
import { matchesTexts } from '../../../dist/matching/match-texts.js'
import { matches } from '../../../dist/matching/matches.js'
import { localOffset } from '../../../dist/matching/moments.js'
import { describeInstance } from '../../../dist/model/describe-instance.js'
import { attributesOf } from '../../../dist/model/stored-attributes.js'
import type { IndexedInstance } from '../../../dist/model/instance.js'
import type { Query } from '../../../dist/model/query.js'
import { normalizeValue } from '../../../dist/text/values.js'
import { catalogue } from './queries.js'
import { Random, randomInstance, randomQuery } from './random.js'

const TIMEZONE = '+0200'

/** Puts instances of a small world into an index, in turn; and gives them as the index took them. */
export async function fill(index: InstanceIndex, seed: number, count: number): Promise<readonly IndexedInstance[]> {
  const random = new Random(seed)
  const instances: IndexedInstance[] = []
  for (let number = 0; number < count; number++) {
    const file = { path: `${number}.dcm`, sizeBytes: 1, storedAtMs: number, transferSyntaxUid: '1.2.840.10008.1.2.1' }
    const instance = describeInstance(randomInstance(random, number), file, catalogue)
    if (instance === undefined) throw new Error('The instance has no UIDs')
    instances.push(instance)
    await index.add(instance)
  }
  return instances
}

/** Random queries, answered by the index, and by looking at every instance. */
export async function compareWithBruteForce(t: ExecutionContext, index: InstanceIndex, instances: readonly IndexedInstance[], seed: number, count: number): Promise<void> {
  const random = new Random(seed)
  let found = 0
  for (let number = 0; number < count; number++) {
    const { identifier, model, negotiated } = randomQuery(random)
    let query: Query
    try {
      query = parseIdentifier(identifier, { model, attributes: catalogue, negotiated, relational: true })
    } catch (error) {
      t.is((error as { code?: unknown }).code, 'DICOMTAP_ERR_DIMSE_STATUS', JSON.stringify(identifier))
      continue
    }
    const expected = bruteForce(query, instances)
    found += expected.length
    t.deepEqual(await fromIndex(query, index), expected, JSON.stringify({ identifier, negotiated }))
  }
  // Queries that find nothing would agree about anything.
  t.true(found > count, `${found} matches`)
}

/** What identifies the rows of a query: a list of the keys of patients, or of UIDs. */
async function fromIndex(query: Query, index: InstanceIndex): Promise<readonly string[]> {
  const returned = catalogue.all.filter((one) => IDENTITY.has(one.name))
  const whole = { ...query, returned: [...query.returned, ...returned] }
  const plan = planFind(whole, index)
  const reader = new RowReader()
  const identities: string[] = []
  for await (const row of index.rows(plan.query)) {
    const stored = reader.read(row)
    if (!rowMatches(stored, plan.undecided, query, localOffset(TIMEZONE))) continue
    answerOf(row, stored, query, { retrieveAeTitle: 'A', timezone: localOffset(TIMEZONE), privateCreators: {} })
    const patient = stored.of('PATIENT')
    identities.push(identityOf(query, patient, row['StudyInstanceUID'], row['SeriesInstanceUID'], row['SOPInstanceUID']))
  }
  return identities.sort()
}

const IDENTITY: ReadonlySet<string> = new Set(['PatientID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'])

function identityOf(query: Query, patient: DataSet, study: unknown, series: unknown, instance: unknown): string {
  switch (query.level) {
    case 'PATIENT':
      return JSON.stringify(patient)
    case 'STUDY':
      return String(study)
    case 'SERIES':
      return String(series)
    case 'IMAGE':
      return String(instance)
  }
}

function bruteForce(query: Query, instances: readonly IndexedInstance[]): readonly string[] {
  const last = <K extends keyof IndexedInstance>(name: K, part: 'patient' | 'study' | 'series'): Map<IndexedInstance[K], DataSet> =>
    new Map(instances.map((instance) => [instance[name], attributesOf(instance[part].attributes)]))
  const [patients, studies, series] = [last('patientKey', 'patient'), last('studyInstanceUid', 'study'), last('seriesInstanceUid', 'series')]
  const entities = new Map<string, string>()
  for (const instance of instances) {
    const levels = {
      patient: patients.get(instance.patientKey),
      study: studies.get(instance.studyInstanceUid),
      series: series.get(instance.seriesInstanceUid),
      instance: attributesOf(instance.instance.attributes),
    }
    const ofLevel = { PATIENT: 1, STUDY: 2, SERIES: 3, IMAGE: 4 }[query.level]
    const key = [instance.patientKey, instance.studyInstanceUid, instance.seriesInstanceUid, instance.sopInstanceUid].slice(0, ofLevel).join('|')
    if (entities.has(key)) continue
    if (!matches(query, levels, localOffset(TIMEZONE)) || !matchesDerived(query, instance, instances)) continue
    entities.set(key, identityOf(query, levels.patient ?? {}, instance.studyInstanceUid, instance.seriesInstanceUid, instance.sopInstanceUid))
  }
  return [...entities.values()].sort()
}

/** Computed from the instances anew. */
function matchesDerived(query: Query, of: IndexedInstance, instances: readonly IndexedInstance[]): boolean {
  const ofPatient = instances.filter((one) => one.patientKey === of.patientKey)
  const ofStudy = instances.filter((one) => one.studyInstanceUid === of.studyInstanceUid)
  const ofSeries = ofStudy.filter((one) => one.seriesInstanceUid === of.seriesInstanceUid)
  const different = (values: readonly (string | undefined)[]): readonly string[] => [...new Set(values)].filter((value) => value !== undefined && value !== '') as string[]
  const values: Readonly<Record<string, () => readonly string[]>> = {
    ModalitiesInStudy: () => different(ofStudy.map((one) => one.series.columns['modality'])),
    SOPClassesInStudy: () => different(ofStudy.map((one) => one.sopClassUid)),
    NumberOfPatientRelatedInstances: () => [String(ofPatient.length)],
    NumberOfStudyRelatedSeries: () => [String(different(ofStudy.map((one) => one.seriesInstanceUid)).length)],
    NumberOfSeriesRelatedInstances: () => [String(ofSeries.length)],
  }
  return query.derivedKeys.every(({ name, matching }) => matchesTexts(matching, (values[name]?.() ?? []).map((value) => normalizeValue('CS', value))))
}
