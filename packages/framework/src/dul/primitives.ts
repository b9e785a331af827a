import type { AAbort, AAssociateAc, AAssociateRj, AAssociateRq, AReleaseRp, AReleaseRq, PDataTf, Pdu } from '../pdu/types.ts'
import type { DulEvent } from './transition-table.ts'

/** What a user may send. P-DATA may be a PDU, or PDUs drawn one by one as the socket takes them. */
export type DulRequest =
  | AAssociateRq
  | AAssociateAc
  | AAssociateRj
  | AReleaseRq
  | AReleaseRp
  | AAbort
  | PDataTf
  | { readonly type: 'P-DATA'; readonly pdus: Iterable<PDataTf> | AsyncIterable<PDataTf> }

/** The event of table 9-10 that a request primitive is. */
export const REQUEST_EVENTS: Readonly<Record<DulRequest['type'], DulEvent>> = {
  'A-ASSOCIATE-RQ': 'Evt1',
  'A-ASSOCIATE-AC': 'Evt7',
  'A-ASSOCIATE-RJ': 'Evt8',
  'P-DATA-TF': 'Evt9',
  'P-DATA': 'Evt9',
  'A-RELEASE-RQ': 'Evt11',
  'A-RELEASE-RP': 'Evt14',
  'A-ABORT': 'Evt15',
}

/** The event of table 9-10 that a received PDU is. */
export const PDU_EVENTS: Readonly<Record<Pdu['type'], DulEvent>> = {
  'A-ASSOCIATE-AC': 'Evt3',
  'A-ASSOCIATE-RJ': 'Evt4',
  'A-ASSOCIATE-RQ': 'Evt6',
  'P-DATA-TF': 'Evt10',
  'A-RELEASE-RQ': 'Evt12',
  'A-RELEASE-RP': 'Evt13',
  'A-ABORT': 'Evt16',
}

/** PS3.8 9.3.4: rejected permanently, by the service provider (ACSE), protocol version not supported. */
const PROTOCOL_VERSION_REJECTION: AAssociateRj = { type: 'A-ASSOCIATE-RJ', result: 1, source: 2, reason: 2 }

/** What the provider itself answers to a request; undefined: its user decides. PS3.8 9.3.2: only bit 0 is tested. */
export function protocolVersionRejection({ protocolVersion }: AAssociateRq): AAssociateRj | undefined {
  return (protocolVersion & 1) === 1 ? undefined : PROTOCOL_VERSION_REJECTION
}
