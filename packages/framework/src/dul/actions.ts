import { AbortReason } from '../errors/index.ts'
import type { AAbort, AAssociateAc, AAssociateRj, AAssociateRq, Pdu } from '../pdu/types.ts'
import type { ArtimTimer } from './artim-timer.ts'
import type { DulAction, DulState } from './transition-table.ts'
import type { AbortIndication, DulUser } from './user.ts'

/** What came with the event: the PDU or primitive, or why it is an abort. */
export interface EventPayload {
  readonly pdu?: Pdu
  /** Of a primitive: its PDU encoded, where that was done before. */
  readonly bytes?: Uint8Array | undefined
  readonly reason?: AbortReason
  readonly message?: string
  /** Transport closed: the socket's error, if any. */
  readonly error?: Error | undefined
  /** AE-6: the rejection when the request is not acceptable to the provider. */
  readonly rejection?: AAssociateRj | undefined
}

/** What the actions act on. */
export interface ActionContext {
  readonly user: DulUser
  readonly artim: ArtimTimer
  connect(): void
  sendPdu(pdu: Pdu, bytes?: Uint8Array): void
  closeTransport(): void
}

function abortIndication(payload: EventPayload, by: AbortIndication['by'], source: number | undefined): AbortIndication {
  return { source, reason: payload.reason ?? AbortReason.NotSpecified, by, message: payload.message }
}

/** An AggregateError, of several addresses that were tried, has no text of its own. */
function textOf(error: Error): string {
  if (error.message !== '') return error.message
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return first instanceof Error ? first.message : error.name
}

function received(payload: EventPayload): Pdu {
  return payload.pdu as Pdu
}

/**
 * The actions of PS3.8 tables 9-6 to 9-9. P-DATA does not pass here when it is received: DT-2 and AR-6
 * hand fragments over as they arrive, straight from the framer.
 */
export const ACTIONS: Readonly<Record<DulAction, (context: ActionContext, payload: EventPayload, next: DulState) => void>> = {
  'AE-1': (context) => {
    context.connect()
  },
  'AE-2': (context, payload) => {
    context.sendPdu(received(payload))
  },
  'AE-3': (context, payload) => {
    context.user.associateConfirmation(received(payload) as AAssociateAc)
  },
  'AE-4': (context, payload) => {
    context.user.associateRejection(received(payload) as AAssociateRj)
    context.closeTransport()
  },
  'AE-5': (context) => {
    context.artim.start()
  },
  'AE-6': (context, payload, next) => {
    context.artim.stop()
    if (next === 'Sta3') {
      context.user.associateIndication(received(payload) as AAssociateRq)
      return
    }
    const rejection = payload.rejection as AAssociateRj
    context.user.refusalIndication(received(payload) as AAssociateRq)
    context.sendPdu(rejection)
    context.artim.start()
    context.user.refusedIndication(rejection)
  },
  'AE-7': (context, payload) => {
    context.sendPdu(received(payload), payload.bytes)
  },
  'AE-8': (context, payload) => {
    context.sendPdu(received(payload))
    context.artim.start()
  },
  'DT-1': () => {},
  'DT-2': () => {},
  'AR-1': (context) => {
    context.sendPdu({ type: 'A-RELEASE-RQ' })
  },
  'AR-2': (context) => {
    context.user.releaseIndication(false)
  },
  'AR-3': (context) => {
    context.user.releaseConfirmation()
    context.closeTransport()
  },
  'AR-4': (context) => {
    context.sendPdu({ type: 'A-RELEASE-RP' })
    context.artim.start()
  },
  'AR-5': (context) => {
    context.artim.stop()
  },
  'AR-6': () => {},
  'AR-7': () => {},
  'AR-8': (context) => {
    context.user.releaseIndication(true)
  },
  'AR-9': (context) => {
    context.sendPdu({ type: 'A-RELEASE-RP' })
  },
  'AR-10': (context) => {
    context.user.releaseConfirmation()
  },
  'AA-1': (context, payload) => {
    const isRequested = payload.pdu?.type === 'A-ABORT'
    context.sendPdu(isRequested ? (payload.pdu) : { type: 'A-ABORT', source: 0, reason: 0 })
    context.artim.start()
    // Not in the standard: in Sta2 there is no user to tell, but an operator wants to know what knocked.
    if (!isRequested) context.user.abortIndication(abortIndication(payload, 'local', 0))
  },
  'AA-2': (context) => {
    context.artim.stop()
    context.closeTransport()
  },
  'AA-3': (context, payload) => {
    const abort = received(payload) as AAbort
    context.user.abortIndication({ source: abort.source, reason: abort.reason, by: 'peer', message: undefined })
    context.closeTransport()
  },
  'AA-4': (context, payload) => {
    const message = payload.error === undefined ? 'The connection was closed without a release' : textOf(payload.error)
    context.user.abortIndication({ ...abortIndication({ ...payload, message }, 'network', undefined), cause: payload.error })
  },
  'AA-5': (context) => {
    context.artim.stop()
  },
  'AA-6': () => {},
  'AA-7': (context, payload) => {
    context.sendPdu({ type: 'A-ABORT', source: 2, reason: payload.reason ?? AbortReason.UnexpectedPdu })
  },
  'AA-8': (context, payload) => {
    const reason = payload.reason ?? AbortReason.UnexpectedPdu
    context.sendPdu({ type: 'A-ABORT', source: 2, reason })
    context.user.abortIndication(abortIndication({ ...payload, reason }, 'local', 2))
    context.artim.start()
  },
}
