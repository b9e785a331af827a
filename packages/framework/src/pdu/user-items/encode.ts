import type { PduWriter } from '../writer.ts'
import { encodeAsynchronousOperationsWindow } from './asynchronous-operations-window.ts'
import { encodeImplementationClassUid } from './implementation-class-uid.ts'
import { encodeImplementationVersionName } from './implementation-version-name.ts'
import { isKnownUserItem } from './find.ts'
import { UserItemType } from './item-types.ts'
import { encodeMaximumLength } from './maximum-length.ts'
import { encodeScpScuRoleSelection } from './scp-scu-role-selection.ts'
import { encodeSopClassCommonExtended } from './sop-class-common-extended.ts'
import { encodeSopClassExtended } from './sop-class-extended.ts'
import type { UserItem } from './types.ts'
import { encodeUserIdentityRequest, encodeUserIdentityResponse } from './user-identity.ts'

/** One sub-item of the user information item (PS3.8 9.3.2.3). */
export function encodeUserItem(writer: PduWriter, item: UserItem): void {
  if (!isKnownUserItem(item)) {
    writer.item(item.type, () => writer.raw(item.data))
    return
  }
  switch (item.type) {
    case UserItemType.MaximumLength:
      return encodeMaximumLength(writer, item)
    case UserItemType.ImplementationClassUid:
      return encodeImplementationClassUid(writer, item)
    case UserItemType.AsynchronousOperationsWindow:
      return encodeAsynchronousOperationsWindow(writer, item)
    case UserItemType.ScpScuRoleSelection:
      return encodeScpScuRoleSelection(writer, item)
    case UserItemType.ImplementationVersionName:
      return encodeImplementationVersionName(writer, item)
    case UserItemType.SopClassExtended:
      return encodeSopClassExtended(writer, item)
    case UserItemType.SopClassCommonExtended:
      return encodeSopClassCommonExtended(writer, item)
    case UserItemType.UserIdentityRequest:
      return encodeUserIdentityRequest(writer, item)
    case UserItemType.UserIdentityResponse:
      return encodeUserIdentityResponse(writer, item)
  }
}
