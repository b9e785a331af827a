import type { AssociateLimits } from '../pdu/limits.ts'
import { DEFAULT_ASSOCIATE_LIMITS } from '../pdu/limits.ts'
import type { TransportSocket } from './transport.ts'
import type { DulObserver, DulUser } from './user.ts'

/** Of a {@link DulServiceProvider}. */
export interface DulOptions {
  /** Acceptor: the connection that arrived. One that is not there yet is given to {@link DulServiceProvider.accept}. */
  readonly socket?: TransportSocket
  /** Requestor: opens the connection when the A-ASSOCIATE request is issued (AE-1). */
  readonly connect?: () => TransportSocket
  /** ARTIM, and the deadline of the states that ARTIM does not cover. Default 30 000; null: none. */
  readonly acseTimeoutMs?: number | null
  /** Silence, half-received PDU, peer that does not read. Default 60 000; null: none. */
  readonly networkTimeoutMs?: number | null
  /** TCP connect (Sta4). Default 15 000; null: none. */
  readonly connectionTimeoutMs?: number | null
  /** Largest P-DATA-TF accepted, as announced in item 0x51; 0: unlimited. Default 262 144. */
  readonly maximumPduBytes?: number
  /** Largest A-ASSOCIATE PDU accepted. Default 256 KiB. */
  readonly maximumAssociatePduBytes?: number
  /** What an A-ASSOCIATE PDU may hold. Default 128 contexts, 1024 user items, 16 384 items in all. */
  readonly associateLimits?: AssociateLimits
  /** What a peer must read within the network time-out of what waits for it. Default 1024. */
  readonly minimumProgressBytes?: number
  /** Indications that wait for `receive`, in bytes, before the socket is paused. Default 1 MiB. */
  readonly receiveQueueBytes?: number
  /** Gets the indications as calls. Without it they queue up for {@link DulServiceProvider.receive}. */
  readonly user?: DulUser
  readonly observer?: DulObserver
}

/** What may still change after the request of the peer arrived. */
export interface AdoptedLimits {
  readonly networkTimeoutMs: number | null
  readonly maximumPduBytes: number
  readonly minimumProgressBytes: number
}

type Defaulted = Exclude<keyof DulOptions, 'socket' | 'connect' | 'user' | 'observer'>
export type ResolvedDulOptions = Required<Pick<DulOptions, Defaulted>>

const DEFAULTS: ResolvedDulOptions = Object.freeze({
  acseTimeoutMs: 30_000,
  networkTimeoutMs: 60_000,
  connectionTimeoutMs: 15_000,
  maximumPduBytes: 262_144,
  maximumAssociatePduBytes: 262_144,
  associateLimits: DEFAULT_ASSOCIATE_LIMITS,
  minimumProgressBytes: 1_024,
  receiveQueueBytes: 1_048_576,
})

/** What the options say, and the default where they say nothing. */
export function resolveDulOptions(options: DulOptions): ResolvedDulOptions {
  return {
    acseTimeoutMs: givenOr(options.acseTimeoutMs, DEFAULTS.acseTimeoutMs),
    networkTimeoutMs: givenOr(options.networkTimeoutMs, DEFAULTS.networkTimeoutMs),
    connectionTimeoutMs: givenOr(options.connectionTimeoutMs, DEFAULTS.connectionTimeoutMs),
    maximumPduBytes: options.maximumPduBytes ?? DEFAULTS.maximumPduBytes,
    maximumAssociatePduBytes: options.maximumAssociatePduBytes ?? DEFAULTS.maximumAssociatePduBytes,
    associateLimits: options.associateLimits ?? DEFAULTS.associateLimits,
    minimumProgressBytes: options.minimumProgressBytes ?? DEFAULTS.minimumProgressBytes,
    receiveQueueBytes: options.receiveQueueBytes ?? DEFAULTS.receiveQueueBytes,
  }
}

/** Null says something: no time-out. */
function givenOr(timeoutMs: number | null | undefined, otherwise: number | null): number | null {
  return timeoutMs === undefined ? otherwise : timeoutMs
}
