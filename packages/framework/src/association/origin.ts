import type { TransportSocket } from '../dul/transport.ts'
import type { AAssociateRq } from '../pdu/types.ts'
import type { Endpoint } from './endpoint.ts'

/** A peer connected. */
export interface IncomingOrigin {
  readonly socket: TransportSocket
  /** Where they are not those of the socket. */
  readonly remote?: Endpoint
  readonly local?: Endpoint
}
/** How an association comes about: a peer connected, or this side requests it. */
export type AssociationOrigin =
  | IncomingOrigin
  | { readonly request: AAssociateRq; readonly connect: () => TransportSocket; readonly host: string; readonly port: number }
