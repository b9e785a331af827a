import { definePlugin, type PluginFactory, Stage } from '@dicomtap/framework'
import { allStorageSopClassUids, allTransferSyntaxUids } from './contexts.ts'
import { ObjectDiscarder } from './discard.ts'
import { storageHooks } from './hooks.ts'
import { storageOptions } from './options.ts'
import { ObjectStore } from './store.ts'

/**
 * Stores the objects of C-STORE requests as files. See the README for options, durability and layout.
 *
 * @example
 * await ae.use(storage({ directory: './data' }))
 */
export const storage: PluginFactory<typeof storageOptions> = definePlugin({
  name: 'storage',
  version: '0.1.0',
  framework: '>=0.1.0 <1',
  options: storageOptions,
  apply(api, options) {
    const directory = options.directory === undefined || options.discard ? undefined : api.resolvePath(options.directory)
    const hooks = storageHooks(api.applicationEntity)
    const store = directory === undefined ? new ObjectDiscarder(api.log) : new ObjectStore({ directory, options, hooks, log: api.log, handlerMs: api.applicationEntity.timeouts.handlerMs })

    const transferSyntaxes = options.transferSyntaxes ?? allTransferSyntaxUids()
    for (const uid of options.sopClasses ?? allStorageSopClassUids()) api.supportSopClass({ uid, transferSyntaxes })

    api.hooks.ready.tapPromise(() => store.start())
    // Without a list, also what an AE with `unrestrictedStorage` accepts.
    const sopClasses = options.sopClasses === undefined ? {} : { sopClasses: options.sopClasses }
    api.hooks.cStore.tapPromise({ stage: Stage.Fallback, ...sopClasses }, (request, operation) => store.store(request, operation))
    api.hooks.connectionClosed.tap(({ association }) => store.associationEnded(association))
    api.provideService('storage', { directory, hooks, stats: () => store.stats(), remove: (relativePaths, removal) => store.remove(relativePaths, removal) })
    api.onDispose(() => store.stop())
    api.hooks.warmUp.tapPromise(async ({ rehearsal }) => {
      const { storageRehearsal } = await import('./rehearsal.ts')
      await rehearsal.use(await storageRehearsal({ options, directory, applicationEntity: api.applicationEntity }))
    })
  },
})

export { storageHooks } from './hooks.ts'
export type { CompletedStudy, FilePathInfo, RemovedInstance, StorageHooks, StoragePeer, StoredInstance } from './hooks.ts'
export { storageOptions } from './options.ts'
export type { ResolvedStorageOptions, StorageOptions } from './options.ts'
export type { RemovalResult, RemoveOptions, StorageService, StorageStats, UnremovedFile } from './service.ts'
