import type { DataSet } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'

/** The elements of an identifier that reserve the blocks of the private attributes that it asks for (PS3.5 7.8.1). */
export function privateCreatorsOf(identifier: DataSet, returned: readonly IndexedAttribute[]): DataSet {
  const creators: DataSet = {}
  for (const { tag } of returned) {
    if (((tag >>> 16) & 1) === 0) continue
    const name = (((tag & 0xffff0000) | ((tag & 0xff00) >>> 8)) >>> 0).toString(16).toUpperCase().padStart(8, '0')
    if (typeof identifier[name] === 'string') creators[name] = identifier[name]
  }
  return creators
}
