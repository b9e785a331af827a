import { sopClassByUid } from '@dicomtap/framework'
import type { DataSet, Dictionary } from '@dicomtap/framework'
import { tagText } from './attribute-path.ts'
import { bytesOf, elementsOf, isItem, nameText, plainText, VR_MAP } from './data-set-elements.ts'
import type { Element } from './data-set-elements.ts'

/** One attribute of a match that is shown. */
export interface Column {
  /** Names in the data set, from the outside in; within a sequence the item is meant. */
  readonly path: readonly ColumnStep[]
  /** The keyword, with those of its sequences when another column has the same. */
  readonly title: string
  readonly vr: string
  /** Asked for by default, not by name: nobody misses it when no match has it. */
  readonly isOptional: boolean
}
interface ColumnStep {
  readonly name: string
  readonly keyword: string
  readonly item: number
}

/** Part of every identifier, and the same in every match. */
const HIDDEN: ReadonlySet<string> = new Set(['SpecificCharacterSet', 'QueryRetrieveLevel', 'TimezoneOffsetFromUTC'])

/**
 * The columns of what a query asks for, in its order, UIDs last: they are long, and are copied rather than read.
 *
 * @param defaults names, with dots, of what was added to the query because nobody said what is wanted
 */
export function columnsOf(identifier: DataSet, dictionary: Dictionary, defaults: ReadonlySet<string> = new Set()): Column[] {
  const leaves = leavesOf(identifier, [], dictionary).filter(({ path }) => path.length > 1 || !HIDDEN.has(path[0]?.name ?? ''))
  const count = new Map<string, number>()
  for (const { path } of leaves) {
    const last = path.at(-1)?.keyword ?? ''
    count.set(last, (count.get(last) ?? 0) + 1)
  }
  const columns = leaves.map(({ path, vr }): Column => {
    const last = path.at(-1)?.keyword ?? ''
    const isOptional = defaults.has(path.map(({ name }) => name).join('.'))
    return { path, vr, title: count.get(last) === 1 ? last : longTitle(path), isOptional }
  })
  return [...columns.filter(({ vr }) => vr !== 'UI'), ...columns.filter(({ vr }) => vr === 'UI')]
}

function leavesOf(dataset: DataSet, outer: readonly ColumnStep[], dictionary: Dictionary): Pick<Column, 'path' | 'vr'>[] {
  return elementsOf(dataset, dictionary).flatMap(({ tag, name, keyword, vr, values }) => {
    const title = keyword === name && /^[0-9A-F]{8}$/u.test(keyword) ? tagText(tag) : keyword
    const items = vr === 'SQ' ? values.filter(isItem) : []
    const inner = items.flatMap((item, index) => {
      return leavesOf(item, [...outer, { name, keyword: title, item: index }], dictionary)
    })
    return inner.length > 0 ? inner : [{ path: [...outer, { name, keyword: title, item: 0 }], vr }]
  })
}

function longTitle(path: readonly ColumnStep[]): string {
  return path.map(({ keyword, item }, index) => (item > 0 && index < path.length - 1 ? `${keyword}[${item}]` : keyword)).join('.')
}

/** The element of a match that a column shows. */
export function elementAt(match: DataSet, { path }: Column, dictionary: Dictionary): Element | undefined {
  let target: DataSet | undefined = match
  for (const [index, { name, item }] of path.entries()) {
    if (target === undefined) return undefined
    if (!Object.hasOwn(target, name)) return undefined
    const element: Element | undefined = elementsOf({ [name]: target[name], [VR_MAP]: target[VR_MAP] }, dictionary)[0]
    if (index === path.length - 1) return element
    const next: unknown = element?.values[item]
    target = isItem(next) ? next : undefined
  }
  return undefined
}

/** The values of an element as they stand in it, separated by backslashes: for CSV and scripts. */
export function rawText(element: Element | undefined): string {
  return (element?.values ?? []).map((value) => rawValue(element?.vr ?? '', value)).join('\\')
}

function rawValue(vr: string, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (vr === 'PN') return nameText(value)
  if (vr === 'AT' && typeof value === 'number') return tagText(value)
  const bytes = bytesOf(value)
  return bytes === undefined ? plainText(value) : bytes.toString('base64')
}

/** The same for people: `Doe, Jane`, `2026-01-31`, `08:30`, `CT Image Storage`. */
export function readableText(element: Element | undefined, dictionary: Dictionary): string {
  if (element === undefined) return ''
  const { vr, values } = element
  return values.map((value) => readableValue(vr, value, dictionary)).filter((text) => text !== '').join(', ')
}

function readableValue(vr: string, value: unknown, dictionary: Dictionary): string {
  if (vr === 'SQ') return isItem(value) ? readableItem(value, dictionary) : ''
  const bytes = bytesOf(value)
  if (bytes !== undefined) return `${bytes.length} bytes`
  const text = rawValue(vr, value)
  switch (vr) {
    case 'PN':
      return readableName(text)
    case 'DA':
      return text.replace(/^(\d{4})(\d{2})(\d{2})$/u, '$1-$2-$3')
    case 'TM':
      return readableTime(text)
    case 'DT':
      return text.replace(/^(\d{4})(\d{2})(\d{2})(\d{4,6}(?:\.\d+)?)/u, (_, year: string, month: string, day: string, time: string) => {
        return `${year}-${month}-${day} ${readableTime(time)}`
      })
    case 'UI':
      return sopClassByUid(text)?.name ?? text
    default:
      return text
  }
}

function readableTime(text: string): string {
  return text.replace(/^(\d{2})(\d{2})(\d{2})?(?:\.\d+)?$/u, (_, hours: string, minutes: string, seconds?: string) => {
    return [hours, minutes, ...(seconds === undefined ? [] : [seconds])].join(':')
  })
}

/** A coded entry says what it means (PS3.3 8); other items say what is in them. */
function readableItem(item: DataSet, dictionary: Dictionary): string {
  const { CodeMeaning, CodeValue } = item
  if (typeof CodeMeaning === 'string' || typeof CodeValue === 'string') return String(CodeMeaning ?? CodeValue)
  return elementsOf(item, dictionary)
    .map((element) => `${element.keyword}=${readableText(element, dictionary)}`)
    .join(' ')
}

/** `Family, Prefix Given Middle, Suffix` (PS3.5 6.2.1.1); in brackets the ideographic and the phonetic form. */
function readableName(text: string): string {
  const [alphabetic = '', ...others] = text.split('=')
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = alphabetic.split('^').map((part) => part.trim())
  const first = [family, words([prefix, given, middle]), suffix].filter((part) => part !== '').join(', ')
  const rest = others.map((group) => words(group.split('^'))).filter((group) => group !== '').join(' / ')
  if (first === '' || rest === '') return first + rest
  return `${first} (${rest})`
}

function words(parts: readonly string[]): string {
  return parts.map((part) => part.trim()).filter((part) => part !== '').join(' ')
}
