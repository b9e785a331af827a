import { AbortReason, PduError } from '../errors/index.ts'

// The Reason/Diag. of PS3.8 table 9-26 that a violation gets:
//   1 unrecognized PDU               the type byte of a PDU
//   5 unexpected PDU parameter       an item that may occur once and occurs again
//   6 invalid PDU parameter value    everything else: lengths, missing items, values
// 4, unrecognized PDU parameter, is never given: unrecognized items are skipped (PS3.8 9.3.1).

/** The type byte of a PDU is none of PS3.8 9.3.1. */
export function failUnrecognizedPdu(type: number): never {
  throw new PduError(
    'DICOMTAP_ERR_PDU_UNRECOGNIZED',
    AbortReason.UnrecognizedPdu,
    `PDU type 0x${type.toString(16).padStart(2, '0')} is not one of PS3.8 9.3.1`,
  )
}

/** More bytes or items than this side accepts. */
export function failTooLarge(message: string): never {
  throw new PduError('DICOMTAP_ERR_PDU_TOO_LARGE', AbortReason.InvalidPduParameterValue, message)
}

/** A length that does not fit, or a mandatory item that is missing. */
export function failMalformed(message: string): never {
  throw new PduError('DICOMTAP_ERR_PDU_MALFORMED', AbortReason.InvalidPduParameterValue, message)
}

/** An item that may occur once and occurs again. */
export function failRepeatedItem(message: string): never {
  throw new PduError('DICOMTAP_ERR_PDU_MALFORMED', AbortReason.UnexpectedPduParameter, message)
}

/** A field whose value is not allowed. */
export function failValue(message: string): never {
  throw new PduError('DICOMTAP_ERR_PDU_VALUE', AbortReason.InvalidPduParameterValue, message)
}
