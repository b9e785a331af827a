import type { PluginApi } from '@dicomtap/framework'

// What of plugin-storage this plugin relies on: its service and the hooks on it, no code.

/** An object that is stored, and not yet acknowledged. */
export interface StoredFile {
  /** Below the storage folder, with `/`. */
  readonly relativePath: string
  readonly sopInstanceUid: string
  readonly outcome: 'new' | 'replaced' | 'kept' | 'version'
}

interface AwaitedHook<Argument> {
  tapPromise(options: { readonly name: string; readonly stage?: number }, handler: (argument: Argument) => Promise<void>): void
}

export interface StorageHooks {
  /** A rejection refuses the object, and takes a new file back. */
  readonly instanceStored: AwaitedHook<StoredFile>
  /** Before a file is removed. A rejection keeps it. */
  readonly instanceRemoved: AwaitedHook<{ readonly relativePath: string }>
  /** The file could not be removed after all. */
  readonly instanceRestored: AwaitedHook<{ readonly relativePath: string }>
}

export interface StorageService {
  readonly directory: string | undefined
  readonly hooks: StorageHooks
  stats(): { readonly inFlight: number }
}

export function storageService(api: PluginApi): StorageService {
  return api.inject<StorageService>('storage')
}
