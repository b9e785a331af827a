import type { ApplicationEntity } from '@dicomtap/framework'
import { AsyncSeriesHook, AsyncSeriesWaterfallHook } from 'tapable'

/** Who sent an object. */
export interface StoragePeer {
  readonly callingAeTitle: string
  readonly calledAeTitle: string
  readonly address: string
}

/** What `filePath` is asked about: an object that was received whole and has no name yet. */
export interface FilePathInfo {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly sizeBytes: number
  readonly peer: StoragePeer
  /** The value of an attribute that path templates know, by its keyword. As sent: anything may be in it. */
  value(keyword: string): string | undefined
}

/** An object that is stored, and durable as the option `durability` says, but not yet acknowledged. */
export interface StoredInstance {
  /** Absolute path of the file. */
  readonly path: string
  /** The same below the storage folder, with `/`. */
  readonly relativePath: string
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** Undefined when the data set has none, or one that is not a UID. */
  readonly studyInstanceUid: string | undefined
  readonly seriesInstanceUid: string | undefined
  readonly transferSyntaxUid: string
  /** Size of the file. */
  readonly sizeBytes: number
  /** Size of the data set that was received: the rest of the file is its header. */
  readonly dataSetBytes: number
  /**
   * The first bytes of the data set as they stand in the file, in `transferSyntaxUid`: all of it, or 16 KiB. Enough for
   * the attributes of most objects, without reading the file: `headReader` of the framework decodes them.
   * Undefined where the file may be another one by now: under `duplicates: 'replace'`, and when it was `kept`.
   */
  readonly dataSetHead: Uint8Array | undefined
  /** SHA-256 of the file in hexadecimal digits, under the options `sha256` and `record: sha256`. */
  readonly sha256: string | undefined
  readonly peer: StoragePeer
  /** True when the path was taken: the file was replaced, kept, or this one lies beside it. */
  readonly isDuplicate: boolean
  /**
   * `new`: nothing was there. `replaced`: it took the place of a file. `kept`: the file that was there
   * stands for it, and nothing was written. `version`: it differs from the file that was there and lies beside it.
   */
  readonly outcome: 'new' | 'replaced' | 'kept' | 'version'
}

/** A study that nothing was added to for a while. */
export interface CompletedStudy {
  readonly studyInstanceUid: string
  /** Stores acknowledged since the study was last complete, duplicates included. */
  readonly instances: number
  readonly duplicates: number
  readonly firstStoredAt: Date
  readonly lastStoredAt: Date
  /** Calling AE titles that sent them. */
  readonly callingAeTitles: readonly string[]
  /** `closed`: the server stops, and the study may go on at its next start. */
  readonly reason: 'quiet-period' | 'association-ended' | 'closed'
}

/** A file that is removed through the service `storage`, by a rule of retention or by an operator. */
export interface RemovedInstance {
  /** Absolute path of the file. */
  readonly path: string
  /** The same below the storage folder, with `/`. */
  readonly relativePath: string
  /** Size of the file; 0 when it was gone already. */
  readonly sizeBytes: number
  /** What was given to `remove`, e.g. `retention`. */
  readonly reason: string
}

/** The hooks of this plugin, one table for each ApplicationEntity. */
export interface StorageHooks {
  /**
   * Transform: the path of an object below the storage folder, as the template made it. What is returned
   * must stay in the folder, else the object is refused with 0110.
   */
  readonly filePath: AsyncSeriesWaterfallHook<[string, FilePathInfo]>
  /**
   * Awaited before 0000 is answered: an index that a query relies on belongs here. A rejection refuses the
   * object, with A700 or the status of the StatusError, and removes the file if it is new; a `replaced`
   * or `kept` one stays.
   */
  readonly instanceStored: AsyncSeriesHook<[StoredInstance]>
  /** Nothing waits for it. A rejection is logged. */
  readonly studyCompleted: AsyncSeriesHook<[CompletedStudy]>
  /**
   * Awaited before a file is removed, as the last thing that happens to it: an index forgets it here. In this order
   * a crash leaves a file that no index knows, which a scan finds, and never the promise of a file that is gone.
   * A rejection keeps the file. Also told of a file that was gone already, so that an index which still names it
   * catches up.
   */
  readonly instanceRemoved: AsyncSeriesHook<[RemovedInstance]>
  /** After `instanceRemoved`: the file could not be removed after all, and is there. An index takes it in again. */
  readonly instanceRestored: AsyncSeriesHook<[RemovedInstance]>
}

const REGISTRY: unique symbol = Symbol.for('dicomtap.storage.hooks') as never

// On globalThis, so that two installed copies of this package have the same hooks.
const registry: WeakMap<ApplicationEntity, StorageHooks> = ((globalThis as { [REGISTRY]?: WeakMap<ApplicationEntity, StorageHooks> })[
  REGISTRY
] ??= new WeakMap())

/**
 * The storage hooks of an ApplicationEntity, before or after the plugin is loaded.
 *
 * @example
 * storageHooks(api.applicationEntity).instanceStored.tapPromise('my-index', async (instance) => {
 *   await index.add(instance.sopInstanceUid, instance.path)
 * })
 */
export function storageHooks(applicationEntity: ApplicationEntity): StorageHooks {
  let hooks = registry.get(applicationEntity)
  if (hooks === undefined) {
    hooks = Object.freeze<StorageHooks>({
      filePath: new AsyncSeriesWaterfallHook(['relativePath', 'info'], 'filePath'),
      instanceStored: new AsyncSeriesHook(['instance'], 'instanceStored'),
      studyCompleted: new AsyncSeriesHook(['study'], 'studyCompleted'),
      instanceRemoved: new AsyncSeriesHook(['instance'], 'instanceRemoved'),
      instanceRestored: new AsyncSeriesHook(['instance'], 'instanceRestored'),
    })
    registry.set(applicationEntity, hooks)
  }
  return hooks
}
