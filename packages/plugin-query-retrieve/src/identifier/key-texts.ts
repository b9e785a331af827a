import type { IndexedAttribute } from '../model/attributes.ts'
import { violation } from './violation.ts'

/** UIDs of one key: a list of instances is long. */
const MAXIMUM_UIDS = 65_536
/** Of other keys: each may be compared with each row. */
export const MAXIMUM_VALUES = 256

/** The values of a key as they were sent, without empty ones. @throws StatusError A900 when they are no values of its VR */
export function textsOfKey({ name, tag, vr }: IndexedAttribute, value: unknown): readonly string[] {
  if (value === null || value === undefined) return []
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > (vr === 'UI' ? MAXIMUM_UIDS : MAXIMUM_VALUES)) throw violation(`Too many values: ${name}`, tag)
  const texts = values.map((one) => {
    if (one === null || one === undefined) return ''
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'bigint' || one instanceof String) return String(one)
    throw violation(`Not of its VR: ${name}`, tag)
  })
  if (texts.some((text) => text.includes('\ufffd'))) throw violation(`Text is not in its character set: ${name}`, tag)
  return texts.filter((text) => !isBlank(text))
}

function isBlank(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text[at] !== ' ' && text[at] !== '\0') return false
  return true
}

/** Only asterisks: the same as no value (PS3.4 C.2.2.2.4 note 1). */
export function isAnything(text: string): boolean {
  let isFound = false
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '*') isFound = true
    else if (text[at] !== ' ') return false
  }
  return isFound
}

export function hasWildcard(text: string): boolean {
  return text.includes('*') || text.includes('?')
}

/** Longer patterns are no queries, and each row would pay for them. */
const MAXIMUM_PATTERN_CHARACTERS = 256

/** A pattern without asterisks that mean nothing. @throws StatusError A900 when it is too long */
export function checkedPattern({ name, tag }: IndexedAttribute, pattern: string): string {
  if (pattern.length > MAXIMUM_PATTERN_CHARACTERS) throw violation(`Wildcard key too long: ${name}`, tag)
  return pattern.replace(/\*{2,}/g, '*')
}
