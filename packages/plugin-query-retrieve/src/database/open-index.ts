import type { Logger } from '@dicomtap/framework'
import type { AttributeCatalogue } from '../model/attributes.ts'
import type { DatabaseOptions } from '../options.ts'
import type { InstanceIndex } from './instance-index.ts'

export interface OpenIndexOptions {
  readonly database: DatabaseOptions
  readonly resolvePath: (path: string) => string
  readonly log: Logger
  readonly attributes: AttributeCatalogue
}

/** The index of the options; nothing is opened before `start`. */
export function openIndex(_options: OpenIndexOptions): InstanceIndex {
  throw new Error('not written yet')
}
