import type { LastEcho } from './echo-log.ts'

/** What the plugin offers to others: `api.inject('verification')`. */
export interface VerificationService {
  /** The last echo of each peer, most recent first. */
  lastEchoes(): LastEcho[]
  /** The most recent echo of a calling AE title; undefined when there was none. */
  lastEcho(callingAeTitle: string): LastEcho | undefined
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    verification: VerificationService
  }
}
