import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { TransferSyntax, convertDataSet, decodeDataSet, encodeDataSet, encodePart10Header } from '../../dist/dataset/index.js'
import type { DataSetBytes } from '../../dist/dimse/fragmenter.js'
import { openStoreSource, openStoreSourceAtOnce } from '../../dist/dimse/user/store-source.js'
import type { StoreObject } from '../../dist/dimse/user/store-source.js'
import type { CStoreOptions, CStoreSource, StoreBytes } from '../../dist/dimse/user-types.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { encodedSample, sampleDataset, writeSampleFile } from '../../dist/testing/sample-datasets.js'
import type { SampleKind } from '../../dist/testing/sample-datasets.js'

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-store-source-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, ExplicitVRBigEndian: BIG } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const JPEG = TransferSyntax.JPEGBaseline8Bit
const NATIVE: readonly string[] = [IMPLICIT, EXPLICIT, DEFLATED]
const CT = '1.2.840.10008.5.1.4.1.1.2'
/** What the samples say of themselves. */
const uidsOf = (kind: SampleKind): [string, string] => {
  const { SOPClassUID, SOPInstanceUID } = sampleDataset(kind)
  return [SOPClassUID as string, SOPInstanceUID as string]
}
const SECRET = 'Secret^Patient'

async function drawn(source: DataSetBytes | Promise<DataSetBytes>): Promise<Buffer> {
  const bytes = await source
  if (bytes instanceof Uint8Array) return Buffer.from(bytes)
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces)
}

type Read = StoreObject & { readonly bytes: Buffer }

/** Opens, draws in its own transfer syntax, closes; what can be had at once is the same. */
async function read(source: CStoreSource, options: CStoreOptions = {}): Promise<Read> {
  const object = await readOf(await openStoreSource(source, options))
  const atOnce = openStoreSourceAtOnce(source, options)
  if (atOnce !== undefined) assert.deepEqual(identityOf(await readOf(atOnce)), identityOf(object))
  return object
}

async function readOf(object: StoreObject): Promise<Read> {
  const bytes = await drawn(object.bytesIn(object.transferSyntaxUid ?? EXPLICIT))
  await object.close()
  return { ...object, bytes }
}

function identityOf({ sopClassUid, sopInstanceUid, transferSyntaxUid, bytes }: Read): unknown[] {
  return [sopClassUid, sopInstanceUid, transferSyntaxUid, bytes]
}

async function refused(t: ExecutionContext, source: unknown, message: RegExp, options: CStoreOptions = {}): Promise<DicomtapError> {
  const error = await t.throwsAsync(read(source as CStoreSource, options), { instanceOf: DicomtapError, message })
  t.is((error as DicomtapError).code, 'DICOMTAP_ERR_DIMSE_REQUEST')
  t.notRegex(error?.message ?? '', /\n|Secret/)
  try {
    t.is(openStoreSourceAtOnce(source as CStoreSource, options), undefined)
  } catch (atOnce) {
    t.deepEqual([(atOnce as DicomtapError).code, (atOnce as DicomtapError).message], [error?.code, error?.message])
  }
  return error as DicomtapError
}

let files = 0
async function write(...parts: (Uint8Array | string)[]): Promise<string> {
  const path = join(folder, `${files++}.dcm`)
  await writeFile(path, Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))))
  return path
}

const header = (transferSyntaxUid: string, sopInstanceUid = '1.2.3', sopClassUid = CT): Buffer =>
  encodePart10Header({ sopClassUid, sopInstanceUid, transferSyntaxUid, implementationClassUid: '1.4' })

test('a file is known by path and by file URL, whatever its transfer syntax', async (t) => {
  for (const syntax of [IMPLICIT, EXPLICIT, DEFLATED, BIG, JPEG]) {
    const path = join(folder, `known-${syntax}.dcm`)
    const file = await writeSampleFile(path, 'multi-frame', syntax)
    for (const source of [path, pathToFileURL(path), await readFile(path)]) {
      const object = await read(source)
      t.is(object.sopClassUid, file.sopClassUid)
      t.is(object.sopInstanceUid, file.sopInstanceUid)
      t.is(object.transferSyntaxUid, syntax)
      t.deepEqual(object.bytes, file.dataSet)
      for (const other of [IMPLICIT, EXPLICIT, DEFLATED, BIG, JPEG]) {
        t.is(object.canConvertTo(other), other === syntax || (NATIVE.includes(syntax) && NATIVE.includes(other)), `${syntax} ${other}`)
      }
    }
  }
})

