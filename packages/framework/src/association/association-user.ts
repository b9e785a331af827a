import { implementationClassUidOf, implementationVersionNameOf, maximumLengthOf } from '../acse/user-information.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type { UserItem } from '../pdu/user-items/types.ts'
import type { AssociationSettings } from './settings.ts'

/** One side of an association, as it described itself in the negotiation. */
export interface AssociationUser {
  readonly aeTitle: string
  /** Largest P-DATA-TF it takes; 0: no limit. */
  readonly maximumLength: number
  readonly implementationClassUid: string | undefined
  readonly implementationVersionName: string | undefined
  /** Its user information items, unknown ones included. */
  readonly userInformation: readonly UserItem[]
}

/** The requestor, by its A-ASSOCIATE-RQ. */
export function requestorOf({ callingAeTitle, userInformation }: AAssociateRq): AssociationUser {
  return {
    aeTitle: callingAeTitle,
    maximumLength: maximumLengthOf(userInformation),
    implementationClassUid: implementationClassUidOf(userInformation),
    implementationVersionName: implementationVersionNameOf(userInformation),
    userInformation,
  }
}

/** The acceptor, as this side answers with `accept`. */
export function acceptorOf(accept: AAssociateAc, settings: AssociationSettings): AssociationUser {
  return {
    aeTitle: accept.calledAeTitle,
    maximumLength: settings.limits.maximumPduBytes,
    implementationClassUid: settings.implementationClassUid,
    implementationVersionName: settings.implementationVersionName ?? undefined,
    userInformation: accept.userInformation,
  }
}
