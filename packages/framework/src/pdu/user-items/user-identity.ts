import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { UserIdentityRequest, UserIdentityResponse } from './types.ts'

/** PS3.7 D.3.3.7.1 */
export function decodeUserIdentityRequest(fields: PduReader): UserIdentityRequest {
  const userIdentityType = fields.u8()
  const positiveResponseRequested = fields.u8() === 1
  const primaryField = fields.copy(fields.u16())
  const secondaryField = fields.copy(fields.u16())
  fields.expectEnd()
  return { type: 0x58, userIdentityType, positiveResponseRequested, primaryField, secondaryField }
}

export function encodeUserIdentityRequest(writer: PduWriter, item: UserIdentityRequest): void {
  writer.item(item.type, () => {
    writer.u8(item.userIdentityType)
    writer.u8(item.positiveResponseRequested ? 1 : 0)
    writer.rawWithLength(item.primaryField)
    writer.rawWithLength(item.secondaryField)
  })
}

/** PS3.7 D.3.3.7.2 */
export function decodeUserIdentityResponse(fields: PduReader): UserIdentityResponse {
  const serverResponse = fields.copy(fields.u16())
  fields.expectEnd()
  return { type: 0x59, serverResponse }
}

export function encodeUserIdentityResponse(writer: PduWriter, item: UserIdentityResponse): void {
  writer.item(item.type, () => writer.rawWithLength(item.serverResponse))
}
