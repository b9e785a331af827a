import type { DataSet, Dictionary } from '@dicomtap/framework'
import { bytesOf, isItem, nameText, sortedElementsOf, tagDigits, VR_MAP } from './data-set-elements.ts'
import type { Element } from './data-set-elements.ts'

/** An attribute of the DICOM JSON Model (PS3.18 F.2). */
export interface DicomJsonElement {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly InlineBinary?: string
}
export type DicomJson = { [tag: string]: DicomJsonElement }

/** A data set in the DICOM JSON Model of PS3.18 F: `{"00100020":{"vr":"LO","Value":["123"]}}`. */
export function toDicomJson(dataset: DataSet, dictionary: Dictionary): DicomJson {
  const json: DicomJson = {}
  for (const element of sortedElementsOf(dataset, dictionary)) {
    json[tagDigits(element.tag)] = toJsonElement(element, dictionary)
  }
  return json
}

function toJsonElement({ vr, values }: Element, dictionary: Dictionary): DicomJsonElement {
  const [first] = values
  const bytes = bytesOf(first)
  if (bytes !== undefined) return { vr, InlineBinary: bytes.toString('base64') }
  if (values.length === 0) return { vr }
  return { vr, Value: values.map((value) => jsonModelValue(vr, value, dictionary)) }
}

function jsonModelValue(vr: string, value: unknown, dictionary: Dictionary): unknown {
  if (value === null || value === '') return null
  if (vr === 'SQ') return isItem(value) ? toDicomJson(value, dictionary) : {}
  if (vr === 'PN') return personName(nameText(value))
  if (vr === 'AT') return tagDigits(value)
  return plainValue(value)
}

function personName(text: string): Record<string, string> {
  const [Alphabetic = '', Ideographic = '', Phonetic = ''] = text.split('=')
  return Object.fromEntries(Object.entries({ Alphabetic, Ideographic, Phonetic }).filter(([, group]) => group !== ''))
}

/** A data set as scripts like it: keywords to values, `null` for none, a list for several. */
export function toKeywordJson(dataset: DataSet, dictionary: Dictionary): Record<string, unknown> {
  return Object.fromEntries(
    sortedElementsOf(dataset, dictionary).map(({ keyword, vr, values }) => {
      const plain = values.map((value) => keywordValue(vr, value, dictionary))
      return [keyword, vr === 'SQ' ? plain : plain.length === 0 ? null : plain.length === 1 ? plain[0] : plain]
    }),
  )
}

function keywordValue(vr: string, value: unknown, dictionary: Dictionary): unknown {
  if (vr === 'SQ') return isItem(value) ? toKeywordJson(value, dictionary) : {}
  if (value === null) return null
  if (vr === 'PN') return nameText(value)
  if (vr === 'AT') return tagDigits(value)
  return bytesOf(value)?.toString('base64') ?? plainValue(value)
}

/** What JSON has: integers that it cannot hold, and numbers that are none, are text. */
function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  return typeof value === 'string' ? value : String(value)
}

/** Is it an attribute of the DICOM JSON Model? */
export function isJsonElement(value: unknown): value is DicomJsonElement {
  if (!isItem(value) || typeof value['vr'] !== 'string') return false
  return Object.keys(value).every((key) => /^(?:vr|Value|InlineBinary|BulkDataURI)$/u.test(key))
}

/** The value of an attribute of the DICOM JSON Model, as a DataSet holds it. */
export function fromJsonElement({ vr, Value = [], InlineBinary }: DicomJsonElement, dictionary: Dictionary): unknown {
  if (InlineBinary !== undefined) return [Buffer.from(InlineBinary, 'base64')]
  const values = Value.map((value) => {
    if (vr === 'SQ') return fromDicomJson((value ?? {}) as DicomJson, dictionary)
    return vr === 'PN' ? nameText(value) : value
  })
  if (vr === 'SQ') return values
  return values.length === 0 ? null : values.length === 1 ? values[0] : values
}

/** A data set out of the DICOM JSON Model. */
export function fromDicomJson(json: DicomJson, dictionary: Dictionary): DataSet {
  const dataset: DataSet = {}
  const vrs: Record<string, string> = {}
  for (const [digits, element] of Object.entries(json)) {
    const tag = Number.parseInt(digits, 16)
    const name = dictionary.nameOf(tag)
    dataset[name] = fromJsonElement(element, dictionary)
    if (dictionary.vrOf(tag) !== element.vr) vrs[name] = element.vr
  }
  return Object.keys(vrs).length === 0 ? dataset : { ...dataset, [VR_MAP]: vrs }
}

