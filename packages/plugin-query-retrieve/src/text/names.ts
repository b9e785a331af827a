import { boundText, columnText } from './bounded.ts'
import { foldText } from './fold.ts'

/** The component groups of a person name (PS3.5 6.2.1), folded; `''` for absent. */
export interface FoldedName {
  readonly alphabetic: string
  readonly ideographic: string
  readonly phonetic: string
}

export const NO_NAME: FoldedName = { alphabetic: '', ideographic: '', phonetic: '' }

/** Sixteen times what a group may have (PS3.5 6.2.1): folding makes one character eighteen. */
const MAXIMUM_GROUP_CHARACTERS = 1024

/** Delimiters and spaces of a group are compared as if each component had been typed without spaces around it. */
export function foldGroup(group: string): string {
  const components = foldText(boundText(group.slice(0, MAXIMUM_GROUP_CHARACTERS)))
    .split('^')
    .map((component) => component.split(/\s+/).filter((word) => word !== '').join(' '))
  while (components.at(-1) === '') components.pop()
  return components.join('^')
}

/**
 * A person name of a data set, `{ Alphabetic, Ideographic, Phonetic }` or text with `=`, folded: without case,
 * accents, width, spaces around components and delimiters at the end.
 */
export function foldName(value: unknown): FoldedName {
  const [alphabetic, ideographic, phonetic] = groupsOf(value)
  return { alphabetic: columnText(foldGroup(alphabetic)), ideographic: columnText(foldGroup(ideographic)), phonetic: columnText(foldGroup(phonetic)) }
}

/** The component groups as they are written: alphabetic, ideographic, phonetic. */
export function groupsOf(value: unknown): readonly [string, string, string] {
  if (typeof value === 'string' || value instanceof String) {
    const [alphabetic = '', ideographic = '', phonetic = ''] = boundText(value.valueOf()).split('=', 3)
    return [alphabetic, ideographic, phonetic]
  }
  if (typeof value !== 'object' || value === null) return ['', '', '']
  const { Alphabetic, Ideographic, Phonetic } = value as Readonly<Record<string, unknown>>
  return [textOrNothing(Alphabetic), textOrNothing(Ideographic), textOrNothing(Phonetic)]
}

function textOrNothing(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/**
 * What a pattern of `NameMatching` stands for: any of these, with `*` and `?` for wildcards. Components that are
 * absent at the end are the same as empty ones (PS3.5 6.2.1.1), so `doe^*` means `doe` too.
 *
 * @example
 * namePatterns('doe^*') // ['doe^*', 'doe']
 */
export function namePatterns(pattern: string): readonly string[] {
  const patterns = [pattern]
  for (let rest = pattern; rest.endsWith('^*'); ) {
    rest = rest.slice(0, -2)
    while (rest.endsWith('^')) rest = rest.slice(0, -1)
    // A name that is absent matches no pattern.
    if (rest !== '') patterns.push(rest)
  }
  return patterns
}
