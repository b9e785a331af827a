import type { Rejection } from '@dicomtap/framework'

/** Why somebody is not let in. */
export type RefusalCause = 'unknown' | 'calledAeTitle' | 'address' | 'certificate' | 'tls' | 'user' | 'rule' | 'limit' | 'rate'

/** Result, source and reason as PS3.8 table 9-21 numbers them. */
export type RejectionTriple = readonly [result: 1 | 2, source: 1 | 2 | 3, reason: number]

/**
 * A title that is not known and one that was called in vain have reasons of their own (PS3.8 9.3.4); too many at once
 * is for a while, as is too often. Of the rest the peer is told nothing.
 */
export const DEFAULT_REJECTIONS: Readonly<Record<RefusalCause, RejectionTriple>> = {
  unknown: [1, 1, 3],
  calledAeTitle: [1, 1, 7],
  address: [1, 1, 1],
  certificate: [1, 1, 1],
  tls: [1, 1, 1],
  user: [1, 1, 1],
  rule: [1, 1, 1],
  limit: [2, 3, 2],
  rate: [2, 3, 1],
}

export const REFUSAL_CAUSES: readonly RefusalCause[] = Object.keys(DEFAULT_REJECTIONS) as RefusalCause[]

/** For logs and the command line. */
export const CAUSE_WORDS: Readonly<Record<RefusalCause, string>> = {
  unknown: 'the calling AE title is not in the peers file',
  calledAeTitle: 'the called AE title is not one that it may call',
  address: 'the calling AE title is known, and not at this address',
  certificate: 'the calling AE title is known, and its certificate is another one',
  tls: 'the peer must come over TLS',
  user: 'no rule lets this user in',
  rule: 'a rule denies it',
  limit: 'the peer has as many associations as it may have',
  rate: 'the peer associates more often than it may',
}

const REASONS: Readonly<Record<number, readonly number[]>> = { 1: [1, 2, 3, 7], 2: [1, 2], 3: [1, 2] }

export function isRejectionTriple(triple: readonly number[]): boolean {
  const [result = 0, source = 0, reason = 0] = triple
  return triple.length === 3 && (result === 1 || result === 2) && REASONS[source]?.includes(reason) === true
}

export function rejectionOf([result, source, reason]: RejectionTriple): Rejection {
  return { result, source, reason }
}
