import type { StorageHooks } from './hooks.ts'

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

export interface RemoveOptions {
  /** Why, in a word or two: told to the hooks. */
  readonly reason: string
  /**
   * Leaves files alone that were written at this time or later, in milliseconds since 1970: what took the name of the
   * file that was meant.
   */
  readonly writtenBeforeMs?: number | undefined
  /** Removes the other versions of each instance, too: see the option `duplicates`. Default false. */
  readonly withVersions?: boolean | undefined
  /** Ends it between two files; what was not looked at is not in the result. */
  readonly signal?: AbortSignal | undefined
}

/** A file that is still there. */
export interface UnremovedFile {
  readonly relativePath: string
  /**
   * `path`: it does not lead to a file inside the folder. `in-use`: it is being stored or removed at this moment.
   * `newer`: it was written since `writtenBeforeMs`. `handler`: one of `instanceRemoved` failed. `system`: the
   * operating system refused.
   */
  readonly why: 'path' | 'in-use' | 'newer' | 'handler' | 'system'
  /** The system's name of its error, e.g. `EACCES`. */
  readonly code?: string | undefined
}

export interface RemovalResult {
  /** Files that are gone now. */
  readonly removed: number
  /** Their bytes. */
  readonly removedBytes: number
  /** Files that were gone already. */
  readonly missing: number
  readonly unremoved: readonly UnremovedFile[]
}

/** The service `storage`, for plugins that come later: `api.inject('storage')`. */
export interface StorageService {
  /** Absolute path of the storage folder; undefined under `discard`, when there is none. */
  readonly directory: string | undefined
  /** The same as `storageHooks(ae)`, for plugins that do not import this one. */
  readonly hooks: StorageHooks
  stats(): StorageStats
  /**
   * Removes files for good, and folders that are empty then. Does not reject for a file that cannot be removed.
   * Under `discard` there is nothing to remove.
   *
   * @param relativePaths below the storage folder, with `/`.
   * @throws DICOMTAP_ERR_STO_DIRECTORY when the folder cannot be used
   *
   * @example
   * const { removed, unremoved } = await api.inject('storage').remove(['1.2/1.2.3/1.2.3.4.dcm'], { reason: 'retention' })
   */
  remove(relativePaths: readonly string[], options: RemoveOptions): Promise<RemovalResult>
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    storage: StorageService
  }
}
