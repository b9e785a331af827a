import { filterUserItems, findUserItem } from '../pdu/user-items/find.ts'
import type {
  AsynchronousOperationsWindow,
  SopClassCommonExtended,
  SopClassExtended,
  UserIdentityRequest,
  UserItem,
} from '../pdu/user-items/types.ts'
import type { RoleSelection } from './types.ts'

/** Maximum Length Received (PS3.8 D.1); 0, no limit, when the item is absent. */
export function maximumLengthOf(items: readonly UserItem[]): number {
  return findUserItem(items, 0x51)?.maximumLengthReceived ?? 0
}

export function implementationClassUidOf(items: readonly UserItem[]): string | undefined {
  return findUserItem(items, 0x52)?.implementationClassUid
}

export function implementationVersionNameOf(items: readonly UserItem[]): string | undefined {
  return findUserItem(items, 0x55)?.implementationVersionName
}

export function asynchronousOperationsOf(items: readonly UserItem[]): AsynchronousOperationsWindow | undefined {
  return findUserItem(items, 0x53)
}

export function rolesOf(items: readonly UserItem[]): RoleSelection[] {
  return filterUserItems(items, 0x54).map(({ sopClassUid, scuRole, scpRole }) => ({ sopClassUid, scuRole, scpRole }))
}

export function sopClassExtendedOf(items: readonly UserItem[]): SopClassExtended[] {
  return filterUserItems(items, 0x56)
}

export function sopClassCommonExtendedOf(items: readonly UserItem[]): SopClassCommonExtended[] {
  return filterUserItems(items, 0x57)
}

export function userIdentityOf(items: readonly UserItem[]): UserIdentityRequest | undefined {
  return findUserItem(items, 0x58)
}

export function userIdentityResponseOf(items: readonly UserItem[]): Uint8Array | undefined {
  return findUserItem(items, 0x59)?.serverResponse
}
