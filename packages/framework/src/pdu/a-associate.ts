import { ItemType } from './item-types.ts'
import type { PduItem, PduReader } from './reader.ts'
import { decodeUserInformation } from './user-items/decode.ts'
import { encodeUserItem } from './user-items/encode.ts'
import type { UserItem } from './user-items/types.ts'
import { failRepeatedItem } from './violations.ts'
import type { PduWriter } from './writer.ts'

/** The fields that A-ASSOCIATE-RQ and -AC share, at the same offsets (PS3.8 tables 9-11 and 9-17). */
export interface AAssociateFields {
  readonly protocolVersion: number
  readonly calledAeTitle: string
  readonly callingAeTitle: string
  readonly applicationContextName: string
  readonly userInformation: readonly UserItem[]
}

const RESERVED_AFTER_AE_TITLES = 32

/**
 * Items may come in any order, and unrecognized ones are skipped (PS3.8 9.3.1). An application context that
 * is missing is empty and a user information that is missing has no items: ACSE decides what that means.
 */
export function decodeAAssociate(
  fields: PduReader,
  presentationContextItem: number,
  decodePresentationContext: (item: PduItem) => void,
): AAssociateFields {
  const protocolVersion = fields.u16()
  fields.skip(2)
  const calledAeTitle = fields.aeTitle()
  const callingAeTitle = fields.aeTitle()
  fields.skip(RESERVED_AFTER_AE_TITLES)

  let applicationContextName: string | undefined
  let userInformation: UserItem[] | undefined
  while (fields.remaining > 0) {
    const item = fields.item()
    switch (item.type) {
      case ItemType.ApplicationContext:
        if (applicationContextName !== undefined) failRepeatedItem(`${item.fields.name} occurs twice`)
        applicationContextName = item.fields.uid(item.fields.remaining)
        break
      case presentationContextItem:
        decodePresentationContext(item)
        break
      case ItemType.UserInformation:
        if (userInformation !== undefined) failRepeatedItem(`${item.fields.name} occurs twice`)
        userInformation = decodeUserInformation(item.fields)
        break
    }
  }
  return {
    protocolVersion,
    calledAeTitle,
    callingAeTitle,
    applicationContextName: applicationContextName ?? '',
    userInformation: userInformation ?? [],
  }
}

/** In increasing order of item types (PS3.8 9.3.2 and 9.3.3). */
export function encodeAAssociate(
  writer: PduWriter,
  fields: AAssociateFields,
  encodePresentationContexts: () => void,
): void {
  writer.u16(fields.protocolVersion)
  writer.zeros(2)
  writer.aeTitle(fields.calledAeTitle)
  writer.aeTitle(fields.callingAeTitle)
  writer.zeros(RESERVED_AFTER_AE_TITLES)
  writer.item(ItemType.ApplicationContext, () => writer.uid(fields.applicationContextName))
  encodePresentationContexts()
  writer.item(ItemType.UserInformation, () => {
    for (const item of fields.userInformation) encodeUserItem(writer, item)
  })
}
