import { sopClassByUid } from '../dataset/index.ts'
import type { ServiceClass } from '../dataset/index.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'

/** UIDs of service classes: PS3.6 table A-1 names only these. */
export const ServiceClassUid = {
  Storage: '1.2.840.10008.4.2',
  UnifiedWorklistAndProcedureStep: '1.2.840.10008.5.1.4.34.6',
} as const

const SERVICE_CLASSES: ReadonlyMap<string, ServiceClass> = new Map([
  [ServiceClassUid.Storage, 'storage'],
  [ServiceClassUid.UnifiedWorklistAndProcedureStep, 'unified-procedure-step'],
])

/** The service class of a service class UID; undefined for those that PS3.6 does not name. */
export function serviceClassByUid(uid: string): ServiceClass | undefined {
  return SERVICE_CLASSES.get(uid)
}

/**
 * An item for `sopClassCommonExtended` (PS3.7 D.3.3.6): tells the acceptor which service a SOP class belongs to
 * and of which classes it is a specialization, so that it can be stored by one that does not know it.
 *
 * @example
 * sopClassCommonExtended: [
 *   commonExtendedNegotiation({ sopClassUid: acmeEnhancedMr, relatedGeneralSopClassUids: [SopClass.EnhancedMRImageStorage] }),
 * ]
 */
export function commonExtendedNegotiation(options: {
  readonly sopClassUid: string
  /** Default: the Storage Service Class, the only one that the standard defines this for (PS3.4 B.3.1). */
  readonly serviceClassUid?: string
  /** Of the same service class, nearest first. Default: none. */
  readonly relatedGeneralSopClassUids?: readonly string[]
}): SopClassCommonExtended {
  const { sopClassUid, serviceClassUid = ServiceClassUid.Storage, relatedGeneralSopClassUids = [] } = options
  return { type: 0x57, subItemVersion: 0, sopClassUid, serviceClassUid, relatedGeneralSopClassUids }
}

/**
 * The service class that handles a SOP class on an association: the registry's, else what an accepted SOP Class
 * Common Extended Negotiation item says, by its service class or by a related general SOP class that is known.
 *
 * @param accepted `association.acceptedCommonExtended`
 */
export function serviceClassOf(sopClassUid: string, accepted: readonly SopClassCommonExtended[] = []): ServiceClass | undefined {
  const known = sopClassByUid(sopClassUid)?.service
  const item = known === undefined ? accepted.find((one) => one.sopClassUid === sopClassUid) : undefined
  if (item === undefined) return known
  const related = item.relatedGeneralSopClassUids.map((uid) => sopClassByUid(uid)?.service)
  return serviceClassByUid(item.serviceClassUid) ?? related.find((service) => service !== undefined)
}
