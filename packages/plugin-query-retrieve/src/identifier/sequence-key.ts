import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import type { AttributeCatalogue, IndexedAttribute } from '../model/attributes.ts'
import type { Key, Matching } from '../model/query.ts'
import { checkOrder } from './date-key.ts'
import { matchingOf } from './matching-of.ts'
import { violation } from './violation.ts'

/** As deep as the index keeps items. */
const MAXIMUM_DEPTH = 6
/** Keys in items, of one identifier: each is compared with each item of each row, or returned with it. */
const MAXIMUM_ITEM_KEYS = 256

export interface SequenceKeyContext {
  readonly attributes: AttributeCatalogue
  readonly negotiated: FindNegotiation
  /** Filled with the attributes that were asked for, by sequence. */
  readonly itemAttributes: Map<IndexedAttribute, readonly string[]>
  /** Filled with the names of keys that are not matched. */
  readonly unsupported: string[]
  /** Counted over all sequences. */
  itemKeys: number
}

/**
 * A key on a sequence has one item with keys for one of its items; without item, or with an empty one, it matches all
 * and asks for all (PS3.4 C.2.2.2.6). Attributes in the item that cannot be matched, bulk data for example, are
 * asked for and nothing more.
 */
export function matchingOfSequence(sequence: IndexedAttribute, value: unknown, context: SequenceKeyContext, depth = 1): Matching {
  const item = itemOf(sequence, value, depth)
  const names = item === undefined ? [] : Object.keys(item).filter((name) => !name.startsWith('_'))
  if (item === undefined || names.length === 0) return { kind: 'universal' }
  context.itemKeys += names.length
  if (context.itemKeys > MAXIMUM_ITEM_KEYS) throw violation(`Too many keys: ${sequence.name}`, sequence.tag)
  const vrs = (item['_vrMap'] ?? {}) as Readonly<Record<string, string | undefined>>
  const keys: Key[] = []
  for (const name of names) {
    const attribute = context.attributes.itemOf(sequence, name, vrs[name])
    if (attribute === undefined) {
      if (item[name] !== null && item[name] !== '') context.unsupported.push(name)
      continue
    }
    const matching = attribute.vr === 'SQ' ? matchingOfSequence(attribute, item[name], context, depth + 1) : matchingOf(attribute, item[name], context.negotiated)
    checkOrder(attribute, matching)
    if (matching.kind === 'universal') continue
    keys.push({ attribute, matching })
  }
  context.itemAttributes.set(sequence, names)
  return keys.length === 0 ? { kind: 'universal' } : { kind: 'sequence', keys }
}

function itemOf({ name, tag }: IndexedAttribute, value: unknown, depth: number): DataSet | undefined {
  if (value === null || value === undefined || value === '') return undefined
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (items.length === 0) return undefined
  if (items.length > 1) throw violation(`More than one item: ${name}`, tag)
  const [item] = items
  if (typeof item !== 'object' || item === null || item instanceof String || item instanceof ArrayBuffer) throw violation(`Not a sequence: ${name}`, tag)
  if (depth > MAXIMUM_DEPTH) throw violation(`Sequences nested too deep: ${name}`, tag)
  return item as DataSet
}
