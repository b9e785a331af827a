import { execFileSync } from 'node:child_process'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { TransferSyntax, decodeDataSet, encodePart10Header, headReader, loadDictionary, readFileAttributes } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { SAMPLE_KINDS, encodedSample } from '../../dist/testing/sample-datasets.js'

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-attributes-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const META = { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', sopInstanceUid: '1.2.3', implementationClassUid: '2.25.1' }
const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian

let files = 0
async function fileOf(dataSet: Buffer, transferSyntaxUid: string = EXPLICIT): Promise<string> {
  const path = join(folder, `${files++}.dcm`)
  await writeFile(path, Buffer.concat([encodePart10Header({ ...META, transferSyntaxUid }), dataSet]))
  return path
}

/** An element in Explicit VR Little Endian (PS3.5 7.1.2). */
function element(tag: number, vr: string, value: Buffer | string, length?: number): Buffer {
  const bytes = Buffer.from(value as string, 'latin1')
  const isLong = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(vr)
  const header = Buffer.alloc(isLong ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  if (isLong) header.writeUInt32LE(length ?? bytes.length, 8)
  else header.writeUInt16LE(length ?? bytes.length, 6)
  return Buffer.concat([header, bytes])
}

/** (FFFE,eeee) with a length (PS3.5 7.5). */
function item(number: number, length: number): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(0xfffe, 0)
  header.writeUInt16LE(number, 2)
  header.writeUInt32LE(length, 4)
  return header
}
const ITEM = 0xe000
const ITEM_END = item(0xe00d, 0)
const SEQUENCE_END = item(0xe0dd, 0)
const UNDEFINED = 0xffffffff

const ID = element(0x00100020, 'LO', 'ID-1')

/** Without what the function leaves out: group 7FE0 and what is longer than it keeps. */
function withoutPixels(dataset: DataSet): DataSet {
  const { PixelData: _pixels, _vrMap: vrs, ...rest } = dataset
  const { PixelData: _vr, ...otherVrs } = (vrs ?? {}) as Record<string, string>
  return Object.keys(otherVrs).length === 0 ? rest : { ...rest, _vrMap: otherVrs }
}

test('decodes what decodeDataSet does, but for pixel data: every kind of object in every encoding', async (t) => {
  const syntaxes = ['ImplicitVRLittleEndian', 'ExplicitVRLittleEndian', 'ExplicitVRBigEndian', 'DeflatedExplicitVRLittleEndian', 'JPEGBaseline8Bit'] as const
  for (const syntax of syntaxes) {
    for (const kind of SAMPLE_KINDS) {
      const uid = TransferSyntax[syntax]
      const bytes = await encodedSample(kind, uid, { rows: 200, columns: 200, frames: 2 })
      const { dataset, meta, sizeBytes, problem } = await readFileAttributes(await fileOf(bytes, uid))
      t.deepEqual(dataset, withoutPixels(await decodeDataSet(bytes, uid)), `${kind} ${syntax}`)
      t.is(meta.transferSyntaxUid, uid)
      t.is(sizeBytes, bytes.length + encodePart10Header({ ...META, transferSyntaxUid: uid }).length)
      t.is(problem, undefined)
    }
  }
})

test('a beginning in memory gives what the file does, as soon as all that was asked for is in it', async (t) => {
  const tags = [0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x0020000d, 0x00280002, 0x00280103, 0x00280120]
  const reader = headReader(tags, await loadDictionary())
  for (const syntax of ['ImplicitVRLittleEndian', 'ExplicitVRLittleEndian', 'ExplicitVRBigEndian', 'JPEGBaseline8Bit'] as const) {
    for (const kind of SAMPLE_KINDS) {
      const uid = TransferSyntax[syntax]
      const bytes = await encodedSample(kind, uid, { rows: 200, columns: 200 })
      const { dataset } = await readFileAttributes(await fileOf(bytes, uid), { attributes: tags })
      let answers = 0
      for (const length of [100, 400, 800, 1600, 4096, bytes.length]) {
        const elements = reader.pick(bytes.subarray(0, length), uid, length >= bytes.length)
        if (elements === undefined) continue
        answers++
        t.deepEqual(reader.decode(elements, uid), dataset, `${kind} ${syntax} ${length}`)
        for (const { tag } of elements) t.true(tags.includes(tag) || tag === 0x00080005)
      }
      t.true(answers > 0)
    }
  }
})

test('a beginning that does not tell gives nothing', async (t) => {
  const reader = headReader([0x00100020], await loadDictionary())
  const name = element(0x00100010, 'PN', 'A^B')
  const next = element(0x00100030, 'DA', '19700101')
  t.deepEqual(reader.pick(Buffer.concat([name, ID, next]), EXPLICIT, false)?.map(({ tag, bytes }) => [tag, bytes]), [[0x00100020, ID]])
  t.deepEqual(reader.pick(Buffer.concat([name, next]), EXPLICIT, false), [], 'it is not there')
  t.deepEqual(reader.pick(name, EXPLICIT, true), [], 'nor here')
  for (const [what, bytes, isWhole] of [
    ['it may come', name, false],
    ['cut in the value', Buffer.concat([name, ID.subarray(0, -1)]), false],
    ['a value longer than the data set', Buffer.concat([name, ID.subarray(0, -1)]), true],
    ['no VR', Buffer.concat([name, Buffer.alloc(64)]), true],
    ['a group of the file header', Buffer.concat([element(0x00020010, 'UI', EXPLICIT), ID]), true],
  ] as const) t.is(reader.pick(bytes, EXPLICIT, isWhole), undefined, what)
  t.is(reader.pick(deflateRawSync(ID), TransferSyntax.DeflatedExplicitVRLittleEndian, true), undefined)
})

test('decodes the attributes that are asked for, by keyword, digits, tag or function, and the character set always', async (t) => {
  const bytes = Buffer.concat([
    element(0x00080005, 'CS', 'ISO_IR 144'),
    element(0x00100010, 'PN', Buffer.from('bbee', 'hex')), // ISO 8859-5: Л, ю
    ID,
    element(0x00110010, 'LO', 'SOMEBODY'),
    element(0x00111001, 'LO', Buffer.from('bbee', 'hex')),
    element(0x00200010, 'SH', '17'),
  ])
  const path = await fileOf(bytes)
  const read = async (options: Parameters<typeof readFileAttributes>[1]): Promise<DataSet> => (await readFileAttributes(path, options)).dataset
  t.deepEqual(await read({ attributes: ['PatientID'] }), { SpecificCharacterSet: 'ISO_IR 144', PatientID: 'ID-1' })
  t.is((await read({ attributes: ['00111001'] }))['00111001'], 'Лю')
  t.is(String((await read({ attributes: [0x00100010] }))['PatientName']), 'Лю')
  t.deepEqual(Object.keys(await read({ attributes: new Set([0x00200010]) })), ['SpecificCharacterSet', 'StudyID'])
  t.deepEqual(Object.keys(await read({ attributes: (tag) => tag >>> 16 === 0x0010 })), ['SpecificCharacterSet', 'PatientName', 'PatientID'])
  t.deepEqual(Object.keys(await read({ stopBefore: 0x00110000 })), ['SpecificCharacterSet', 'PatientName', 'PatientID'])
  await t.throwsAsync(read({ attributes: ['PatentName'] }), { code: 'DICOMTAP_ERR_DS_ENCODE' })
})

test('jumps over long values and what nobody asked for: of a large file a few kilobytes are read', async (t) => {
  const huge = 200 * 1024 * 1024
  const head = Buffer.concat([element(0x00080005, 'CS', 'ISO_IR 100'), element(0x00091001, 'OB', '', huge)])
  const tail = Buffer.concat([ID, element(0x7fe00010, 'OW', '', huge)])
  const path = await fileOf(head)
  const handle = await open(path, 'r+')
  t.teardown(() => handle.close())
  const start = encodePart10Header({ ...META, transferSyntaxUid: EXPLICIT }).length + head.length + huge
  await handle.write(tail, 0, tail.length, start)
  await handle.truncate(start + tail.length + huge)

  let bytesRead = 0
  const counted = {
    stat: () => handle.stat(),
    read: async (buffer: Buffer, offset: number, length: number, position: number) => {
      const done = await handle.read(buffer, offset, length, position)
      bytesRead += done.bytesRead
      return done
    },
  }
  const { dataset, sizeBytes } = await readFileAttributes(counted as never)
  t.deepEqual(dataset, { SpecificCharacterSet: 'ISO_IR 100', PatientID: 'ID-1' })
  t.is(sizeBytes, start + tail.length + huge)
  t.true(bytesRead <= 3 * 16_384, `${bytesRead} bytes were read`)
})

test('sequences of undefined length are kept whole across reads, or passed over, with what is in them', async (t) => {
  const items = Array.from({ length: 1500 }, (_, index) =>
    Buffer.concat([
      item(ITEM, index % 2 === 0 ? UNDEFINED : 20),
      index % 2 === 0 ? element(0x00404007, 'SQ', '', UNDEFINED) : Buffer.alloc(0),
      ...(index % 2 === 0 ? [SEQUENCE_END] : []),
      element(0x00080104, 'LO', String(index).padEnd(12)),
      ...(index % 2 === 0 ? [ITEM_END] : []),
    ]),
  )
  const sequence = Buffer.concat([element(0x00081140, 'SQ', '', UNDEFINED), ...items, SEQUENCE_END])
  const bytes = Buffer.concat([sequence, ID])
  const path = await fileOf(bytes)
  const whole = await readFileAttributes(path)
  t.deepEqual(whole.dataset, await decodeDataSet(bytes, EXPLICIT))
  t.is((whole.dataset['ReferencedImageSequence'] as unknown[]).length, 1500)
  t.deepEqual((await readFileAttributes(path, { attributes: ['PatientID'] })).dataset, { PatientID: 'ID-1' })
  t.deepEqual((await readFileAttributes(path, { maximumValueBytes: 1000 })).dataset, { PatientID: 'ID-1' })
  // The same deflated, where nothing can be jumped over.
  const deflated = await fileOf(deflateRawSync(bytes), TransferSyntax.DeflatedExplicitVRLittleEndian)
  t.deepEqual((await readFileAttributes(deflated)).dataset, whole.dataset)
  t.deepEqual((await readFileAttributes(deflated, { attributes: ['PatientID'] })).dataset, { PatientID: 'ID-1' })
})

async function fails(t: ExecutionContext, path: string, code: string, options = {}): Promise<void> {
  await t.throwsAsync(readFileAttributes(path, options), { code }, path)
}

test('what is no DICOM file is an error, tolerant or not; errors of the system stay what they are', async (t) => {
  const cases = [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(200), Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')])]
  for (const bytes of cases) {
    const path = join(folder, `${files++}`)
    await writeFile(path, bytes)
    await fails(t, path, 'DICOMTAP_ERR_DS_MALFORMED')
    await fails(t, path, 'DICOMTAP_ERR_DS_MALFORMED', { isTolerant: true })
  }
  // File meta information that claims 4 GB, of which 2 MB are there.
  const claims = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element(0x00020100, 'OB', Buffer.alloc(2_000_000), 0xfffffff0)])
  const path = join(folder, `${files++}`)
  await writeFile(path, claims)
  await fails(t, path, 'DICOMTAP_ERR_DS_MALFORMED', { isTolerant: true })
  await fails(t, folder, 'DICOMTAP_ERR_DS_MALFORMED')
  await fails(t, join(folder, 'nothing'), 'ENOENT')
  if (process.platform === 'win32') return
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  await fails(t, pipe, 'DICOMTAP_ERR_DS_MALFORMED')
})

