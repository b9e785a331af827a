import type { DataSet } from '@dicomtap/framework'
import { textOf } from '../text/values.ts'
import { Tag, violation } from './violation.ts'

/** Defined terms of PS3.3 C.12.1.1.2. */
const TERMS = /^(?:ISO_IR (?:6|13|100|101|109|110|126|127|138|144|148|166|192|203)|ISO 2022 IR (?:6|13|58|87|100|101|109|110|126|127|138|144|148|149|159|166|203)|GB18030|GBK)$/
const ASCII = /^[\0-\x7f]*$/
const MAXIMUM_DEPTH = 8

/**
 * Specific Character Set (0008,0005) of an identifier. With one that is not supported matching is up to the SCP (PS3.4
 * C.2.2.2): keys in the default repertoire mean the same in all of them and are matched; other text is refused
 * rather than compared with what it does not say.
 * @throws StatusError A900
 */
export function characterSetsOf(identifier: DataSet): readonly string[] {
  const value = identifier['SpecificCharacterSet']
  const terms = (Array.isArray(value) ? (value as readonly unknown[]) : [value]).map(textOf)
  while (terms.at(-1) === '') terms.pop()
  const isSupported = terms.every((term, index) => TERMS.test(term) || (index === 0 && term === ''))
  if (!isSupported && !isAscii(identifier, 0)) throw violation('Specific Character Set is not supported', Tag.SpecificCharacterSet)
  return isSupported ? terms : []
}

function isAscii(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return ASCII.test(value)
  if (depth > MAXIMUM_DEPTH) return false
  if (Array.isArray(value)) return value.every((one) => isAscii(one, depth + 1))
  if (typeof value !== 'object' || value === null || value instanceof ArrayBuffer) return true
  return Object.values(value).every((one) => isAscii(one, depth + 1))
}
