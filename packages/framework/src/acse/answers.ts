import { DicomtapError } from '../errors/index.ts'
import type { UserIdentityAnswer } from '../hooks/types.ts'
import { encodeUserItem } from '../pdu/user-items/encode.ts'
import type { KnownUserItem, UserItem } from '../pdu/user-items/types.ts'
import { PduWriter } from '../pdu/writer.ts'
import { isRejection } from './rejections.ts'
import type { RoleSelection } from './types.ts'

/** Why an answer of a negotiation handler cannot be used; nothing of it may reach the wire. */
function unusable(hook: string, must: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', `A handler of ${hook} must answer ${must}`)
}

function isEncodable(item: UserItem): boolean {
  try {
    encodeUserItem(new PduWriter(), item)
    return true
  } catch {
    return false
  }
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedIdentityAnswer(answer: UserIdentityAnswer): UserIdentityAnswer {
  const { verified, response, rejection } = answer
  if (typeof verified !== 'boolean') throw unusable('userIdentity', '{ verified: true or false }')
  if (rejection !== undefined && !isRejection(rejection)) throw unusable('userIdentity', 'a rejection of PS3.8 table 9-21')
  if (response !== undefined && !(response instanceof Uint8Array && isEncodable({ type: 0x59, serverResponse: response }))) {
    throw unusable('userIdentity', 'a response of at most 65533 bytes')
  }
  return answer
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedWindow(answer: { readonly invoked: number; readonly performed: number }): { invoked: number; performed: number } {
  const { invoked, performed } = answer
  const item = { type: 0x53, maximumNumberOperationsInvoked: invoked, maximumNumberOperationsPerformed: performed } as const
  if (!isEncodable(item)) throw unusable('asyncOperations', '{ invoked, performed } of 0 to 65535')
  return { invoked, performed }
}

/** A list of items of one type that can be encoded. @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedItems<Type extends KnownUserItem['type']>(
  hook: string,
  type: Type,
  answer: readonly Extract<KnownUserItem, { type: Type }>[],
): readonly Extract<KnownUserItem, { type: Type }>[] {
  const isFit = Array.isArray(answer) && answer.every((item: UserItem | null) => item?.type === type && hasBytes(item) && isEncodable(item))
  if (!isFit) throw unusable(hook, `a list of items of type 0x${type.toString(16)}`)
  return answer
}

function hasBytes(item: UserItem): boolean {
  return !('serviceClassApplicationInformation' in item) || item.serviceClassApplicationInformation instanceof Uint8Array
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedRoles(answer: readonly RoleSelection[]): readonly RoleSelection[] {
  const isFit =
    Array.isArray(answer) &&
    answer.every(
      (role: RoleSelection | null) =>
        typeof role?.sopClassUid === 'string' && typeof role.scuRole === 'boolean' && typeof role.scpRole === 'boolean',
    )
  if (!isFit) throw unusable('roleSelection', 'a list of { sopClassUid, scuRole, scpRole }')
  return answer
}
