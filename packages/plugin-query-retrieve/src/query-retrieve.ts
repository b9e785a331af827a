import { definePlugin, DicomtapError, type PluginFactory } from '@dicomtap/framework'
import type { PluginContext } from './context.ts'
import { isAmongStoredFiles } from './contained-path.ts'
import { openIndex } from './database/open-index.ts'
import { registerFind } from './find/register-find.ts'
import { registerDiagnosis } from './intake/diagnose.ts'
import { registerIntake } from './intake/register-intake.ts'
import { InstanceReader } from './maintenance/read-instance.ts'
import { reindexWith } from './maintenance/reindexer.ts'
import { buildCatalogue } from './model/catalogue.ts'
import { queryRetrieveOptions } from './options.ts'
import { registerRetention } from './retention/register-retention.ts'
import { StudiesInUse } from './retention/studies-in-use.ts'
import { registerRetrieve } from './retrieve/register-retrieve.ts'
import { registerExtendedNegotiation } from './negotiation.ts'
import { provideIndex } from './service.ts'
import { storageService } from './storage-service.ts'

/**
 * Answers C-FIND, C-MOVE and C-GET for what plugin-storage stores, from an index in SQLite or PostgreSQL. See the
 * README for models, keys and options.
 *
 * @example
 * await ae.use(storage({ directory: './data' }), queryRetrieve())
 */
export const queryRetrieve: PluginFactory<typeof queryRetrieveOptions> = definePlugin({
  name: 'query-retrieve',
  version: '0.1.0',
  framework: '>=0.1.0 <1',
  requires: ['storage'],
  after: ['access'],
  options: queryRetrieveOptions,
  async apply(api, options) {
    const storage = storageService(api)
    const { directory } = storage
    if (directory === undefined) {
      throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', 'plugins[query-retrieve]: there is nothing to query while plugin-storage keeps nothing: turn its option discard off, or remove query-retrieve from plugins')
    }
    const { database } = options
    if ('sqlite' in database && (await isAmongStoredFiles(directory, api.resolvePath(database.sqlite)))) {
      throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `plugins[query-retrieve].options.database.sqlite: put it outside of the storage folder ${directory}, or there below a name with a leading dot: other files in it are taken for stored objects`)
    }
    const attributes = await buildCatalogue(options.attributes)
    const reindex = reindexWith(new InstanceReader(directory, attributes), directory, api.log)
    const index = openIndex({ database, resolvePath: (path) => api.resolvePath(path), log: api.log, folder: { root: directory, attributes: options.attributes }, reindex })
    const context: PluginContext = { api, options, attributes, index, storage, directory, studiesInUse: new StudiesInUse() }
    api.hooks.ready.tapPromise(() => index.start())
    // First, so that it is the last: disposers run in reverse order.
    api.onDispose(() => index.close())
    provideIndex(context)
    registerExtendedNegotiation(context)
    registerFind(context)
    registerRetrieve(context)
    registerIntake(context)
    registerDiagnosis(context)
    registerRetention(context)
  },
})
