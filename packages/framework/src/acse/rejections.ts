import type { Rejection } from './types.ts'

/** The rejections this side sends of its own (PS3.8 table 9-21), by cause. */
export const REJECTIONS: Readonly<
  Record<
    | 'applicationContextName'
    | 'callingAeTitle'
    | 'calledAeTitle'
    | 'protocolVersion'
    | 'userIdentity'
    | 'noContext'
    | 'peerMaximumLength'
    | 'congestion'
    | 'localLimit',
    Rejection
  >
> = {
  applicationContextName: { result: 1, source: 1, reason: 2 },
  callingAeTitle: { result: 1, source: 1, reason: 3 },
  calledAeTitle: { result: 1, source: 1, reason: 7 },
  protocolVersion: { result: 1, source: 2, reason: 2 },
  userIdentity: { result: 2, source: 2, reason: 1 },
  noContext: { result: 1, source: 1, reason: 1 },
  peerMaximumLength: { result: 1, source: 2, reason: 1 },
  congestion: { result: 2, source: 3, reason: 1 },
  localLimit: { result: 2, source: 3, reason: 2 },
}

const RESULTS: Readonly<Record<number, string>> = { 1: 'permanent', 2: 'transient' }
const SOURCES: Readonly<Record<number, string>> = {
  1: 'service-user',
  2: 'service-provider (ACSE)',
  3: 'service-provider (presentation)',
}
const REASONS: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: {
    1: 'no reason given',
    2: 'application context name not supported',
    3: 'calling AE title not recognized',
    7: 'called AE title not recognized',
  },
  2: { 1: 'no reason given', 2: 'protocol version not supported' },
  3: { 1: 'temporary congestion', 2: 'local limit exceeded' },
}

/** A rejection in the standard's words, e.g. `permanent, service-user: called AE title not recognized`. */
export function describeRejection(rejection: { readonly result: number; readonly source: number; readonly reason: number }): string {
  const { result, source, reason } = rejection
  const words = REASONS[source]?.[reason] ?? `reason ${reason}`
  return `${RESULTS[result] ?? `result ${result}`}, ${SOURCES[source] ?? `source ${source}`}: ${words}`
}

/** Whether the three numbers are a combination that PS3.8 table 9-21 knows. */
export function isRejection(value: unknown): value is Rejection {
  if (typeof value !== 'object' || value === null) return false
  const { result, source, reason } = value as { result?: unknown; source?: unknown; reason?: unknown }
  if (typeof result !== 'number' || typeof source !== 'number' || typeof reason !== 'number') return false
  return RESULTS[result] !== undefined && REASONS[source]?.[reason] !== undefined
}

const ABORT_REASONS: Readonly<Record<number, string>> = {
  0: 'reason not specified',
  1: 'unrecognized PDU',
  2: 'unexpected PDU',
  4: 'unrecognized PDU parameter',
  5: 'unexpected PDU parameter',
  6: 'invalid PDU parameter value',
}

/** An abort in the standard's words (PS3.8 table 9-26). */
export function describeAbort(source: number | undefined, reason: number): string {
  if (source === undefined) return 'connection lost'
  if (source === 0) return 'service-user'
  return `service-provider: ${ABORT_REASONS[reason] ?? `reason ${reason}`}`
}
