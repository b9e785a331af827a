import { ItemType } from './item-types.ts'
import type { AssociateLimits } from './limits.ts'
import { AE_TITLE_BYTES } from './limits.ts'
import type { PduItem, PduReader } from './reader.ts'
import { decodeUserInformation } from './user-items/decode.ts'
import { encodeUserItem } from './user-items/encode.ts'
import type { UserItem } from './user-items/types.ts'
import { failRepeatedItem } from './violations.ts'
import type { PduWriter } from './writer.ts'
import { failEncode } from './writer.ts'

/** The fields that A-ASSOCIATE-RQ and -AC share, at the same offsets (PS3.8 tables 9-11 and 9-17). */
export interface AAssociateFields {
  readonly protocolVersion: number
  readonly calledAeTitle: string
  readonly callingAeTitle: string
  readonly titlesAsSent?: Uint8Array
  readonly applicationContextName: string
  readonly userInformation: readonly UserItem[]
}

const RESERVED_AFTER_AE_TITLES = 32
/** Both AE titles and the reserved field behind them. */
const TITLE_FIELDS_BYTES = 2 * AE_TITLE_BYTES + RESERVED_AFTER_AE_TITLES

/**
 * Items may come in any order, and unrecognized ones are skipped (PS3.8 9.3.1). An application context that
 * is missing is empty and a user information that is missing has no items: ACSE decides what that means.
 */
export function decodeAAssociate(
  fields: PduReader,
  presentationContextItem: number,
  limits: AssociateLimits,
  decodePresentationContext: (item: PduItem) => void,
): AAssociateFields {
  const protocolVersion = fields.u16()
  fields.skip(2)
  const titles = fields.sub(TITLE_FIELDS_BYTES)
  const titlesAsSent = titles.peek(TITLE_FIELDS_BYTES)
  const calledAeTitle = titles.aeTitle()
  const callingAeTitle = titles.aeTitle()

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
        userInformation = decodeUserInformation(item.fields, limits.maximumUserItems)
        break
    }
  }
  return {
    protocolVersion,
    calledAeTitle,
    callingAeTitle,
    ...(isPlain(titlesAsSent, calledAeTitle, callingAeTitle) ? undefined : { titlesAsSent: new Uint8Array(titlesAsSent) }),
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
  if (fields.titlesAsSent === undefined) {
    writer.aeTitle(fields.calledAeTitle)
    writer.aeTitle(fields.callingAeTitle)
    writer.zeros(RESERVED_AFTER_AE_TITLES)
  } else {
    if (fields.titlesAsSent.length !== TITLE_FIELDS_BYTES) failEncode(`titlesAsSent has ${fields.titlesAsSent.length} bytes instead of ${TITLE_FIELDS_BYTES}`)
    writer.raw(fields.titlesAsSent)
  }
  writer.item(ItemType.ApplicationContext, () => writer.uid(fields.applicationContextName))
  encodePresentationContexts()
  writer.item(ItemType.UserInformation, () => {
    for (const item of fields.userInformation) encodeUserItem(writer, item)
  })
}

/** Are the fields what an encoder makes of the titles? */
function isPlain(bytes: Uint8Array, calledAeTitle: string, callingAeTitle: string): boolean {
  return (
    isPadded(bytes, 0, calledAeTitle) &&
    isPadded(bytes, AE_TITLE_BYTES, callingAeTitle) &&
    isZero(bytes, 2 * AE_TITLE_BYTES, TITLE_FIELDS_BYTES)
  )
}

function isPadded(bytes: Uint8Array, start: number, title: string): boolean {
  for (let index = 0; index < AE_TITLE_BYTES; index++) {
    const code = index < title.length ? title.charCodeAt(index) : 0x20
    if (bytes[start + index] !== code) return false
  }
  return true
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index] !== 0) return false
  return true
}
