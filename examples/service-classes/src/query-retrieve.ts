/**
 * Query/Retrieve (PS3.4 C): a small archive in memory. What is stored to it can be queried, fetched with C-GET and
 * sent to others with C-MOVE, by patient root and study root.
 *
 * Queries are hierarchical: the unique keys of the levels above must be there (PS3.4 C.4.1.2.1), unless the peer
 * negotiated relational queries or retrievals (C.5.1.1), which this side grants. Keys that are not supported are
 * left out of the matches, which then come with FF01. Instances go out in the transfer syntax they came in.
 *
 * Answers to C-FIND: FF00, FF01, 0000, FE00; A900 no such level in the model, or a unique key is missing or has a
 * wildcard. To C-GET and C-MOVE: 0000, B000 when some instances could not be sent, A702 when none could; A801 the
 * destination is not configured; A900 as above. To C-STORE: 0000, A700, A900, C000.
 *
 * It does not do: several values in keys other than UIDs, Query/Retrieve views, composite instance roots.
 */
import {
  ALL_TRANSFER_SYNTAXES,
  DEFAULT_TRANSFER_SYNTAXES,
  PatientRoot,
  PatientStudyOnly,
  QueryStatus,
  Status,
  StatusError,
  StudyRoot,
  answerExtendedNegotiation,
  definePlugin,
  extendedNegotiationOf,
  storageSopClasses,
} from '@dicomtap/framework'
import type { DataSet, Operation } from '@dicomtap/framework'
import { z } from 'zod'
import { InstanceStore } from './shared/instance-store.ts'
import type { StoredInstance } from './shared/instance-store.ts'
import { loadMatching, supportedKeys, textsOf } from './shared/matching.ts'
import type { SupportedKeys } from './shared/matching.ts'

const options = z.strictObject({
  maximumBytes: z.int().min(1).default(256 * 1024 ** 2).describe('How much is kept in memory before C-STORE is answered with A700'),
  destinations: z
    .record(z.string(), z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) }))
    .default({})
    .describe('Where a C-MOVE may send to, by AE title'),
})

/** A level of an information model (PS3.4 C.6): its unique key and the others that are supported. */
interface Level {
  readonly name: string
  readonly uniqueKey: string
  readonly uniqueTag: number
  readonly keys: SupportedKeys
}

const PATIENT: Level = {
  name: 'PATIENT',
  uniqueKey: 'PatientID',
  uniqueTag: 0x0010_0020,
  keys: { PatientID: true, PatientName: true, PatientBirthDate: true, PatientSex: true, NumberOfPatientRelatedStudies: true },
}
const STUDY: Level = {
  name: 'STUDY',
  uniqueKey: 'StudyInstanceUID',
  uniqueTag: 0x0020_000d,
  keys: {
    StudyInstanceUID: true,
    StudyDate: true,
    StudyTime: true,
    AccessionNumber: true,
    StudyID: true,
    StudyDescription: true,
    ReferringPhysicianName: true,
    ModalitiesInStudy: true,
    NumberOfStudyRelatedSeries: true,
    NumberOfStudyRelatedInstances: true,
  },
}
const SERIES: Level = {
  name: 'SERIES',
  uniqueKey: 'SeriesInstanceUID',
  uniqueTag: 0x0020_000e,
  keys: { SeriesInstanceUID: true, Modality: true, SeriesNumber: true, SeriesDescription: true, NumberOfSeriesRelatedInstances: true },
}
const IMAGE: Level = {
  name: 'IMAGE',
  uniqueKey: 'SOPInstanceUID',
  uniqueTag: 0x0008_0018,
  keys: { SOPInstanceUID: true, SOPClassUID: true, InstanceNumber: true, Rows: true, Columns: true },
}
/** In the study root a patient's attributes are the study's (PS3.4 C.6.2.1). */
const STUDY_OF_PATIENT: Level = { ...STUDY, keys: { ...PATIENT.keys, ...STUDY.keys } }

const MODELS = [
  { model: PatientRoot, levels: [PATIENT, STUDY, SERIES, IMAGE] },
  { model: StudyRoot, levels: [STUDY_OF_PATIENT, SERIES, IMAGE] },
  { model: PatientStudyOnly, levels: [PATIENT, STUDY] },
] as const
const LEVELS: ReadonlyMap<string, readonly Level[]> = new Map(
  MODELS.flatMap(({ model, levels }) => [model.Find, model.Get, model.Move].map((uid) => [uid, levels] as const)),
)
const STORAGE = storageSopClasses({ includeRetired: true }).map(({ uid }) => uid)