test('a data set that is malformed or cut off is an error; tolerant, what stands before is given with the reason', async (t) => {
  const cases: readonly (readonly [Buffer, string])[] = [
    [Buffer.concat([ID, element(0x00100030, 'DA', '2020', 200)]), 'claims more'],
    [Buffer.concat([ID, element(0x00104000, 'UT', '2020', 100_000_000)]), 'claims more'],
    [Buffer.concat([ID, Buffer.from('1000')]), 'ends within'],
    [Buffer.concat([ID, element(0x00101002, 'SQ', '', UNDEFINED), item(ITEM, UNDEFINED)]), 'ends within'],
    [Buffer.concat([ID, element(0x00101002, 'SQ', '', UNDEFINED), item(ITEM, 4_000_000)]), 'ends within'],
    [Buffer.concat([ID, ITEM_END]), 'stands in'],
    [Buffer.concat([ID, Buffer.from('1000300001020000', 'hex')]), 'no valid VR'],
    [Buffer.concat([ID, element(0x00101002, 'SQ', Buffer.concat([item(ITEM, 8), Buffer.from('1000300001020000', 'hex')]))]), 'no valid VR'],
  ]
  for (const [bytes, reason] of cases) {
    const path = await fileOf(bytes)
    await t.throwsAsync(readFileAttributes(path), { code: 'DICOMTAP_ERR_DS_MALFORMED', message: new RegExp(reason) })
    const { dataset, problem } = await readFileAttributes(path, { isTolerant: true })
    t.deepEqual(dataset, { PatientID: 'ID-1' }, reason)
    t.regex(problem?.message ?? '', new RegExp(reason))
  }
})

