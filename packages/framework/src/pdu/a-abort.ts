import type { PduReader } from './reader.ts'
import type { AAbort } from './types.ts'
import { PduType } from './types.ts'
import type { PduWriter } from './writer.ts'

/** PS3.8 9.3.8 */
export function decodeAAbort(fields: PduReader): AAbort {
  fields.skip(2)
  const pdu: AAbort = { type: 'A-ABORT', source: fields.u8(), reason: fields.u8() }
  fields.expectEnd()
  return pdu
}

/** PS3.8 9.3.8 */
export function encodeAAbort(writer: PduWriter, pdu: AAbort): void {
  writer.pdu(PduType.AAbort, () => {
    writer.zeros(2)
    writer.u8(pdu.source)
    writer.u8(pdu.reason)
  })
}
