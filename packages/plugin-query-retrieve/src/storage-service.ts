import type { PluginApi } from '@dicomtap/framework'

// What of plugin-storage this plugin relies on: its service and the hooks on it, no code.

/** An object that is stored, and not yet acknowledged. */
export interface StoredFile {
  /** Below the storage folder, with `/`. */
  readonly relativePath: string
  readonly sopInstanceUid: string
  readonly studyInstanceUid: string | undefined
  readonly outcome: 'new' | 'replaced' | 'kept' | 'version'
  readonly transferSyntaxUid?: string | undefined
  readonly dataSetBytes?: number | undefined
  /** The beginning of the data set that is in the file; undefined where the file has to be read. */
  readonly dataSetHead?: Uint8Array | undefined
}

interface StorageHook<Argument> {
  tap(name: string, handler: (argument: Argument) => void): void
  tapPromise(options: { readonly name: string; readonly stage?: number }, handler: (argument: Argument) => Promise<void>): void
}

interface StorageHooks {
  /** A rejection refuses the object, and takes a new file back. */
  readonly instanceStored: StorageHook<StoredFile>
  /** Before a file is removed. A rejection keeps it. */
  readonly instanceRemoved: StorageHook<{ readonly relativePath: string }>
  /** The file could not be removed after all. */
  readonly instanceRestored: StorageHook<{ readonly relativePath: string }>
}

export interface RemovalResult {
  readonly removed: number
  readonly removedBytes: number
  /** Files that were gone already. */
  readonly missing: number
  readonly unremoved: readonly {
    readonly relativePath: string
    readonly why: 'path' | 'in-use' | 'newer' | 'handler' | 'system'
    readonly code?: string | undefined
  }[]
}

export interface StorageRemoval {
  remove(
    relativePaths: readonly string[],
    options: {
      readonly reason: string
      readonly writtenBeforeMs?: number | undefined
      readonly withVersions?: boolean | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<RemovalResult>
}

export interface StorageService extends StorageRemoval {
  /** Undefined under `discard`. */
  readonly directory: string | undefined
  readonly hooks: StorageHooks
  stats(): { readonly inFlight: number }
}

export function storageService(api: PluginApi): StorageService {
  return api.inject<StorageService>('storage')
}
