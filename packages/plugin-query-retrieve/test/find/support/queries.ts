import type { AttributeCatalogue, IndexedAttribute } from '../../../dist/model/attributes.js'
import { buildCatalogue } from '../../../dist/model/catalogue.js'
import type { Key, Matching, Query } from '../../../dist/model/query.js'

export const catalogue: AttributeCatalogue = await buildCatalogue({
  patient: [],
  study: [{ attribute: 'StudyDescription', indexed: true }, { attribute: 'ReferringPhysicianName', indexed: true }],
  series: [],
  instance: [{ attribute: '00091001', vr: 'LO' }],
})

export function attribute(name: string): IndexedAttribute {
  const found = catalogue.byName(name)
  if (found === undefined) throw new Error(`${name} is not in the catalogue`)
  return found
}

export const key = (name: string, matching: Matching): Key => ({ attribute: attribute(name), matching })

/** A query at STUDY that restricts nothing and returns nothing, but for what is given. */
export function queryOf(parts: Partial<Query>): Query {
  return {
    level: 'STUDY',
    keys: [],
    dateTimeKeys: [],
    derivedKeys: [],
    returned: [],
    derived: [],
    itemAttributes: new Map(),
    unsupported: [],
    characterSets: [],
    timezoneOffsetMinutes: undefined,
    ...parts,
  }
}
