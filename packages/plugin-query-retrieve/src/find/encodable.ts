import { TransferSyntax, encodeDataSet } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'

/** VRs whose text may be any, in a character set that has it. */
const TEXT: ReadonlySet<string> = new Set(['LO', 'LT', 'SH', 'ST', 'UC', 'UT'])
/** VRs of the default repertoire; the framework writes what Latin-1 has. */
const PLAIN_TEXT: ReadonlySet<string> = new Set(['AE', 'AS', 'CS', 'DA', 'DT', 'TM', 'UI', 'UR'])
const BEYOND_LATIN_1 = /[^\0-\xff]/

/**
 * Takes care that an answer can be encoded. What is stored came from peers: Series Numbers of twenty digits, numbers
 * that are text, a VR that is not that of the attribute. Such a value is returned as text where its VR has text, else
 * its attribute is returned without a value: one bad instance must not make a query fail that finds a thousand.
 */
export async function makeEncodable(answer: DataSet, returned: readonly IndexedAttribute[]): Promise<void> {
  for (const { name, vr } of returned) {
    const value = answer[name]
    if (isSurelyEncodable(vr, value)) continue
    if (await isEncodable(answer, name, value)) continue
    const text = vr === 'IS' || vr === 'DS' ? textsOf(value) : undefined
    answer[name] = text !== undefined && (await isEncodable(answer, name, text)) ? text : null
  }
}

/** VRs of numbers with their bounds; `xs` is US or SS. */
const INTEGERS: Readonly<Record<string, readonly [lowest: number, highest: number]>> = {
  IS: [-(2 ** 31), 2 ** 31 - 1],
  US: [0, 0xffff],
  xs: [0, 0x7fff],
  SS: [-0x8000, 0x7fff],
  UL: [0, 0xffffffff],
  SL: [-(2 ** 31), 2 ** 31 - 1],
}
const DECIMALS: ReadonlySet<string> = new Set(['DS', 'FD', 'FL'])
/** VRs that have one value (PS3.5 6.2). */
const SINGLE: ReadonlySet<string> = new Set(['LT', 'ST', 'UR', 'UT'])

/** What needs no trial, as nearly everything does not. */
function isSurelyEncodable(vr: string, value: unknown): boolean {
  if (value === null || value === undefined || vr === 'PN') return true
  if (Array.isArray(value)) return vr !== 'SQ' && !SINGLE.has(vr) && value.every((one) => one !== null && isSurelyEncodable(vr, one))
  if (typeof value === 'string') return TEXT.has(vr) || (PLAIN_TEXT.has(vr) && !BEYOND_LATIN_1.test(value))
  if (typeof value !== 'number') return false
  if (DECIMALS.has(vr)) return Number.isFinite(value)
  const [lowest, highest] = INTEGERS[vr] ?? [1, 0]
  return Number.isInteger(value) && value >= lowest && value <= highest
}

async function isEncodable(answer: DataSet, name: string, value: unknown): Promise<boolean> {
  try {
    await encodeDataSet({ SpecificCharacterSet: 'ISO_IR 192', [name]: value, _vrMap: answer['_vrMap'] ?? {} }, TransferSyntax.ExplicitVRLittleEndian)
    return true
  } catch {
    return false
  }
}

function textsOf(value: unknown): string | readonly string[] {
  return Array.isArray(value) ? value.map((one) => (one === null ? '' : String(one))) : String(value)
}
