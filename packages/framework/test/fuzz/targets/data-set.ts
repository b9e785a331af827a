import assert from 'node:assert/strict'
import type { FileHandle } from 'node:fs/promises'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { DEFAULT_CHARACTER_SET, decodeText, parseCharacterSet } from '../../../dist/dataset/character-sets.js'
import { BulkDataRemover } from '../../../dist/dataset/bulk-data-remover.js'
import { ElementConverter } from '../../../dist/dataset/convert-elements.js'
import { buildDataSet } from '../../../dist/dataset/decode.js'
import { loadDictionary } from '../../../dist/dataset/dictionary.js'
import {
  DataSetHeadParser,
  TransferSyntax,
  checkDataSetStructure,
  decodeDataSet,
  decodePart10Header,
  encodePart10Header,
  readFileAttributes,
} from '../../../dist/dataset/index.js'
import type { FileMeta } from '../../../dist/dataset/index.js'
import { writeDataSet } from '../../../dist/dataset/encode.js'
import { encodingOf } from '../../../dist/dataset/structure.js'
import { SAMPLE_KINDS, encodedSample } from '../../../dist/testing/sample-datasets.js'
import { attempt, cut, expectError } from './target.ts'
import type { FuzzTarget } from './target.ts'

const CODES = ['DICOMTAP_ERR_DS_MALFORMED', 'DICOMTAP_ERR_DS_TOO_LARGE']
const ENCODE_CODES = ['DICOMTAP_ERR_DS_ENCODE']
const LIMITS = { maximumElements: 4_000, maximumValues: 20_000 }
const SYNTAXES = [
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.ExplicitVRBigEndian,
  TransferSyntax.JPEGBaseline8Bit,
] as const

const META: FileMeta = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3',
  transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
  implementationClassUid: '2.25.1',
  implementationVersionName: 'SEED',
  sourceApplicationEntityTitle: 'MODALITY',
}

/** Input: the start of a DICOM file (PS3.10 7.1) without its preamble of 128 bytes. */
export const fileMeta: FuzzTarget = {
  name: 'file-meta',
  limits: { maximumInputBytes: 4_096, freeBytes: 20_000, blocksPerByte: 20, memoryPerByte: 8 },
  seeds: () => [encodePart10Header(META).subarray(128)],
  run(input) {
    const file = Buffer.concat([Buffer.alloc(128), input])
    const header = attempt(CODES, () => decodePart10Header(file))
    if (header === undefined) return
    assert.ok(header.dataSetOffset >= 132 && header.dataSetOffset <= file.length)
    const again = decodePart10Header(encodePart10Header({ ...META, ...header.meta }))
    assert.deepEqual({ ...again.meta, ...header.meta }, again.meta)
  },
}

async function samples(): Promise<{ syntax: number; bytes: Buffer }[]> {
  const all = SYNTAXES.flatMap((uid, syntax) =>
    SAMPLE_KINDS.map(async (kind) => ({ syntax, bytes: await encodedSample(kind, uid, { rows: 4, columns: 4, frames: 2 }) })),
  )
  return Promise.all(all)
}

const dictionary = await loadDictionary()

/** Input: a byte that says which transfer syntax, and a data set. */
export const dataSet: FuzzTarget = {
  name: 'data-set',
  limits: { maximumInputBytes: 4_096, freeBytes: 20_000, blocksPerByte: 100, memoryPerByte: 8 },
  seeds: async () => (await samples()).map(({ syntax, bytes }) => Buffer.concat([Buffer.of(syntax), bytes])),
  run(input) {
    const uid = SYNTAXES[(input[0] ?? 0) % SYNTAXES.length]!
    const encoding = encodingOf(uid)
    const bytes = input.subarray(1)
    const value = attempt(CODES, () => buildDataSet(bytes, encoding, dictionary, LIMITS))
    if (value === undefined) return
    // Without a dictionary less is known to be wrong.
    checkDataSetStructure(bytes, uid, LIMITS)
    const again = attempt(ENCODE_CODES, () => writeDataSet(value, encoding, dictionary))
    if (again === undefined) return
    // What cannot be kept, such as an eleventh digit, is lost once.
    const kept = buildDataSet(again, encoding, dictionary, {})
    if (hasTextBeforeItsCharacterSet(kept)) return
    assert.deepEqual(buildDataSet(writeDataSet(kept, encoding, dictionary), encoding, dictionary, {}), kept)
  },
}

const SPECIFIC_CHARACTER_SET = 0x00080005

/**
 * Groups 0001 to 0007, which are not to be used (PS3.5 7.8) or have no such text, and Length to End come before
 * Specific Character Set. Text there, of a VR that a hostile peer gave it, is read without it.
 */