test('a file is converted when another transfer syntax is asked for', async (t) => {
  const path = join(folder, 'converted.dcm')
  const file = await writeSampleFile(path, 'ct', EXPLICIT)
  for (const source of [path, await readFile(path)]) {
    const object = await openStoreSource(source, {})
    t.deepEqual(await drawn(object.bytesIn(IMPLICIT)), await encodedSample('ct', IMPLICIT))
    await object.close()
    await t.throwsAsync(async () => object.bytesIn(JPEG), { instanceOf: DicomtapError })
    await object.close()
  }
  t.true(file.dataSet.length > 0)
})

test('the UIDs of the data set go before those of the file meta information', async (t) => {
  const dataSet = await encodedSample('ct', EXPLICIT, { sopInstanceUid: '2.25.42' })
  const object = await read(await write(header(EXPLICIT, '2.25.1', '1.2.840.10008.5.1.4.1.1.4'), dataSet))
  t.is(object.sopClassUid, CT)
  t.is(object.sopInstanceUid, '2.25.42')
  t.deepEqual(object.bytes, dataSet)
})

test('without UIDs in the data set those of the file meta information hold, then those of the options', async (t) => {
  const dataSet = await encodeDataSet({ PatientID: 'x' }, EXPLICIT)
  const object = await read(await write(header(EXPLICIT, '1.2.3'), dataSet))
  t.deepEqual([object.sopClassUid, object.sopInstanceUid], [CT, '1.2.3'])
  const nameless = await write(encodePart10Header({ sopClassUid: '', sopInstanceUid: '', transferSyntaxUid: EXPLICIT, implementationClassUid: '1.4' }), dataSet)
  await refused(t, nameless, /has no SOP Class UID, and options\.sopClassUid is not given/)
  await refused(t, nameless, /has no SOP Instance UID, and options\.sopInstanceUid is not given/, { sopClassUid: CT })
  const given = await read(nameless, { sopClassUid: CT, sopInstanceUid: '1.5' })
  t.deepEqual([given.sopClassUid, given.sopInstanceUid, given.transferSyntaxUid], [CT, '1.5', EXPLICIT])
})

test('options that contradict the object are refused', async (t) => {
  const path = join(folder, 'contradicted.dcm')
  const file = await writeSampleFile(path, 'ct', EXPLICIT)
  const { sopClassUid, sopInstanceUid, transferSyntaxUid } = file
  t.is((await read(path, { sopClassUid, sopInstanceUid, transferSyntaxUid })).sopInstanceUid, sopInstanceUid)
  await refused(t, path, /has another UID than options\.sopClassUid/, { sopClassUid: '1.2' })
  await refused(t, path, /has another UID than options\.sopInstanceUid/, { sopInstanceUid: '1.2' })
  await refused(t, path, /has another UID than options\.transferSyntaxUid/, { transferSyntaxUid: IMPLICIT })
})

test('files without preamble are sent', async (t) => {
  const dataSet = await encodedSample('mr', EXPLICIT)
  // The preamble is 128 bytes, DICM four more.
  for (const source of [await write(header(EXPLICIT).subarray(132), dataSet), Buffer.concat([header(EXPLICIT).subarray(132), dataSet])]) {
    const object = await read(source)
    t.deepEqual([object.sopClassUid, object.sopInstanceUid], uidsOf('mr'))
    t.deepEqual(object.bytes, dataSet)
  }
})

