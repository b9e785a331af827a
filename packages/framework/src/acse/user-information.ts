import type {
  AsynchronousOperationsWindow,
  KnownUserItem,
  SopClassCommonExtended,
  SopClassExtended,
  UserIdentityRequest,
  UserItem,
} from '../pdu/user-items/types.ts'
import type { RoleSelection } from './types.ts'

function itemsOf<Type extends KnownUserItem['type']>(items: readonly UserItem[], type: Type): Extract<KnownUserItem, { type: Type }>[] {
  return items.filter((item): item is Extract<KnownUserItem, { type: Type }> => item.type === type && !('unknown' in item))
}

/** Maximum Length Received (PS3.8 D.1); 0, no limit, when the item is absent. */
export function maximumLengthOf(items: readonly UserItem[]): number {
  return itemsOf(items, 0x51)[0]?.maximumLengthReceived ?? 0
}

export function implementationClassUidOf(items: readonly UserItem[]): string | undefined {
  return itemsOf(items, 0x52)[0]?.implementationClassUid
}

export function implementationVersionNameOf(items: readonly UserItem[]): string | undefined {
  return itemsOf(items, 0x55)[0]?.implementationVersionName
}

export function asynchronousOperationsOf(items: readonly UserItem[]): AsynchronousOperationsWindow | undefined {
  return itemsOf(items, 0x53)[0]
}

export function rolesOf(items: readonly UserItem[]): RoleSelection[] {
  return itemsOf(items, 0x54).map(({ sopClassUid, scuRole, scpRole }) => ({ sopClassUid, scuRole, scpRole }))
}

export function sopClassExtendedOf(items: readonly UserItem[]): SopClassExtended[] {
  return itemsOf(items, 0x56)
}

export function sopClassCommonExtendedOf(items: readonly UserItem[]): SopClassCommonExtended[] {
  return itemsOf(items, 0x57)
}

export function userIdentityOf(items: readonly UserItem[]): UserIdentityRequest | undefined {
  return itemsOf(items, 0x58)[0]
}

export function userIdentityResponseOf(items: readonly UserItem[]): Uint8Array | undefined {
  return itemsOf(items, 0x59)[0]?.serverResponse
}
