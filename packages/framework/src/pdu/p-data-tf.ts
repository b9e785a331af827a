import { PDU_HEADER_BYTES } from './limits.ts'
import { isPresentationContextId } from './presentation-context-ids.ts'
import type { PduReader } from './reader.ts'
import type { PDataTf, Pdv } from './types.ts'
import { PduType } from './types.ts'
import { failMalformed, failValue } from './violations.ts'
import type { PduWriter } from './writer.ts'
import { failEncode } from './writer.ts'

/** Bytes before the data of a P-DATA-TF with one PDV: PDU header and PDV header. */
export const P_DATA_TF_HEADER_BYTES = 12

/** Presentation context id and message control header: what a PDV's item length counts besides its data. */
const PDV_PREFIX_BYTES = 2
const IS_COMMAND = 1
const IS_LAST = 2

/**
 * Writes the 12 bytes before the data of a P-DATA-TF that carries one PDV (PS3.8 9.3.5 and annex E.2). The
 * data itself is the caller's to send, so that it need not be copied.
 */
export function writePDataTfHeader(
  target: Buffer,
  offset: number,
  presentationContextId: number,
  isCommand: boolean,
  isLast: boolean,
  dataLengthBytes: number,
): void {
  target[offset] = PduType.PDataTf
  target[offset + 1] = 0
  target.writeUInt32BE(dataLengthBytes + PDU_HEADER_BYTES, offset + 2)
  target.writeUInt32BE(dataLengthBytes + PDV_PREFIX_BYTES, offset + 6)
  target[offset + 10] = presentationContextId
  target[offset + 11] = messageControlHeader(isCommand, isLast)
}

/**
 * A whole P-DATA-TF at once: for tests and traces. The association's data flows through `PduFramer` instead.
 * The PDVs' data are views of the body.
 */
export function decodePDataTf(fields: PduReader): PDataTf {
  const pdvs: Pdv[] = []
  do pdvs.push(decodePdv(fields))
  while (fields.remaining > 0)
  return { type: 'P-DATA-TF', pdvs }
}

/** PS3.8 9.3.5 */
export function encodePDataTf(writer: PduWriter, pdu: PDataTf): void {
  if (pdu.pdvs.length === 0) failEncode('a P-DATA-TF has no PDV')
  writer.pdu(PduType.PDataTf, () => {
    for (const pdv of pdu.pdvs) {
      if (!isPresentationContextId(pdv.presentationContextId)) {
        failEncode(`presentation context id ${pdv.presentationContextId} is not an odd number up to 255`)
      }
      writer.u32(pdv.data.length + PDV_PREFIX_BYTES)
      writer.u8(pdv.presentationContextId)
      writer.u8(messageControlHeader(pdv.isCommand, pdv.isLast))
      writer.raw(pdv.data)
    }
  })
}

function decodePdv(fields: PduReader): Pdv {
  const length = fields.u32()
  if (length < PDV_PREFIX_BYTES) failMalformed(`A PDV item has a length of ${length}`)
  const presentationContextId = fields.u8()
  if (!isPresentationContextId(presentationContextId)) {
    failValue(`Presentation context id ${presentationContextId} is not odd`)
  }
  // PS3.8 E.2: the other bits are not tested.
  const control = fields.u8()
  const data = fields.view(length - PDV_PREFIX_BYTES)
  return {
    presentationContextId,
    isCommand: (control & IS_COMMAND) !== 0,
    isLast: (control & IS_LAST) !== 0,
    data,
  }
}

/** PS3.8 E.2 */
function messageControlHeader(isCommand: boolean, isLast: boolean): number {
  return (isCommand ? IS_COMMAND : 0) | (isLast ? IS_LAST : 0)
}