test('bare data sets are recognized in Implicit and Explicit VR, in others the options say it', async (t) => {
  for (const syntax of [IMPLICIT, EXPLICIT]) {
    const dataSet = await encodedSample('sr', syntax)
    for (const source of [await write(dataSet), dataSet]) {
      const object = await read(source)
      t.deepEqual([object.sopClassUid, object.sopInstanceUid], uidsOf('sr'))
      t.is(object.transferSyntaxUid, syntax)
      t.deepEqual(object.bytes, dataSet)
    }
  }
  for (const syntax of [BIG, DEFLATED]) {
    const path = await write(await encodedSample('sr', syntax))
    await refused(t, path, /is no DICOM file, and options\.transferSyntaxUid is not given/)
    t.is((await read(path, { transferSyntaxUid: syntax })).sopInstanceUid, uidsOf('sr')[1])
  }
  // As ACR-NEMA had them, without SOP class and instance.
  const old = await write(await encodeDataSet({ StudyDate: '19900101', PatientID: 'x' }, IMPLICIT))
  await refused(t, old, /has no SOP Class UID/)
  t.is((await read(old, { sopClassUid: CT, sopInstanceUid: '1.2', transferSyntaxUid: IMPLICIT })).sopInstanceUid, '1.2')
})

test('a file whose meta information leaves the transfer syntax out is recognized', async (t) => {
  const dataSet = await encodedSample('ct', IMPLICIT)
  const object = await read(await write(header(''), dataSet))
  t.is(object.transferSyntaxUid, IMPLICIT)
  t.deepEqual(object.bytes, dataSet)
})

