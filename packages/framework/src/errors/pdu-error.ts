import type { ErrorCode } from './codes.ts'
import { DicomtapError } from './dicomtap-error.ts'

/** Reason/Diag. of an A-ABORT whose source is the service provider (PS3.8 table 9-26). */
export const AbortReason = {
  NotSpecified: 0,
  UnrecognizedPdu: 1,
  UnexpectedPdu: 2,
  UnrecognizedPduParameter: 4,
  UnexpectedPduParameter: 5,
  InvalidPduParameterValue: 6,
} as const
export type AbortReason = (typeof AbortReason)[keyof typeof AbortReason]

/**
 * Bytes of a peer that are not a valid PDU. `abortReason` is what the A-ABORT that answers them says
 * (PS3.8 9.3.8).
 */
export class PduError extends DicomtapError {
  override readonly name: string = 'PduError'
  readonly abortReason: AbortReason

  constructor(code: ErrorCode, abortReason: AbortReason, message: string) {
    super(code, message)
    this.abortReason = abortReason
  }
}
