import type { PduReader } from './reader.ts'
import type { AAssociateRj } from './types.ts'
import { PduType } from './types.ts'
import type { PduWriter } from './writer.ts'

/** PS3.8 9.3.4 */
export function decodeAAssociateRj(fields: PduReader): AAssociateRj {
  fields.skip(1)
  const pdu: AAssociateRj = { type: 'A-ASSOCIATE-RJ', result: fields.u8(), source: fields.u8(), reason: fields.u8() }
  fields.expectEnd()
  return pdu
}

/** PS3.8 9.3.4 */
export function encodeAAssociateRj(writer: PduWriter, pdu: AAssociateRj): void {
  writer.pdu(PduType.AAssociateRj, () => {
    writer.zeros(1)
    writer.u8(pdu.result)
    writer.u8(pdu.source)
    writer.u8(pdu.reason)
  })
}
