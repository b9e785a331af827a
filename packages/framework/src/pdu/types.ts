import type { UserItem } from './user-items/types.ts'

/** PDU types (PS3.8 9.3.1). */
export const PduType = {
  AAssociateRq: 0x01,
  AAssociateAc: 0x02,
  AAssociateRj: 0x03,
  PDataTf: 0x04,
  AReleaseRq: 0x05,
  AReleaseRp: 0x06,
  AAbort: 0x07,
} as const
export type PduType = (typeof PduType)[keyof typeof PduType]

/** DICOM Application Context Name (PS3.7 A.2.1). */
export const APPLICATION_CONTEXT_NAME = '1.2.840.10008.3.1.1.1'

/** A presentation context item of an A-ASSOCIATE-RQ, 0x20 (PS3.8 9.3.2.2). */
export interface PresentationContextRq {
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
}
/** A presentation context item of an A-ASSOCIATE-AC, 0x21 (PS3.8 9.3.3.2). */
export interface PresentationContextAc {
  readonly id: number
  readonly result: number
  /** Not significant unless `result` is 0. */
  readonly transferSyntax: string
}
interface AAssociateBase {
  /** Bit 0 set: version 1 (PS3.8 9.3.2). */
  readonly protocolVersion: number
  /** Leading and trailing spaces removed. */
  readonly calledAeTitle: string
  readonly callingAeTitle: string
  /**
   * Bytes 11 to 74 of the PDU, where they are not just the titles padded with spaces and a reserved field of
   * zeros: an A-ASSOCIATE-AC repeats those of the request (PS3.8 table 9-17).
   */
  readonly titlesAsSent?: Uint8Array
  readonly applicationContextName: string
  readonly userInformation: readonly UserItem[]
}
/** PS3.8 9.3.2 */
export interface AAssociateRq extends AAssociateBase {
  readonly type: 'A-ASSOCIATE-RQ'
  readonly presentationContexts: readonly PresentationContextRq[]
}
/** PS3.8 9.3.3 */
export interface AAssociateAc extends AAssociateBase {
  readonly type: 'A-ASSOCIATE-AC'
  readonly presentationContexts: readonly PresentationContextAc[]
}
/** PS3.8 9.3.4 */
export interface AAssociateRj {
  readonly type: 'A-ASSOCIATE-RJ'
  readonly result: number
  readonly source: number
  readonly reason: number
}
/** A presentation data value item (PS3.8 9.3.5.1) with its message control header (annex E.2). */
export interface Pdv {
  readonly presentationContextId: number
  readonly isCommand: boolean
  readonly isLast: boolean
  readonly data: Uint8Array
}
/** PS3.8 9.3.5 */
export interface PDataTf {
  readonly type: 'P-DATA-TF'
  readonly pdvs: readonly Pdv[]
}
/** PS3.8 9.3.6 */
export interface AReleaseRq {
  readonly type: 'A-RELEASE-RQ'
}
/** PS3.8 9.3.7 */
export interface AReleaseRp {
  readonly type: 'A-RELEASE-RP'
}
/** PS3.8 9.3.8 */
export interface AAbort {
  readonly type: 'A-ABORT'
  /** 0 service-user, 2 service-provider. */
  readonly source: number
  readonly reason: number
}
export type Pdu = AAssociateRq | AAssociateAc | AAssociateRj | PDataTf | AReleaseRq | AReleaseRp | AAbort
