import { decodeAAbort } from './a-abort.ts'
import { decodeAAssociateAc } from './a-associate-ac.ts'
import { decodeAAssociateRj } from './a-associate-rj.ts'
import { decodeAAssociateRq } from './a-associate-rq.ts'
import { decodeAReleaseRp, decodeAReleaseRq } from './a-release.ts'
import { DEFAULT_ASSOCIATE_LIMITS } from './limits.ts'
import type { AssociateLimits } from './limits.ts'
import { decodePDataTf } from './p-data-tf.ts'
import { PduReader } from './reader.ts'
import type { Pdu } from './types.ts'
import { PduType } from './types.ts'
import { failUnrecognizedPdu } from './violations.ts'

/**
 * Decodes a PDU from its type byte and its variable field (PS3.8 9.3), which may be a view of a buffer that
 * is used again: what is decoded is copied, except the data of PDVs.
 *
 * @param limits of what an A-ASSOCIATE PDU may hold
 * @throws PduError when the bytes are not a valid PDU; its `abortReason` is what to answer.
 */
export function decodePdu(type: number, body: Uint8Array, limits: AssociateLimits = DEFAULT_ASSOCIATE_LIMITS): Pdu {
  switch (type) {
    case PduType.AAssociateRq:
      return decodeAAssociateRq(PduReader.of(body, 'A-ASSOCIATE-RQ', limits.maximumAssociateItems), limits)
    case PduType.AAssociateAc:
      return decodeAAssociateAc(PduReader.of(body, 'A-ASSOCIATE-AC', limits.maximumAssociateItems), limits)
    case PduType.AAssociateRj:
      return decodeAAssociateRj(PduReader.of(body, 'A-ASSOCIATE-RJ'))
    case PduType.PDataTf:
      return decodePDataTf(PduReader.of(body, 'P-DATA-TF'))
    case PduType.AReleaseRq:
      return decodeAReleaseRq(PduReader.of(body, 'A-RELEASE-RQ'))
    case PduType.AReleaseRp:
      return decodeAReleaseRp(PduReader.of(body, 'A-RELEASE-RP'))
    case PduType.AAbort:
      return decodeAAbort(PduReader.of(body, 'A-ABORT'))
    default:
      return failUnrecognizedPdu(type)
  }
}
