import type { AAssociateAc, AAssociateRj, AAssociateRq, Pdu } from '../pdu/types.ts'
import type { DulAction, DulEvent, DulState } from './transition-table.ts'

/** Why an association ended without a release. */
export interface AbortIndication {
  /** 0 service-user, 2 service-provider; undefined when the connection was lost without an A-ABORT. */
  readonly source: number | undefined
  /** PS3.8 table 9-26. */
  readonly reason: number
  readonly by: 'peer' | 'local' | 'network'
  readonly message: string | undefined
  /** A wait for the peer was over. */
  readonly isTimeout?: true
  /** The socket's error, when there was one. */
  readonly cause?: Error | undefined
}

/** Service primitives the provider issues to its user (PS3.8 section 7), as calls in the order they happen. */
export interface DulUser {
  associateIndication(request: AAssociateRq): void
  /**
   * Not in the standard, where nobody is told of a request that the provider itself rejects (AE-6): it is
   * about to, and the user has no say in it. {@link refusedIndication} follows when the rejection was sent.
   */
  refusalIndication(request: AAssociateRq): void
  refusedIndication(rejection: AAssociateRj): void
  associateConfirmation(accept: AAssociateAc): void
  associateRejection(reject: AAssociateRj): void
  /**
   * A piece of a PDV as it arrived. The fragment's memory is lent until {@link DulUser.readIndication} returns: keep
   * it through `readBuffers`.
   */
  pDataIndication(presentationContextId: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void
  /** Everything that one read brought was indicated. What is still lent then will be read into again. */
  readIndication(): void
  releaseIndication(isCollision: boolean): void
  releaseConfirmation(): void
  /** A-ABORT or A-P-ABORT indication, or the connection went away. */
  abortIndication(abort: AbortIndication): void
  /** Nothing was received or sent for the network time-out. Answer true to have the association aborted. */
  silenceIndication(isMidPdu: boolean): boolean
  /** The transport connection is gone; the last call. */
  closedIndication(): void
}

/** What the hooks observe. Each method is called for everything and decides whether anybody listens. */
export interface DulObserver {
  connectionOpened(): void
  dataReceived(data: Uint8Array): void
  dataSent(data: Uint8Array): void
  /** Are pduReceived and pduSent wanted for P-DATA-TF? They cost an object per PDU. */
  readonly wantsPData: boolean
  /** Is anything of a P-DATA-TF that is sent wanted: its bytes, what it is, the state? Undefined: it is. */
  readonly watchesPDataSent?: boolean
  pduReceived(pdu: Pdu | PDataSummary): void
  pduSent(pdu: Pdu | PDataSummary): void
  stateChanged(currentState: DulState, event: DulEvent, action: DulAction, nextState: DulState): void
}

export interface PDataSummary {
  readonly type: 'P-DATA-TF'
  readonly lengthBytes: number
  readonly pdvs: { presentationContextId: number; isCommand: boolean; isLast: boolean; lengthBytes: number }[]
}
