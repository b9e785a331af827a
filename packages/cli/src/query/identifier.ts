import type { DataSet, Dictionary } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { parseAttributePath } from './attribute-path.ts'
import type { PathStep } from './attribute-path.ts'
import { elementsOf, isItem, VR_MAP } from './data-set-elements.ts'
import { keyValue } from './key-value.ts'

/** A key of a query: where it stands and what it is to match; `null` only asks for the attribute. */
export interface QueryKey {
  readonly path: readonly PathStep[]
  readonly value: unknown
  /** Only asks for the attribute, by its name alone: a value that is there stays. */
  readonly isReturnKey?: boolean
}

/**
 * Parses `Keyword=value`, or `Keyword` alone: a return key.
 *
 * @throws UsageError
 */
export function parseKey(text: string, dictionary: Dictionary, now?: Date): QueryKey {
  const [name = '', ...rest] = text.split('=')
  if (name.trim() === '') throw new UsageError(`"${text}" is no key; a key looks like PatientID=123, or PatientID alone to ask for it`)
  const path = parseAttributePath(name.trim(), dictionary)
  const value = keyValue(path.at(-1) as PathStep, rest.join('='), dictionary, now)
  return { path, value, isReturnKey: rest.length === 0 }
}

/** Sets a key in `dataset`; items that are on its way and not there are made, empty. */
export function setKey(dataset: DataSet, { path, value, isReturnKey = false }: QueryKey): void {
  let target = dataset
  for (const [index, step] of path.entries()) {
    noteVr(target, step)
    const isLast = index === path.length - 1
    if (isLast && step.vr !== 'SQ') target[step.name] = isReturnKey ? (target[step.name] ?? null) : value
    else if (isLast && step.item === undefined) target[step.name] ??= []
    else target = itemOf(target, step)
  }
}

function noteVr(dataset: DataSet, { name, vr, isVrGiven }: PathStep): void {
  const isUnknown = vr === 'UN'
  if (isVrGiven || isUnknown) dataset[VR_MAP] = { ...(dataset[VR_MAP] as object | undefined), [name]: vr }
}

function itemOf(dataset: DataSet, { name, item = 0 }: PathStep): DataSet {
  const given = dataset[name]
  const items: DataSet[] = Array.isArray(given) ? (given as DataSet[]) : isItem(given) ? [given] : []
  dataset[name] = items
  while (items.length <= item) items.push({})
  return items[item] as DataSet
}

/**
 * Adds return keys that are not in the query, in one way or another, without changing what is.
 *
 * @returns the names of those that were added, with dots
 */
export function addReturnKeys(dataset: DataSet, keys: readonly string[], dictionary: Dictionary): string[] {
  const added = keys.map((text) => parseKey(text, dictionary)).filter((key) => !hasKey(dataset, key))
  for (const key of added) setKey(dataset, key)
  return added.map(({ path }) => path.map(({ name }) => name).join('.'))
}

function hasKey(dataset: DataSet, { path }: QueryKey): boolean {
  let target: DataSet | undefined = dataset
  for (const [index, { name, item = 0 }] of path.entries()) {
    if (target === undefined || !Object.hasOwn(target, name)) return false
    if (index < path.length - 1) target = (target[name] as DataSet[] | null)?.[item]
  }
  return true
}

/** The text of a top-level key with one value and no wildcard; undefined otherwise. */
export function singleValue(dataset: DataSet, name: string): string | undefined {
  const value = dataset[name]
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value)
  return text === '' || /[*?\\]/u.test(text) ? undefined : text
}

/** Has it a key without a value, at any depth: did somebody say what is to be returned? */
export function hasReturnKey(dataset: DataSet, dictionary: Dictionary): boolean {
  return elementsOf(dataset, dictionary).some(({ vr, values }) => {
    const items = values.filter(isItem)
    return vr === 'SQ' && items.length > 0 ? items.some((item) => hasReturnKey(item, dictionary)) : values.length === 0
  })
}

/** Does its text need more than ASCII? */
export function needsCharacterSet(dataset: DataSet, dictionary: Dictionary): boolean {
  return elementsOf(dataset, dictionary).some(({ values }) =>
    values.some((value) => (isItem(value) ? needsCharacterSet(value, dictionary) : /[^\0-\x7f]/u.test(String(value)))),
  )
}
