import type { PduItem } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { SopClassCommonExtended } from './types.ts'

/**
 * PS3.7 D.3.3.6. The byte that other items reserve is the sub-item version here; what follows the last
 * field is reserved for later versions and skipped.
 */
export function decodeSopClassCommonExtended({ secondByte, fields }: PduItem): SopClassCommonExtended {
  const sopClassUid = fields.uid(fields.u16())
  const serviceClassUid = fields.uid(fields.u16())
  const related = fields.sub(fields.u16())
  const relatedGeneralSopClassUids: string[] = []
  while (related.remaining > 0) {
    related.countItem()
    relatedGeneralSopClassUids.push(related.uid(related.u16()))
  }
  return { type: 0x57, subItemVersion: secondByte, sopClassUid, serviceClassUid, relatedGeneralSopClassUids }
}

export function encodeSopClassCommonExtended(writer: PduWriter, item: SopClassCommonExtended): void {
  const writeFields = (): void => {
    writer.uidWithLength(item.sopClassUid)
    writer.uidWithLength(item.serviceClassUid)
    writer.fieldsWithLength(() => {
      for (const uid of item.relatedGeneralSopClassUids) writer.uidWithLength(uid)
    })
  }
  writer.item(item.type, writeFields, item.subItemVersion)
}