test('what is no object is refused, in one line that names the file', async (t) => {
  const good = Buffer.concat([header(EXPLICIT), await encodedSample('ct', EXPLICIT, { patientName: SECRET })])
  const at = header(EXPLICIT).length
  const cases: readonly (readonly [Buffer | string, RegExp])[] = [
    [Buffer.alloc(0), /it is empty$/],
    [Buffer.from('# Just a text\n\nabout Secret^Patient\n'), /it is no DICOM file/],
    [Buffer.alloc(1_000_000, 0xa5), /it is no DICOM file/],
    [good.subarray(0, 130), /it is no DICOM file/],
    [good.subarray(0, 200), /file meta information that is malformed or cut off$/],
    [good.subarray(0, at), /it ends before its data set$/],
    [good.subarray(0, at + 20), /it is cut off$/],
    // group 0002 without a VR
    [Buffer.concat([good.subarray(0, 132), Buffer.from('0200020000010000ffffffff', 'hex'), good.subarray(144)]), /file meta information/],
    // an element of group 0002 longer than the file
    [Buffer.concat([good.subarray(0, 132), Buffer.from('020001004f420000ffffff7f', 'hex'), good.subarray(144)]), /file meta information/],
    // the data set is not in the transfer syntax that the file says
    [Buffer.concat([header(EXPLICIT), await encodedSample('ct', IMPLICIT)]), /malformed, or in another transfer syntax/],
    [Buffer.concat([header(DEFLATED), Buffer.alloc(2000, 0xff)]), /malformed, or in another transfer syntax/],
    [Buffer.concat([header(EXPLICIT), await encodeDataSet({ SOPClassUID: CT, SOPInstanceUID: '../../etc' }, EXPLICIT)]), /SOP Instance UID that is no UID$/],
  ]
  for (const [content, message] of cases) {
    const path = await write(content)
    t.true((await refused(t, path, message)).message.startsWith(`${JSON.stringify(path)} cannot be sent: it `))
    await refused(t, await readFile(path), message)
  }
  await refused(t, folder, /is a directory/)
  const missing = await refused(t, join(folder, 'missing\n2'), /missing\\n2" cannot be sent: it does not exist$/)
  t.is((missing.cause as NodeJS.ErrnoException).code, 'ENOENT')
  await refused(t, join(folder, 'zero\0byte'), /cannot be read/)
  await refused(t, new URL('https://example.com/a.dcm'), /a URL that begins with file:/)
  for (const source of [null, undefined, 7]) await refused(t, source, /cStore takes a path, a file URL, bytes or a data set/)
})

test('devices and pipes are refused without waiting for them', async (t) => {
  if (process.platform === 'win32') return t.pass()
  const pipe = join(folder, 'pipe')
  await promisify(execFile)('mkfifo', [pipe])
  await refused(t, pipe, /is not a regular file/)
  return refused(t, '/dev/zero', /is not a regular file/)
})

test('a small file on a disk of this machine is had at once, its bytes a single time', async (t) => {
  const path = join(folder, 'at-once.dcm')
  const { dataSet } = await writeSampleFile(path, 'ct', EXPLICIT)
  // Where the folder is has been found out by now.
  await read(path)
  const object = openStoreSourceAtOnce(path, {})
  if (object === undefined) return t.log('SKIPPED: the folder for temporary files is on no disk of this machine')
  t.is(object.bytesAtOnceIn?.(IMPLICIT), undefined)
  t.deepEqual(Buffer.from(object.bytesAtOnceIn?.(EXPLICIT) as Uint8Array), dataSet)
  t.is(object.bytesAtOnceIn?.(EXPLICIT), undefined)
  // Once more from the file, when it has to be sent again.
  t.deepEqual(await drawn(object.bytesIn(EXPLICIT)), dataSet)
  await object.close()
  const closed = openStoreSourceAtOnce(path, {}) as StoreObject
  await closed.close()
  t.is(closed.bytesAtOnceIn?.(EXPLICIT), undefined)
  // A large one is drawn as it is sent.
  await writeFile(path, Buffer.concat([header(EXPLICIT), await encodedSample('ct', EXPLICIT), Buffer.alloc(1_048_576)]))
  t.is(openStoreSourceAtOnce(path, {}), undefined)
})

test('a head that is longer than the first look is read on', async (t) => {
  const dataSet = await encodedSample('ct', EXPLICIT)
  for (const length of [4096 - 132 - 12, 5000, 60_000]) {
    const meta = header(EXPLICIT)
    // (0002,0102) Private Information, OB, at the end of group 0002.
    const longElement = Buffer.alloc(12 + length)
    longElement.write('02000201', 'hex')
    longElement.write('OB', 4)
    longElement.writeUInt32LE(length, 8)
    for (const source of [await write(meta, longElement, dataSet), Buffer.concat([meta, longElement, dataSet])]) {
      t.deepEqual((await read(source)).bytes, dataSet)
    }
  }
  // A data set whose head is as long: the SOP class follows a long Language Code Sequence (0008,0006).
  const long = Buffer.alloc(30_000, 0x20)
  const sequence = Buffer.from('080006005351000038750000feff00e03075000009000110554e0000247500', 'hex')
  const inside = Buffer.concat([sequence, Buffer.of(0), long.subarray(0, 0x7524)])
  t.deepEqual((await read(await write(header(EXPLICIT), inside, dataSet.subarray(18)))).bytes.length, inside.length + dataSet.length - 18)
})

test('a large file is drawn in pieces, as it is', async (t) => {
  const path = join(folder, 'large.dcm')
  const { dataSet } = await writeSampleFile(path, 'ct', EXPLICIT, { rows: 1100, columns: 1000 })
  t.true(dataSet.length > 2 * 1024 * 1024)
  const object = await openStoreSource(path, {})
  const source = await object.bytesIn(EXPLICIT)
  t.false(source instanceof Uint8Array)
  const pieces: Uint8Array[] = []
  for await (const piece of source as AsyncIterable<Uint8Array>) pieces.push(piece)
  t.true(Buffer.concat(pieces).equals(dataSet))
  for (const piece of pieces) t.true(piece.length <= 1024 * 1024 && piece.length % 2 === 0)
  // What was given is not written into again.
  t.is(new Set(pieces.map((piece) => piece.buffer)).size, pieces.length)
  await object.close()

  const converted = await openStoreSource(path, {})
  const expected: Uint8Array[] = []
  for await (const piece of convertDataSet(dataSet, EXPLICIT, IMPLICIT)) expected.push(piece)
  t.true((await drawn(converted.bytesIn(IMPLICIT))).equals(Buffer.concat(expected)))
  await converted.close()
})

test('a file that changed since its head was read is not sent', async (t) => {
  for (const rows of [16, 1024]) {
    const path = join(folder, `changing-${rows}.dcm`)
    await writeSampleFile(path, 'ct', EXPLICIT, { rows, columns: 1024 })
    const changes: readonly (() => Promise<void>)[] = [
      () => truncate(path, 30_000),
      () => utimes(path, new Date(0), new Date(1000)),
    ]
    for (const change of changes) {
      const object = await openStoreSource(path, {})
      await change()
      await t.throwsAsync(drawn(object.bytesIn(EXPLICIT)), { code: 'DICOMTAP_ERR_DIMSE_REQUEST', message: /changed after it was opened$/ })
      await object.close()
      await writeSampleFile(path, 'ct', EXPLICIT, { rows, columns: 1024 })
    }
  }
})

test('a file that gets shorter while it is drawn ends with an error', async (t) => {
  const path = join(folder, 'shrinking.dcm')
  await writeSampleFile(path, 'ct', EXPLICIT, { rows: 2048, columns: 1024 })
  const object = await openStoreSource(path, {})
  const iterator = ((await object.bytesIn(EXPLICIT)) as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  t.false((await iterator.next()).done)
  await truncate(path, 1000)
  const rest = async (): Promise<void> => {
    while ((await iterator.next()).done !== true);
  }
  const error = await t.throwsAsync(rest(), { code: 'DICOMTAP_ERR_DIMSE_REQUEST' })
  t.is(error?.message, `${JSON.stringify(path)} cannot be sent: it is shorter than it was when it was opened`)
  await object.close()
})

/** Files of `folder` that this process has open; undefined where the system does not tell. */
async function openFiles(): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  const { readlink } = await import('node:fs/promises')
  const targets = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return targets.filter((target) => target.startsWith(join(folder, 'held'))).length
}

test('waiting files hold few descriptors, and none after they were closed', async (t) => {
  await mkdir(join(folder, 'held'))
  const path = join(folder, 'held', 'many.dcm')
  const { dataSet } = await writeSampleFile(path, 'ct', EXPLICIT, { rows: 1024, columns: 1024 })
  const objects = await Promise.all(Array.from({ length: 60 }, () => openStoreSource(path, {})))
  const held = await openFiles()
  if (held !== undefined) t.true(held <= 16, `${held} files are open`)
  for (const [index, object] of objects.entries()) {
    if (index % 4 === 0) t.true((await drawn(object.bytesIn(EXPLICIT))).equals(dataSet)) // all of it
    if (index % 4 === 1) for await (const piece of (await object.bytesIn(EXPLICIT)) as AsyncIterable<Uint8Array>) if (piece.length > 0) break
    if (index % 4 === 2) await object.bytesIn(EXPLICIT) // opened, never drawn
    await object.close()
  }
  const late = await openStoreSource(path, {})
  await late.close()
  await t.throwsAsync(async () => late.bytesIn(EXPLICIT), { message: /was closed before it was read/ })
  // Closed while it is being opened.
  const many = await Promise.all(Array.from({ length: 20 }, () => openStoreSource(path, {})))
  await Promise.all(many.map(async (object) => {
    const opening = Promise.resolve(object.bytesIn(EXPLICIT)).catch(() => undefined)
    await object.close()
    await opening
    await object.close()
  }))
  t.true([0, undefined].includes(await openFiles()))
})

test('bytes with all three UIDs are taken for what the options say', async (t) => {
  const dataSet = await encodedSample('ct', JPEG)
  const options = { sopClassUid: CT, sopInstanceUid: sampleDataset('ct')['SOPInstanceUID'] as string, transferSyntaxUid: JPEG }
  const object = await read(new Uint8Array(dataSet), options)
  t.is(object.transferSyntaxUid, JPEG)
  t.deepEqual(object.bytes, dataSet)
  // A private transfer syntax, in which nothing can be read.
  const opaque = await read(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), { ...options, transferSyntaxUid: '1.2.840.113619.5.2' })
  t.deepEqual([opaque.transferSyntaxUid, opaque.bytes.length], ['1.2.840.113619.5.2', 8])
})

