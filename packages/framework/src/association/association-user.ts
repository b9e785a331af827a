import { implementationClassUidOf, implementationVersionNameOf, maximumLengthOf } from '../acse/user-information.ts'
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

/** One side, by the association PDU that it sent. */
export function userOf(aeTitle: string, userInformation: readonly UserItem[]): AssociationUser {
  return {
    aeTitle,
    maximumLength: maximumLengthOf(userInformation),
    implementationClassUid: implementationClassUidOf(userInformation),
    implementationVersionName: implementationVersionNameOf(userInformation),
    userInformation,
  }
}

/** The items with which this side describes itself, in either role (PS3.7 D.3.3.1, D.3.3.2). */
export function ownItems(settings: AssociationSettings): UserItem[] {
  const items: UserItem[] = [
    { type: 0x51, maximumLengthReceived: settings.limits.maximumPduBytes },
    { type: 0x52, implementationClassUid: settings.implementationClassUid },
  ]
  if (settings.implementationVersionName !== null) {
    items.push({ type: 0x55, implementationVersionName: settings.implementationVersionName })
  }
  return items
}
