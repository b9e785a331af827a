import { VR_MAP } from './decode.ts'
import { loadDictionary } from './dictionary.ts'
import type { DataSet } from './types.ts'

/** What {@link selectAttributes} found. */
export interface SelectedAttributes {
  /** Those that are there, with or without a value. */
  readonly dataset: DataSet
  /** Tags of those that are not, in the order in which they were asked for. */
  readonly missing: readonly number[]
}

/**
 * The attributes of an instance that an N-GET asks for by their tags (PS3.7 10.1.2). An empty list asks for all.
 *
 * @example
 * api.hooks.nGet.tapPromise({ sopClasses: [SopClass.Printer] }, async ({ attributeIdentifierList }) => {
 *   const { dataset, missing } = await selectAttributes(printer, attributeIdentifierList)
 *   return { status: missing.length === 0 ? Status.Success : Status.AttributeListError, dataset, attributeIdentifierList: missing }
 * })
 */
export async function selectAttributes(instance: DataSet, attributeIdentifierList: readonly number[]): Promise<SelectedAttributes> {
  if (attributeIdentifierList.length === 0) return { dataset: instance, missing: [] }
  const { nameOf } = await loadDictionary()
  // Without it an attribute whose VR the dictionary does not tell could not be encoded.
  const dataset: DataSet = Object.hasOwn(instance, VR_MAP) ? { [VR_MAP]: instance[VR_MAP] } : {}
  const missing: number[] = []
  for (const tag of new Set(attributeIdentifierList)) {
    const name = nameOf(tag)
    if (Object.hasOwn(instance, name)) dataset[name] = instance[name]
    else missing.push(tag)
  }
  return { dataset, missing }
}
