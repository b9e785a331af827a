import type { ResolvedQueryRetrieveOptions } from '../options.ts'
import type { AttributeCatalogue } from './attributes.ts'

/**
 * The attributes that are indexed: the usual ones and those of the options.
 * @throws DICOMTAP_ERR_PLG_OPTIONS for an attribute that nobody knows
 */
export function buildCatalogue(_extra: ResolvedQueryRetrieveOptions['attributes']): Promise<AttributeCatalogue> {
  throw new Error('not written yet')
}
