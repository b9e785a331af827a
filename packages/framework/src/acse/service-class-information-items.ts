import {
  CompositeInstanceRoot,
  CompositeInstanceWithoutBulkData,
  isStorageSopClass,
  ModalityWorklist,
  PatientRoot,
  PatientStudyOnly,
  QUERY_MODELS,
  RepositoryQuery,
  sopClassByUid,
  StudyRoot,
} from '../dataset/index.ts'
import type { ServiceClass } from '../dataset/index.ts'
import { DicomtapError } from '../errors/index.ts'
import type { SopClassExtended, UserItem } from '../pdu/user-items/types.ts'
import {
  decodeFindNegotiation,
  decodeRetrieveNegotiation,
  decodeStorageNegotiation,
  decodeWorklistNegotiation,
  encodeFindNegotiation,
  encodeRetrieveNegotiation,
  encodeStorageNegotiation,
  encodeWorklistNegotiation,
} from './service-class-information.ts'
import type { FindNegotiation, RetrieveNegotiation, StorageNegotiation, WorklistNegotiation } from './service-class-information.ts'
import { sopClassExtendedOf } from './user-information.ts'

/** What the bytes of an extended negotiation item say, by the kind that PS3.4 defines for its SOP class. */
export type ExtendedNegotiation =
  | ({ readonly kind: 'find' } & FindNegotiation)
  | ({ readonly kind: 'worklist' } & WorklistNegotiation)
  | ({ readonly kind: 'retrieve' } & RetrieveNegotiation)
  | ({ readonly kind: 'storage' } & StorageNegotiation)
type Kind = ExtendedNegotiation['kind']

const FIND: ReadonlySet<string> = new Set([PatientRoot.Find, StudyRoot.Find, PatientStudyOnly.Find, RepositoryQuery.Find])
const COMPOSITE_INSTANCES: ReadonlySet<string> = new Set([
  CompositeInstanceRoot.Move,
  CompositeInstanceRoot.Get,
  CompositeInstanceWithoutBulkData.Get,
])
const RETRIEVE: ReadonlySet<string> = new Set([
  ...[PatientRoot, StudyRoot, PatientStudyOnly].flatMap(({ Move, Get }) => [Move, Get]),
  ...COMPOSITE_INSTANCES,
])

/** Service classes that say "as in K.5": PS3.4 CC.3, U.5, X.5, BB.5, HH.5, II.5, JJ.5. */
const AS_WORKLIST: ReadonlySet<ServiceClass> = new Set<ServiceClass>([
  'hanging-protocol',
  'color-palette',
  'implant-template',
  'defined-procedure',
  'protocol-approval',
  'inventory',
])
const WORKLIST: ReadonlySet<string> = new Set([
  ModalityWorklist.Find,
  ...Object.values(QUERY_MODELS).flatMap(({ Find }) => {
    const service = Find === undefined ? undefined : sopClassByUid(Find)?.service
    return Find !== undefined && service !== undefined && AS_WORKLIST.has(service) ? [Find] : []
  }),
])

function kindOf(sopClassUid: string): Kind | undefined {
  if (FIND.has(sopClassUid)) return 'find'
  if (RETRIEVE.has(sopClassUid)) return 'retrieve'
  if (isStorageSopClass(sopClassUid)) return 'storage'
  const isWorklist = WORKLIST.has(sopClassUid) || sopClassByUid(sopClassUid)?.service === 'unified-procedure-step'
  return isWorklist ? 'worklist' : undefined
}

function itemOf(sopClassUid: string, serviceClassApplicationInformation: Uint8Array): SopClassExtended {
  return { type: 0x56, sopClassUid, serviceClassApplicationInformation }
}

/** The kind of a SOP class that must be one of `kinds`, so that no bytes are sent that mean something else there. */
function kindAmong(sopClassUid: string, kinds: readonly Kind[], what: string): Kind {
  const kind = kindOf(sopClassUid)
  if (kind !== undefined && kinds.includes(kind)) return kind
  const name = sopClassByUid(sopClassUid)?.name ?? sopClassUid
  throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', `The standard defines no extended negotiation of ${what} for ${name} (PS3.7 D.3.3.5)`)
}

/**
 * An item for `sopClassExtended`: how queries are meant (PS3.4 C.5.1.1, K.5.1). For a worklist only what
 * {@link WorklistNegotiation} has is sent.
 *
 * @throws DICOMTAP_ERR_ACSE_REQUEST when the SOP class is not for C-FIND, or has no such negotiation
 *
 * @example
 * await ae.associate({ host, port, contexts, sopClassExtended: [queryNegotiation(StudyRoot.Find, { relationalQueries: true })] })
 */
export function queryNegotiation(sopClassUid: string, options: Partial<FindNegotiation>): SopClassExtended {
  const kind = kindAmong(sopClassUid, ['find', 'worklist'], 'queries')
  return itemOf(sopClassUid, kind === 'find' ? encodeFindNegotiation(options) : encodeWorklistNegotiation(options))
}