test('StoreBytes are drawn once, as they are or converted', async (t) => {
  const dataSet = await encodedSample('ct', EXPLICIT)
  let calls = 0
  const source: StoreBytes = {
    sopClassUid: CT,
    sopInstanceUid: '1.2.3',
    transferSyntaxUid: EXPLICIT,
    bytes: async () => {
      calls += 1
      return [dataSet.subarray(0, 100), dataSet.subarray(100)]
    },
  }
  const object = await openStoreSource(source, {})
  t.deepEqual([object.sopClassUid, object.sopInstanceUid, object.transferSyntaxUid, calls], [CT, '1.2.3', EXPLICIT, 0])
  t.deepEqual(await drawn(object.bytesIn(EXPLICIT)), dataSet)
  t.is(calls, 1)
  t.deepEqual(await drawn((await openStoreSource(source, {})).bytesIn(IMPLICIT)), await encodedSample('ct', IMPLICIT))
  t.deepEqual([object.canConvertTo(IMPLICIT), object.canConvertTo(BIG), object.canConvertTo(JPEG)], [true, false, false])
  await refused(t, { ...source, sopInstanceUid: 'x' }, /SOP Instance UID that is no UID/)
  await refused(t, { ...source, transferSyntaxUid: undefined }, /has no Transfer Syntax UID/)
  await refused(t, source, /another UID than options\.sopInstanceUid/, { sopInstanceUid: '1.9' })
})

