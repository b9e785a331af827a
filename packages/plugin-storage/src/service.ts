/** Counts since the start of the process. */
export interface StorageStats {
  /** Answered 0000, those included for which nothing was written: under `discard` that is all of them. */
  readonly instancesStored: number
  /** Of these, those whose path was taken. */
  readonly duplicates: number
  /** Bytes of data sets answered 0000. */
  readonly bytesStored: number
  /** Answered with another status, or broken off. */
  readonly failures: number
  /** Objects being received at the moment. */
  readonly inFlight: number
  /** Unfinished objects of earlier processes that were removed. */
  readonly leftoversRemoved: number
}

/** The service `storage`, for plugins that come later: `api.inject('storage')`. */
export interface StorageService {
  /** Absolute path of the storage folder; undefined under `discard`, when there is none. */
  readonly directory: string | undefined
  stats(): StorageStats
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    storage: StorageService
  }
}
