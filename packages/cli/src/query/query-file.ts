import { readFile, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { decodeDataSet, decodePart10Header, TransferSyntax } from '@dicomtap/framework'
import type { DataSet, Dictionary } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { parseAttributePath, keywordOf } from './attribute-path.ts'
import type { PathStep } from './attribute-path.ts'
import { isItem, plainDataSet } from './data-set-elements.ts'
import { fromJsonElement, isJsonElement } from './dicom-json.ts'
import { setKey } from './identifier.ts'
import { keyValue } from './key-value.ts'

const MAXIMUM_FILE_BYTES = 16 * 1024 * 1024
const NUMBERS: ReadonlySet<string> = new Set(['DS', 'FD', 'FL', 'IS', 'SL', 'SS', 'SV', 'UL', 'US', 'UV', 'xs'])

/**
 * The keys in a file: a DICOM file, with or without its header; or JSON or YAML with keywords or paths to
 * values, or in the DICOM JSON Model (PS3.18 F).
 *
 * @throws UsageError
 */
export async function readQueryFile(file: string, dictionary: Dictionary): Promise<DataSet> {
  const bytes = await readSmallFile(file)
  switch (extname(file).toLowerCase()) {
    case '.json':
      return fromObject(parse(file, () => JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/u, '')) as unknown), file, dictionary)
    case '.yaml':
    case '.yml': {
      const { defaultLoadersSync } = await import('cosmiconfig')
      return fromObject(parse(file, () => defaultLoadersSync['.yaml'](file, bytes.toString('utf8')) as unknown), file, dictionary)
    }
    default:
      return fromDicomFile(bytes, file, dictionary)
  }
}

async function readSmallFile(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file)
    if (size > MAXIMUM_FILE_BYTES) throw new UsageError(`${file} has ${size} bytes, which is no query`)
    return await readFile(file)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

function parse(file: string, read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message.split('\n', 1)[0]}`)
  }
}

async function fromDicomFile(bytes: Buffer, file: string, dictionary: Dictionary): Promise<DataSet> {
  const isPart10 = bytes.toString('latin1', 128, 132) === 'DICM'
  try {
    const { meta, dataSetOffset } = isPart10 ? decodePart10Header(bytes) : { meta: {}, dataSetOffset: 0 }
    const transferSyntaxUid = 'transferSyntaxUid' in meta ? meta.transferSyntaxUid : undefined
    const decoded = await decodeDataSet(bytes.subarray(dataSetOffset), transferSyntaxUid ?? TransferSyntax.ImplicitVRLittleEndian)
    return plainDataSet(decoded, dictionary)
  } catch (error) {
    throw new UsageError(`${file} is neither a DICOM file nor named .json, .yaml or .yml: ${(error as Error).message}`)
  }
}

/** A data set out of an object of keys, whose names are all that a key's name may be on the command line. */
export function fromObject(object: unknown, file: string, dictionary: Dictionary): DataSet {
  // A DICOM JSON file holds a list of data sets.
  const root: unknown = Array.isArray(object) && object.length === 1 ? object[0] : object
  if (!isItem(root)) throw new UsageError(`${file}: expected an object of keys, e.g. {"PatientID": "123"}`)
  const dataset: DataSet = {}
  for (const [text, value] of Object.entries(root)) {
    const path = at(file, () => parseAttributePath(text, dictionary))
    const last = path.at(-1) as PathStep
    if (isJsonElement(value)) {
      const step: PathStep = { ...last, vr: value.vr, isVrGiven: dictionary.vrOf(last.tag) !== value.vr }
      setValue(dataset, [...path.slice(0, -1), step], fromJsonElement(value, dictionary))
    } else {
      setValue(dataset, path, at(file, () => valueOf(last, value, file, dictionary)))
    }
  }
  return dataset
}

function setValue(dataset: DataSet, path: readonly PathStep[], value: unknown): void {
  const last = path.at(-1) as PathStep
  if (last.vr !== 'SQ' || last.item !== undefined) return setKey(dataset, { path, value })
  // The sequence as a whole: its items are the value.
  setKey(dataset, { path, value: undefined })
  let target = dataset
  for (const { name, item = 0 } of path.slice(0, -1)) target = (target[name] as DataSet[])[item] as DataSet
  target[last.name] = value ?? []
}

function valueOf(step: PathStep, value: unknown, file: string, dictionary: Dictionary): unknown {
  if (value === null || value === undefined || value === '') return null
  if (step.vr === 'SQ') {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value]
    return items.map((item) => fromObject(item, file, dictionary))
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return keyValue(step, values.map((one) => scalar(step, one)).join('\\'), dictionary)
}

function scalar(step: PathStep, value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null) return ''
  // YAML makes dates out of 2026-01-31, and numbers out of 00123, which would lose its zeros.
  if (value instanceof Date && (step.vr === 'DA' || step.vr === 'DT')) return value.toISOString().slice(0, 10).replaceAll('-', '')
  if (typeof value === 'number' && (NUMBERS.has(step.vr) || (step.vr === 'DA' && value > 1e7))) return String(value)
  throw new UsageError(`${keywordOf(step)} must be text: put its value in quotes`)
}

function at<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof UsageError) || error.message.startsWith(file)) throw error
    throw new UsageError(`${file}: ${error.message}`)
  }
}
