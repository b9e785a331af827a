import { type ApplicationEntity, definePlugin, isLocalFileSystemType, type Plugin, type PluginApi, Stage } from '@dicomtap/framework'
import { ObjectDiscarder } from './discard.ts'
import { nodeFileSystem } from './file-system.ts'
import { storageHooks, type StorageHooks } from './hooks.ts'
import type { ResolvedStorageOptions } from './options.ts'
import { type RehearsalFolder, makeRehearsalFolder } from './rehearsal-folder.ts'
import { ObjectStore, type ObjectTaker } from './store.ts'

const MEBIBYTE = 1024 * 1024
/** Of what is rehearsed with: it must fit whatever the options say. */
const LARGEST_OBJECT_BYTES = MEBIBYTE
const ALL_OBJECTS_BYTES = 64 * MEBIBYTE

/** What `storage` does at the server that is warmed up. */
export interface RehearsedStorage {
  readonly options: ResolvedStorageOptions
  /** Absolute; undefined when objects are thrown away. */
  readonly directory: string | undefined
  readonly applicationEntity: ApplicationEntity
}

/**
 * The same store with the same options on a folder in memory, so that what is compiled is what will run. Undefined where
 * there is no such folder: on a disk the thousands of files that come and go would cost those who really store.
 */
export async function storageRehearsal({ options, directory, applicationEntity }: RehearsedStorage): Promise<Plugin | undefined> {
  if (directory === undefined) return rehearsed((api) => new ObjectDiscarder(api.log), undefined)
  const folder = await makeRehearsalFolder()
  if (folder === undefined) return undefined
  const { minimumFreeSpace, quota, maximumObjectBytes } = options
  // A store on a share makes its calls in threads.
  const isInline = isLocalFileSystemType(await nodeFileSystem.fileSystemType(directory).catch(() => 0))
  const create = (api: PluginApi): ObjectTaker => {
    const hooks = storageHooks(api.applicationEntity)
    tapAlike(hooks, storageHooks(applicationEntity))
    return new ObjectStore({
      directory: folder.path,
      options: {
        ...options,
        minimumFreeSpace: minimumFreeSpace === null ? null : Math.min(minimumFreeSpace, MEBIBYTE),
        quota: quota === null ? null : Math.max(quota, ALL_OBJECTS_BYTES),
        maximumObjectBytes: maximumObjectBytes === null ? null : Math.max(maximumObjectBytes, LARGEST_OBJECT_BYTES),
      },
      hooks,
      log: api.log,
      handlerMs: api.applicationEntity.timeouts.handlerMs,
      fileSystem: isInline ? nodeFileSystem : { ...nodeFileSystem },
    })
  }
  return rehearsed(create, folder)
}

function rehearsed(create: (api: PluginApi) => ObjectTaker, folder: RehearsalFolder | undefined): Plugin {
  return definePlugin({
    name: 'storage',
    apply(api) {
      const store = create(api)
      api.hooks.ready.tapPromise(() => store.start())
      api.hooks.cStore.tapPromise({ stage: Stage.Fallback }, (request, operation) => store.store(request, operation))
      api.hooks.connectionClosed.tap(({ association }) => {
        store.associationEnded(association)
        folder?.tidy()
      })
      api.onDispose(async () => {
        await store.stop()
        await folder?.remove()
      })
    },
  })()
}

/** Who asks handlers goes another way than who has none to ask. */
function tapAlike(hooks: StorageHooks, real: StorageHooks): void {
  const name = 'rehearsal'
  if (real.filePath.taps.length > 0) hooks.filePath.tapPromise(name, (path) => Promise.resolve(path))
  if (real.instanceStored.taps.length > 0) hooks.instanceStored.tapPromise(name, () => Promise.resolve())
  if (real.studyCompleted.taps.length > 0) hooks.studyCompleted.tapPromise(name, () => Promise.resolve())
}