test('time and memory are bounded: depth, elements, bytes that are read or inflated', async (t) => {
  const deep = Buffer.concat([ID, ...Array.from({ length: 1000 }, () => Buffer.concat([element(0x00101002, 'SQ', '', UNDEFINED), item(ITEM, UNDEFINED)]))])
  await fails(t, await fileOf(deep), 'DICOMTAP_ERR_DS_TOO_LARGE')
  // 400 items of undefined length with a value of 100 kB each, which nobody asked for.
  const far = Buffer.concat([item(ITEM, UNDEFINED), element(0x00091001, 'OB', Buffer.alloc(100_000)), ITEM_END])
  const wide = await fileOf(Buffer.concat([element(0x00081140, 'SQ', '', UNDEFINED), ...Array.from({ length: 400 }, () => far), SEQUENCE_END, ID]))
  await fails(t, wide, 'DICOMTAP_ERR_DS_TOO_LARGE', { maximumBytes: 2_000_000 })
  t.deepEqual((await readFileAttributes(wide, { attributes: ['PatientID'] })).dataset, { PatientID: 'ID-1' })
  // A deflated value of 60 MB of zeros, in 260 kB.
  const bomb = deflateRawSync(Buffer.concat([ID, element(0x00104000, 'UT', '', 60_000_000), Buffer.alloc(60_000_000)]), { level: 1 })
  const path = await fileOf(bomb, TransferSyntax.DeflatedExplicitVRLittleEndian)
  await fails(t, path, 'DICOMTAP_ERR_DS_TOO_LARGE')
  const { dataset, problem } = await readFileAttributes(path, { isTolerant: true })
  t.deepEqual(dataset, { PatientID: 'ID-1' })
  t.is(problem?.code, 'DICOMTAP_ERR_DS_TOO_LARGE')
  t.deepEqual((await readFileAttributes(path, { attributes: ['PatientID'] })).dataset, { PatientID: 'ID-1' })
})