test('a data set is encoded in the transfer syntax of the context', async (t) => {
  const dataSet = sampleDataset('ct')
  const object = await openStoreSource(dataSet, {})
  t.deepEqual([object.sopClassUid, object.sopInstanceUid, object.transferSyntaxUid], [CT, dataSet['SOPInstanceUID'], undefined])
  for (const syntax of [IMPLICIT, EXPLICIT, DEFLATED, BIG]) {
    t.true(object.canConvertTo(syntax))
    t.deepEqual(await drawn(object.bytesIn(syntax)), await encodedSample('ct', syntax))
  }
  for (const syntax of [JPEG, TransferSyntax.JPIPReferenced, '1.2.3']) t.false(object.canConvertTo(syntax))
  await object.close()
})

test('a data set with compressed frames goes out in their transfer syntax alone', async (t) => {
  const frames = { ...sampleDataset('ct'), PixelData: [Uint8Array.of(1, 2, 3, 4)] }
  const metas = [{ TransferSyntaxUID: JPEG }, { TransferSyntaxUID: { vr: 'UI', Value: [JPEG] } }]
  for (const object of [
    ...await Promise.all(metas.map((_meta) => openStoreSource({ ...frames, _meta }, {}))),
    await openStoreSource(frames, { transferSyntaxUid: JPEG }),
  ]) {
    t.is(object.transferSyntaxUid, JPEG)
    t.deepEqual([object.canConvertTo(JPEG), object.canConvertTo(EXPLICIT)], [true, false])
    t.deepEqual((await decodeDataSet(await drawn(object.bytesIn(JPEG)), JPEG))['PixelData'], [Uint8Array.of(1, 2, 3, 4).buffer])
  }
  const native = await openStoreSource({ ...frames, _meta: { TransferSyntaxUID: EXPLICIT } }, {})
  t.is(native.transferSyntaxUid, undefined)
  const fixed = await openStoreSource(frames, { transferSyntaxUid: IMPLICIT })
  t.deepEqual([fixed.transferSyntaxUid, fixed.canConvertTo(EXPLICIT), fixed.canConvertTo(JPEG)], [IMPLICIT, true, false])
})

test('a data set without UIDs gets those of the options', async (t) => {
  const { SOPClassUID, SOPInstanceUID, ...nameless } = sampleDataset('ct')
  await refused(t, nameless, /^The data set cannot be sent: it has no SOP Class UID/)
  await refused(t, { ...nameless, SOPClassUID }, /has no SOP Instance UID/)
  await refused(t, { SOPClassUID, SOPInstanceUID }, /another UID/, { sopInstanceUid: '1.2' })
  const object = await read(nameless, { sopClassUid: CT, sopInstanceUid: '2.25.9' })
  t.is((await decodeDataSet(object.bytes, EXPLICIT))['SOPInstanceUID'], '2.25.9')
  t.false('SOPInstanceUID' in nameless)
})
