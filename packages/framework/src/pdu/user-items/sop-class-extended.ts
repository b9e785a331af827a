import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { SopClassExtended } from './types.ts'

/** PS3.7 D.3.3.5: all that follows the UID is the service class's own. */
export function decodeSopClassExtended(fields: PduReader): SopClassExtended {
  const sopClassUid = fields.uid(fields.u16())
  return { type: 0x56, sopClassUid, serviceClassApplicationInformation: fields.copy(fields.remaining) }
}

export function encodeSopClassExtended(writer: PduWriter, item: SopClassExtended): void {
  writer.item(item.type, () => {
    writer.uidWithLength(item.sopClassUid)
    writer.raw(item.serviceClassApplicationInformation)
  })
}