/**
 * An item for `sopClassExtended`: how retrievals are meant (PS3.4 C.5.2.1, C.5.3.1, Y.5.1.1).
 *
 * @throws DICOMTAP_ERR_ACSE_REQUEST when the SOP class is not for C-MOVE or C-GET, or has no such negotiation
 */
export function retrieveNegotiation(sopClassUid: string, options: Partial<RetrieveNegotiation>): SopClassExtended {
  kindAmong(sopClassUid, ['retrieve'], 'retrievals')
  return itemOf(sopClassUid, encodeRetrieveNegotiation(applicable(sopClassUid, options)))
}

/**
 * An item for `sopClassExtended`: what this side is as storage SCP (PS3.4 B.3.1), in either role.
 *
 * @throws DICOMTAP_ERR_ACSE_REQUEST when it is not a storage SOP class; see {@link registerSopClass}
 */
export function storageNegotiation(sopClassUid: string, options: Partial<StorageNegotiation>): SopClassExtended {
  kindAmong(sopClassUid, ['storage'], 'storage')
  return itemOf(sopClassUid, encodeStorageNegotiation(options))
}

/** PS3.4 Y.5.1.1: relational retrieval is not applicable, its byte is 0. */
function applicable(sopClassUid: string, options: Partial<RetrieveNegotiation>): Partial<RetrieveNegotiation> {
  return COMPOSITE_INSTANCES.has(sopClassUid) ? { ...options, relationalRetrieval: false } : options
}

/** What an item says, with names; undefined for a SOP class whose bytes the standard does not define. */
export function decodeExtendedNegotiation(item: Omit<SopClassExtended, 'type'>): ExtendedNegotiation | undefined {
  const bytes = item.serviceClassApplicationInformation
  const kind = kindOf(item.sopClassUid)
  switch (kind) {
    case 'find':
      return { kind, ...decodeFindNegotiation(bytes) }
    case 'worklist':
      return { kind, ...decodeWorklistNegotiation(bytes) }
    case 'retrieve':
      return { kind, ...decodeRetrieveNegotiation(bytes) }
    case 'storage':
      return { kind, ...decodeStorageNegotiation(bytes) }
    case undefined:
      return undefined
  }
}

/**
 * What an A-ASSOCIATE-RQ or -AC says of one SOP class. Undefined when it says nothing, and then the defaults of
 * the service class hold: nothing is supported.
 *
 * @example
 * const answer = extendedNegotiationOf(association.accept?.userInformation ?? [], StudyRoot.Find)
 * if (answer?.kind === 'find' && answer.fuzzySemanticMatching) ...
 */
export function extendedNegotiationOf(userInformation: readonly UserItem[], sopClassUid: string): ExtendedNegotiation | undefined {
  const item = sopClassExtendedOf(userInformation).find((one) => one.sopClassUid === sopClassUid)
  return item === undefined ? undefined : decodeExtendedNegotiation(item)
}

/** What this side supports, for {@link answerExtendedNegotiation}. */
export type SupportedNegotiation = Partial<FindNegotiation & RetrieveNegotiation & StorageNegotiation>

/**
 * The acceptor's item for one that was proposed, for handlers of `sopClassExtended`: of queries and retrievals
 * each option is granted that was proposed and is supported, in no more bytes than were proposed, since older
 * systems know only the first (PS3.4 C.5.1.1). Of storage it says what this side is, whatever was proposed.
 * Undefined for a SOP class whose bytes the standard does not define: no answer.
 *
 * @example
 * api.hooks.sopClassExtended.tap((proposals) =>
 *   proposals.flatMap((proposal) => answerExtendedNegotiation(proposal, { relationalQueries: true }) ?? []))
 */
export function answerExtendedNegotiation(
  proposal: Omit<SopClassExtended, 'type'>,
  supported: SupportedNegotiation,
): SopClassExtended | undefined {
  const { sopClassUid, serviceClassApplicationInformation: proposed } = proposal
  const kind = kindOf(sopClassUid)
  switch (kind) {
    case 'find':
      return itemOf(sopClassUid, granted(proposed, encodeFindNegotiation(supported), 1))
    case 'retrieve':
      return itemOf(sopClassUid, granted(proposed, encodeRetrieveNegotiation(applicable(sopClassUid, supported)), 1))
    case 'worklist':
      return itemOf(sopClassUid, granted(Uint8Array.of(1, 1, ...proposed.subarray(2, 4)), encodeWorklistNegotiation(supported), 3))
    case 'storage':
      return itemOf(sopClassUid, encodeStorageNegotiation(supported))
    case undefined:
      return undefined
  }
}

/** Byte by byte 1 where both are 1, without the zeros at the end of what is supported. */
function granted(proposed: Uint8Array, supported: Uint8Array, atLeast: number): Uint8Array {
  const length = Math.max(atLeast, Math.min(proposed.length, supported.length))
  return Uint8Array.from({ length }, (_, index) => (proposed[index] === 1 && supported[index] === 1 ? 1 : 0))
}
