import { encodeAAbort } from './a-abort.ts'
import { encodeAAssociateAc } from './a-associate-ac.ts'
import { encodeAAssociateRj } from './a-associate-rj.ts'
import { encodeAAssociateRq } from './a-associate-rq.ts'
import { encodeARelease } from './a-release.ts'
import { encodePDataTf } from './p-data-tf.ts'
import type { Pdu } from './types.ts'
import { PduWriter } from './writer.ts'

/** Where PDUs are put together. Undefined while one is, or when one failed. */
let memory: Buffer | undefined
const MEMORY_BYTES = 4_096

/**
 * The bytes of a PDU, header included (PS3.8 9.3). Reserved fields are 0.
 *
 * @throws DicomtapError DICOMTAP_ERR_PDU_VALUE when a field does not fit: an AE title over 16 characters, a
 * UID over 64, a presentation context id that is not odd.
 */
export function encodePdu(pdu: Pdu): Buffer {
  const own = memory ?? Buffer.allocUnsafeSlow(MEMORY_BYTES)
  memory = undefined
  const writer = new PduWriter(own)
  switch (pdu.type) {
    case 'A-ASSOCIATE-RQ':
      encodeAAssociateRq(writer, pdu)
      break
    case 'A-ASSOCIATE-AC':
      encodeAAssociateAc(writer, pdu)
      break
    case 'A-ASSOCIATE-RJ':
      encodeAAssociateRj(writer, pdu)
      break
    case 'P-DATA-TF':
      encodePDataTf(writer, pdu)
      break
    case 'A-RELEASE-RQ':
    case 'A-RELEASE-RP':
      encodeARelease(writer, pdu)
      break
    case 'A-ABORT':
      encodeAAbort(writer, pdu)
      break
  }
  const bytes = Buffer.from(writer.bytes)
  memory = own
  return bytes
}
