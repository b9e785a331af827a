import type { PduReader } from '../reader.ts'
import type { PduWriter } from '../writer.ts'
import type { ScpScuRoleSelection } from './types.ts'

const SUPPORTED = 1

/** PS3.7 D.3.3.4. Only 1 proposes or accepts a role. */
export function decodeScpScuRoleSelection(fields: PduReader): ScpScuRoleSelection {
  const sopClassUid = fields.uid(fields.u16())
  const scuRole = fields.u8() === SUPPORTED
  const scpRole = fields.u8() === SUPPORTED
  fields.expectEnd()
  return { type: 0x54, sopClassUid, scuRole, scpRole }
}

export function encodeScpScuRoleSelection(writer: PduWriter, item: ScpScuRoleSelection): void {
  writer.item(item.type, () => {
    writer.uidWithLength(item.sopClassUid)
    writer.u8(item.scuRole ? SUPPORTED : 0)
    writer.u8(item.scpRole ? SUPPORTED : 0)
  })
}
