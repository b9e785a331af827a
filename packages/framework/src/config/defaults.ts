import type { Limits, Timeouts } from './types.ts'

export const DEFAULT_AE_TITLE = 'DICOMTAP'
/** The registered port for DICOM without privileges ("dicom", IANA). */
export const DEFAULT_PORT = 11_112

/**
 * Connections that wait to be accepted; the system has a limit of its own. When there are more, it drops packets of new
 * ones, healthy peers among them, and who is dropped tries again after seconds.
 */
export const DEFAULT_BACKLOG = 4_096

export const DEFAULT_TIMEOUTS: Timeouts = Object.freeze({
  acseMs: 30_000,
  dimseMs: 30_000,
  networkMs: 60_000,
  connectionMs: 15_000,
  associationMs: null,
  handlerMs: 600_000,
  lifecycleMs: 60_000,
})

export const DEFAULT_LIMITS: Limits = Object.freeze({
  maximumAssociations: 100,
  maximumPendingAssociations: 50,
  maximumPduBytes: 262_144,
  maximumAssociatePduBytes: 262_144,
  maximumAssociateItems: 16_384,
  maximumPresentationContexts: 128,
  maximumUserItems: 1_024,
  maximumCommandSetBytes: 65_536,
  maximumEmptyFragments: 64,
  minimumProgressBytes: 1_024,
  receiveBufferBytes: 524_288,
  maximumSentPduBytes: 0,
  maximumQueuedOperations: 64,
  maximumPerformedOperations: 64,
  maximumInvokedOperations: 64,
  maximumUnreadResponseBytes: 268_435_456,
  maximumDecodedDataSetBytes: 67_108_864,
  maximumIdentifierBytes: 1_048_576,
  maximumGatheredBytes: 536_870_912,
  maximumDecodedElements: 500_000,
  maximumDecodedValues: 5_000_000,
  maximumDecodedTextBytes: 4_194_304,
  maximumNestingDepth: 64,
  closeDeadlineMs: 10_000,
})

/** The time-outs of the innermost scope: the defaults, overridden by each layer in turn (AE, listener, peer). */
export function resolveTimeouts(...layers: (Partial<Timeouts> | undefined)[]): Timeouts {
  return resolve(DEFAULT_TIMEOUTS, layers)
}

/** The limits of the innermost scope: the defaults, overridden by each layer in turn (AE, listener, peer). */
export function resolveLimits(...layers: (Partial<Limits> | undefined)[]): Limits {
  return resolve(DEFAULT_LIMITS, layers)
}

function resolve<T extends object>(defaults: T, layers: readonly (Partial<T> | undefined)[]): T {
  const resolved = { ...defaults }
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer ?? {})) {
      if (value !== undefined) Object.assign(resolved, { [key]: value })
    }
  }
  return Object.freeze(resolved)
}