function hasTextBeforeItsCharacterSet(value: object): boolean {
  let isEarly = false
  JSON.stringify(value, (name, one: unknown) => {
    const tag = /^[0-9A-F]{8}$/i.test(name) ? Number.parseInt(name, 16) : dictionary.byName(name)?.tag
    isEarly ||= tag !== undefined && tag < SPECIFIC_CHARACTER_SET
    return typeof one === 'bigint' ? String(one) : one
  })
  return isEarly
}

/** Input: a byte that says which transfer syntax, and the data set of a file, whose attributes are read. */
export const fileAttributes: FuzzTarget = {
  name: 'file-attributes',
  limits: { maximumInputBytes: 4_096, freeBytes: 100_000, blocksPerByte: 200, memoryPerByte: 20 },
  seeds: async () => (await samples()).map(({ syntax, bytes }) => Buffer.concat([Buffer.of(syntax), bytes])),
  async run(input) {
    const uid = SYNTAXES[(input[0] ?? 0) % SYNTAXES.length]!
    const bytes = input.subarray(1)
    // Elements of group 0002 belong to the header, wherever that is said to end.
    if (bytes.length >= 2 && bytes.readUInt16LE(0) === 0x0002) return
    const file = inMemory(Buffer.concat([encodePart10Header({ ...META, transferSyntaxUid: uid }), bytes]))
    const whole = attempt(CODES, () => buildDataSet(bytes, encodingOf(uid), dictionary, {}))
    const read = await readFileAttributes(file).catch((error: unknown) => expectError(error, CODES))
    const tolerant = await readFileAttributes(file, { isTolerant: true })
    if ('dataset' in read) assert.deepEqual(tolerant.dataset, read.dataset)
    else assert.ok(tolerant.problem !== undefined)
    const some = await readFileAttributes(file, { isTolerant: true, attributes: WANTED })
    for (const name of Object.keys(some.dataset)) assert.ok(name in tolerant.dataset, name)
    if (whole === undefined) return
    // What stands behind the pixels was not looked at.
    assert.ok('dataset' in read)
    for (const name of Object.keys(read.dataset)) assert.ok(name in whole, name)
    if (Object.keys(whole).length === Object.keys(read.dataset).length) assert.deepEqual(read.dataset, whole)
  },
}

function inMemory(file: Buffer): FileHandle {
  const handle = {
    stat: () => Promise.resolve({ isFile: () => true, size: file.length, mtimeMs: 0 }),
    read: (buffer: Buffer, offset: number, length: number, position: number) =>
      Promise.resolve({ bytesRead: file.copy(buffer, offset, position, position + length) }),
  }
  return handle as unknown as FileHandle
}

const WANTED = [0x00080005, 0x00080016, 0x00080018, 0x00100010, 0x00100020, 0x0020000d, 0x0020000e]

/** Input: a byte that says which transfer syntax, two that say how it is cut, and a data set that streams by. */
export const dataSetStream: FuzzTarget = {
  name: 'data-set-stream',
  limits: { maximumInputBytes: 4_096, freeBytes: 400_000, blocksPerByte: 200, memoryPerByte: 8 },
  seeds: async () => (await samples()).map(({ syntax, bytes }) => Buffer.concat([Buffer.of(syntax, 7, 8), bytes])),
  run(input) {
    const uid = SYNTAXES[(input[0] ?? 0) % SYNTAXES.length]!
    const { explicitVr, bigEndian, encapsulated } = encodingOf(uid)
    const bytes = input.subarray(3)
    const pieces = cut(bytes, input.subarray(1))
    assert.deepEqual(headOf(uid, pieces), headOf(uid, [bytes]))
    if (bigEndian) return
    const withoutBulk = passed(() => new BulkDataRemover(explicitVr), [bytes])
    assert.deepEqual(passed(() => new BulkDataRemover(explicitVr), pieces), withoutBulk)
    if (encapsulated) return
    const convert = (): ElementConverter => new ElementConverter(explicitVr, !explicitVr, dictionary)
    const converted = passed(convert, [bytes])
    assert.deepEqual(passed(convert, pieces), converted)
    if (typeof converted === 'string') return
    const target = explicitVr ? TransferSyntax.ImplicitVRLittleEndian : TransferSyntax.ExplicitVRLittleEndian
    checkDataSetStructure(Buffer.from(converted.hex, 'hex'), target, { maximumElements: 100_000, maximumDepth: 1_000 })
  },
}

