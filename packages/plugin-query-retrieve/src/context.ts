import type { PluginApi } from '@dicomtap/framework'
import type { InstanceIndex } from './database/instance-index.ts'
import type { AttributeCatalogue } from './model/attributes.ts'
import type { ResolvedQueryRetrieveOptions } from './options.ts'
import type { StudiesInUse } from './retention/studies-in-use.ts'
import type { StorageService } from './storage-service.ts'

/** What the parts of the plugin share. */
export interface PluginContext {
  readonly api: PluginApi
  readonly options: ResolvedQueryRetrieveOptions
  readonly attributes: AttributeCatalogue
  readonly index: InstanceIndex
  readonly storage: StorageService
  /** Absolute path of the storage folder: paths of the index are below it. */
  readonly directory: string
  /** Who retrieves a study holds it here meanwhile: retention leaves it alone. */
  readonly studiesInUse: StudiesInUse
}
