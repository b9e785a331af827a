import { canEncodeText } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'

const BEYOND_ASCII = /[^\0-\x7e]/
const UTF_8 = ['ISO_IR 192'] as const

/**
 * Specific Character Set of a match: that of the query when it has all characters, else one in which the values were
 * stored, else UTF-8. Undefined when all is ASCII, and then it stands for nothing (PS3.4 C.4.1.1.3.2).
 */
export function answerCharacterSet(
  answer: DataSet,
  ofQuery: readonly string[],
  asStored: readonly (readonly string[])[],
): readonly string[] | undefined {
  const texts: string[] = []
  collectTexts(answer, texts)
  if (texts.length === 0) return undefined
  const text = texts.join(' ')
  return [ofQuery, ...asStored].find((terms) => terms.length > 0 && canEncodeText(text, terms)) ?? UTF_8
}

function collectTexts(value: unknown, into: string[]): void {
  if (typeof value === 'string') {
    if (BEYOND_ASCII.test(value)) into.push(value)
  } else if (Array.isArray(value)) {
    for (const one of value) collectTexts(one, into)
  } else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) collectTexts((value as DataSet)[key], into)
  }
}

/** Specific Character Set of a data set as a list of terms. */
export function characterSetsOf(value: unknown): readonly string[] {
  const terms = (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]).map(String)
  return terms.every((term) => term.trim() === '') ? [] : terms
}