function headOf(uid: string, pieces: Iterable<Buffer>): unknown {
  const parser = new DataSetHeadParser(uid, WANTED, { maximumBytes: 2_048 })
  for (const piece of pieces) if (parser.push(piece)) break
  parser.end()
  return { isMalformed: parser.isMalformed, texts: WANTED.map((tag) => parser.text(tag)) }
}

interface Pass {
  push(piece: Uint8Array): Uint8Array[]
  end(): Uint8Array[]
}

/** What comes out in the end, or the code of the error. */
function passed(make: () => Pass, pieces: readonly Buffer[]): { hex: string } | string {
  const pass = make()
  const out: Uint8Array[] = []
  try {
    for (const piece of pieces) out.push(...pass.push(piece))
    out.push(...pass.end())
  } catch (error) {
    return expectError(error, CODES).code
  }
  return { hex: Buffer.concat(out).toString('hex') }
}

const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const MAXIMUM_INFLATED_BYTES = 100_000

/** Input: a byte whose lowest bit says whether the rest is deflated already, and a data set. */
export const deflated: FuzzTarget = {
  name: 'deflated',
  limits: { maximumInputBytes: 4_096, freeBytes: 200_000, blocksPerByte: 5_000, memoryPerByte: 2_500 },
  seeds: async () => {
    const plain = await encodedSample('sr', TransferSyntax.ExplicitVRLittleEndian)
    const bomb = deflateRawSync(Buffer.alloc(4_000_000))
    return [
      Buffer.concat([Buffer.of(0), plain]),
      Buffer.concat([Buffer.of(1), deflateRawSync(plain)]),
      Buffer.concat([Buffer.of(1), deflateRawSync(plain, { level: 0 })]),
      Buffer.concat([Buffer.of(1), bomb]),
    ]
  },
  async run(input) {
    const isDeflated = ((input[0] ?? 0) & 1) === 1
    const bytes = isDeflated ? input.subarray(1) : deflateRawSync(input.subarray(1))
    headOf(DEFLATED, cut(bytes, bytes))
    const inflated = inflate(bytes)
    const limits = { ...LIMITS, maximumInflatedBytes: MAXIMUM_INFLATED_BYTES }
    const decoded = await decodeDataSet(bytes, DEFLATED, limits).catch((error: unknown) => expectError(error, CODES).code)
    // As if it had come inflated.
    if (typeof inflated === 'string') return assert.equal(decoded, inflated)
    const plain = attempt(CODES, () => buildDataSet(inflated, encodingOf(DEFLATED), dictionary, LIMITS))
    assert.equal(typeof decoded === 'string', plain === undefined)
  },
}

function inflate(bytes: Buffer): Buffer | string {
  if (bytes.length === 0) return bytes
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAXIMUM_INFLATED_BYTES, finishFlush: constants.Z_FINISH })
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLarge ? 'DICOMTAP_ERR_DS_TOO_LARGE' : 'DICOMTAP_ERR_DS_MALFORMED'
  }
}

const DELIMITERS = ['', '\\', '\\^='] as const

/** Input: a byte, Specific Character Set up to a line feed, and text. */
export const text: FuzzTarget = {
  name: 'text',
  limits: { maximumInputBytes: 2_048, freeBytes: 20_000, blocksPerByte: 60, memoryPerByte: 8 },
  seeds: () =>
    [
      ['ISO_IR 192', 'c3a4c3b6'],
      ['\\ISO 2022 IR 87\\ISO 2022 IR 159', '1b244233301b2842'],
      ['ISO 2022 IR 6\\ISO 2022 IR 149', '1b242943b1e8'],
      ['ISO_IR 13\\ISO 2022 IR 13', 'd4cfc0de5e'],
      ['GB18030', 'cdf5'],
      ['\\ISO 2022 IR 58', '1b242941cdf5'],
      ['ISO_IR 144', 'bbee3d5e5c'],
      ['\\ISO 2022 IR 100\\ISO 2022 IR 101', '1b2d42b1'],
    ].map(([terms, hex]) => Buffer.concat([Buffer.of(2), Buffer.from(`${terms}\n`), Buffer.from(hex!, 'hex')])),
  run(input) {
    const end = input.indexOf(0x0a, 1)
    const terms = end < 0 ? [] : input.toString('latin1', 1, end).split('\\')
    const bytes = input.subarray(end < 0 ? 1 : end + 1)
    const characterSet = terms.length === 0 ? DEFAULT_CHARACTER_SET : parseCharacterSet(terms)
    const delimiters = DELIMITERS[(input[0] ?? 0) % DELIMITERS.length]!
    const decoded = decodeText(bytes, characterSet, delimiters)
    assert.ok(decoded.length <= bytes.length * 2, `${decoded.length} characters of ${bytes.length} bytes`)
  },
}