export const queryRetrieve = definePlugin({
  name: 'example-query-retrieve',
  options,

  apply(api, { maximumBytes, destinations }) {
    const store = new InstanceStore(maximumBytes)
    const { aeTitle } = api.config

    for (const uid of LEVELS.keys()) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })
    // For C-GET this side is the SCU of storage on an association that the peer requested (PS3.4 C.5.3).
    for (const uid of STORAGE) {
      api.supportSopClass({ uid, transferSyntaxes: ALL_TRANSFER_SYNTAXES, roles: { scu: true, scp: true } })
    }
    api.hooks.sopClassExtended.tap((proposals) => {
      const ours = proposals.filter(({ sopClassUid }) => LEVELS.has(sopClassUid))
      if (ours.length === 0) return undefined
      return ours.flatMap((proposal) => answerExtendedNegotiation(proposal, { relationalQueries: true, relationalRetrieval: true }) ?? [])
    })

    api.hooks.cStore.tapPromise({ sopClasses: STORAGE }, async (request) => {
      await store.add(request)
      return Status.Success
    })

    // A generator: each match is made when the one before has left, and none any more after a C-CANCEL.
    api.hooks.cFind.tap({ sopClasses: MODELS.map(({ model }) => model.Find) }, async function* (request, operation) {
      const query = await request.identifier.dataset()
      const levels = levelsDownTo(query, operation)
      const level = levels.at(-1) as Level
      const isRelational = isNegotiated(operation)
      if (!isRelational) checkUniqueKeys(query, levels.slice(0, -1))
      // Relational: keys of the levels above are keys like others; else only their unique ones are.
      const above = levels.slice(0, -1).map(({ uniqueKey, keys }) => (isRelational ? keys : { [uniqueKey]: true as const }))
      const { keys, isAll } = supportedKeys(query, Object.assign({ InstanceAvailability: true }, ...above, level.keys) as SupportedKeys)
      const status = isAll ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
      const matching = await loadMatching()
      for (const entity of entitiesAt(level, store.list())) {
        if (!matching.matches(keys, entity)) continue
        const identifier = { ...matching.response(keys, entity), QueryRetrieveLevel: level.name, RetrieveAETitle: aeTitle }
        yield { identifier, status }
      }
    })

    const retrieve = async (identifier: Promise<DataSet>, operation: Operation) => {
      const query = await identifier
      const levels = levelsDownTo(query, operation)
      checkUniqueKeys(query, isNegotiated(operation) ? [] : levels.slice(0, -1))
      checkUniqueKeys(query, levels.slice(-1), Infinity)
      const wanted = levels.map(({ uniqueKey }) => [uniqueKey, new Set(textsOf(query[uniqueKey]))] as const).filter(([, uids]) => uids.size > 0)
      const instances = store
        .list()
        .filter(({ attributes }) => wanted.every(([uniqueKey, uids]) => textsOf(attributes[uniqueKey]).some((uid) => uids.has(uid))))
      return { instances, total: instances.length }
    }
    api.hooks.cGet.tapPromise({ sopClasses: MODELS.map(({ model }) => model.Get) }, ({ identifier }, operation) =>
      retrieve(identifier.dataset(), operation))
    api.hooks.cMove.tapPromise({ sopClasses: MODELS.map(({ model }) => model.Move) }, ({ identifier }, operation) =>
      retrieve(identifier.dataset(), operation))
    api.hooks.moveDestination.tap((title) => (Object.hasOwn(destinations, title) ? destinations[title] : undefined))
  },
})

/** The levels of the model, from its root to Query/Retrieve Level (0008,0052). */
function levelsDownTo(query: DataSet, { sopClassUid }: Operation): readonly Level[] {
  const levels = LEVELS.get(sopClassUid) ?? []
  const index = levels.findIndex(({ name }) => name === query['QueryRetrieveLevel'])
  if (index >= 0) return levels.slice(0, index + 1)
  throw new StatusError(QueryStatus.IdentifierMismatch, { errorComment: 'No such level in this model', offendingElements: [0x0008_0052] })
}

/** Unique keys select: they have a value each, or several where a list is allowed, and no wildcards (PS3.4 C.4.1.2.1). */
function checkUniqueKeys(query: DataSet, levels: readonly Level[], maximumValues = 1): void {
  for (const { uniqueKey, uniqueTag } of levels) {
    const values = textsOf(query[uniqueKey])
    if (values.length >= 1 && values.length <= maximumValues && !values.some((value) => /[*?]/.test(value))) continue
    throw new StatusError(QueryStatus.IdentifierMismatch, { errorComment: `${uniqueKey} must have a value`, offendingElements: [uniqueTag] })
  }
}

function isNegotiated({ association, sopClassUid }: Operation): boolean {
  const { accept } = association
  const answer = extendedNegotiationOf(accept?.userInformation ?? [], sopClassUid)
  return (answer?.kind === 'find' && answer.relationalQueries) || (answer?.kind === 'retrieve' && answer.relationalRetrieval)
}

/** The patients, studies, series or images that the instances belong to, with what is counted below them. */
function entitiesAt({ uniqueKey }: Level, instances: readonly StoredInstance[]): DataSet[] {
  const groups = new Map<string, DataSet[]>()
  for (const { attributes } of instances) {
    const [key = ''] = textsOf(attributes[uniqueKey])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [attributes])
    else group.push(attributes)
  }
  return [...groups.values()].map((members) => {
    const distinct = (keyword: string): string[] => [...new Set(members.flatMap((member) => textsOf(member[keyword])))]
    return {
      ...members[0],
      InstanceAvailability: 'ONLINE',
      ModalitiesInStudy: distinct('Modality'),
      NumberOfPatientRelatedStudies: distinct('StudyInstanceUID').length,
      NumberOfStudyRelatedSeries: distinct('SeriesInstanceUID').length,
      NumberOfStudyRelatedInstances: members.length,
      NumberOfSeriesRelatedInstances: members.length,
    }
  })
}
