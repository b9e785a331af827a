import type { PduItem, PduReader } from '../reader.ts'
import { failTooLarge } from '../violations.ts'
import { decodeAsynchronousOperationsWindow } from './asynchronous-operations-window.ts'
import { decodeImplementationClassUid } from './implementation-class-uid.ts'
import { decodeImplementationVersionName } from './implementation-version-name.ts'
import { UserItemType } from './item-types.ts'
import { decodeMaximumLength } from './maximum-length.ts'
import { decodeScpScuRoleSelection } from './scp-scu-role-selection.ts'
import { decodeSopClassCommonExtended } from './sop-class-common-extended.ts'
import { decodeSopClassExtended } from './sop-class-extended.ts'
import type { UserItem } from './types.ts'
import { decodeUserIdentityRequest, decodeUserIdentityResponse } from './user-identity.ts'

/** The sub-items of a user information item (PS3.8 9.3.2.3), in the order they came, repeated ones too. */
export function decodeUserInformation(fields: PduReader, maximumItems: number): UserItem[] {
  const items: UserItem[] = []
  while (fields.remaining > 0) {
    if (items.length === maximumItems) failTooLarge(`${fields.name} has more than ${maximumItems} sub-items`)
    items.push(decodeUserItem(fields.item()))
  }
  return items
}

function decodeUserItem(item: PduItem): UserItem {
  switch (item.type) {
    case UserItemType.MaximumLength:
      return decodeMaximumLength(item.fields)
    case UserItemType.ImplementationClassUid:
      return decodeImplementationClassUid(item.fields)
    case UserItemType.AsynchronousOperationsWindow:
      return decodeAsynchronousOperationsWindow(item.fields)
    case UserItemType.ScpScuRoleSelection:
      return decodeScpScuRoleSelection(item.fields)
    case UserItemType.ImplementationVersionName:
      return decodeImplementationVersionName(item.fields)
    case UserItemType.SopClassExtended:
      return decodeSopClassExtended(item.fields)
    case UserItemType.SopClassCommonExtended:
      return decodeSopClassCommonExtended(item)
    case UserItemType.UserIdentityRequest:
      return decodeUserIdentityRequest(item.fields)
    case UserItemType.UserIdentityResponse:
      return decodeUserIdentityResponse(item.fields)
    default:
      return { type: item.type, unknown: true, data: item.fields.copy(item.fields.remaining) }
  }
}
