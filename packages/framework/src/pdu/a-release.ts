import type { PduReader } from './reader.ts'
import type { AReleaseRp, AReleaseRq } from './types.ts'
import { PduType } from './types.ts'
import type { PduWriter } from './writer.ts'

const RESERVED_BYTES = 4

/** PS3.8 9.3.6 */
export function decodeAReleaseRq(fields: PduReader): AReleaseRq {
  fields.skip(RESERVED_BYTES)
  fields.expectEnd()
  return { type: 'A-RELEASE-RQ' }
}

/** PS3.8 9.3.7 */
export function decodeAReleaseRp(fields: PduReader): AReleaseRp {
  fields.skip(RESERVED_BYTES)
  fields.expectEnd()
  return { type: 'A-RELEASE-RP' }
}

/** PS3.8 9.3.6 and 9.3.7 */
export function encodeARelease(writer: PduWriter, pdu: AReleaseRq | AReleaseRp): void {
  const type = pdu.type === 'A-RELEASE-RQ' ? PduType.AReleaseRq : PduType.AReleaseRp
  writer.pdu(type, () => writer.zeros(RESERVED_BYTES))
}
