import {
  asynchronousOperationsOf,
  implementationClassUidOf,
  implementationVersionNameOf,
  maximumLengthOf,
  rolesOf,
  sopClassCommonExtendedOf,
  sopClassExtendedOf,
  userIdentityOf,
} from '../acse/user-information.ts'
import type { OperationsWindow, RoleSelection } from '../acse/types.ts'
import type { SopClassCommonExtended, SopClassExtended, UserIdentityRequest, UserItem } from '../pdu/user-items/types.ts'
import type { AssociationSettings } from './settings.ts'

/** One side of an association, as it described itself in the negotiation: what it proposed, or answered. */
export interface AssociationUser {
  readonly aeTitle: string
  /** Largest P-DATA-TF it takes; 0: no limit. */
  readonly maximumLength: number
  readonly implementationClassUid: string | undefined
  readonly implementationVersionName: string | undefined
  /** The window that it proposed or answered, as the requestor sees it; what holds is `association.asynchronousOperations`. */
  readonly asynchronousOperations: OperationsWindow | undefined
  /** The roles that it proposed or answered; what came of them stands with each accepted context. */
  readonly roleSelection: readonly RoleSelection[]
  readonly sopClassExtended: readonly SopClassExtended[]
  /** Of the requestor; an acceptor has no such item to answer with (PS3.7 D.3.3.6). */
  readonly sopClassCommonExtended: readonly SopClassCommonExtended[]
  /**
   * Of the requestor: who its user is, and the secret that proves it. Do not log it; it does not show when the
   * association is printed. What the acceptor answered is `association.userIdentityResponse`.
   */
  readonly userIdentity: UserIdentityRequest | undefined
  /** Its user information items as they came, unknown ones and the secrets of a user identity included. */
  readonly userInformation: readonly UserItem[]
}

/** One side, by the association PDU that it sent. */
export function userOf(aeTitle: string, userInformation: readonly UserItem[]): AssociationUser {
  return new NegotiatedUser(aeTitle, userInformation)
}

/** Fields are what may be printed. The items, among which are secrets, are behind accessors, which are not. */
class NegotiatedUser implements AssociationUser {
  readonly aeTitle: string
  readonly maximumLength: number
  readonly implementationClassUid: string | undefined
  readonly implementationVersionName: string | undefined
  readonly #items: readonly UserItem[]

  constructor(aeTitle: string, items: readonly UserItem[]) {
    this.aeTitle = aeTitle
    this.maximumLength = maximumLengthOf(items)
    this.implementationClassUid = implementationClassUidOf(items)
    this.implementationVersionName = implementationVersionNameOf(items)
    this.#items = items
  }

  get asynchronousOperations(): OperationsWindow | undefined {
    const item = asynchronousOperationsOf(this.#items)
    return item && { invoked: item.maximumNumberOperationsInvoked, performed: item.maximumNumberOperationsPerformed }
  }
  get roleSelection(): readonly RoleSelection[] {
    return rolesOf(this.#items)
  }
  get sopClassExtended(): readonly SopClassExtended[] {
    return sopClassExtendedOf(this.#items)
  }
  get sopClassCommonExtended(): readonly SopClassCommonExtended[] {
    return sopClassCommonExtendedOf(this.#items)
  }
  get userIdentity(): UserIdentityRequest | undefined {
    return userIdentityOf(this.#items)
  }
  get userInformation(): readonly UserItem[] {
    return this.#items
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
