import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { TransferSyntax, decodeDataSet, decodePart10Header, encodeDataSet, encodePart10Header } from '../../dist/dataset/index.js'
import type { DataSet } from '../../dist/dataset/index.js'
import { SAMPLE_KINDS, encodedSample, sampleDataset, writeSampleFile } from '../../dist/testing/sample-datasets.js'

const run = promisify(execFile)
const hasDcmtk = await run('dcmdump', ['--version']).then(() => true, () => false)
if (!hasDcmtk) process.stderr.write('SKIPPED: DCMTK is not installed, data sets were not tried against it\n')
const interop = hasDcmtk ? test : test.skip

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-dataset-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, ExplicitVRBigEndian: BIG } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const NATIVE = [IMPLICIT, EXPLICIT, BIG, DEFLATED]

function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer || value instanceof Uint8Array) return [...new Uint8Array(value)]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== '_vrMap').map(([key, inner]) => [key, plain(inner)]))
}

/** dcmdump's lines, without its comments and the delimiters it makes up. */
async function dump(path: string, ...options: string[]): Promise<string[]> {
  const { stdout, stderr } = await run('dcmdump', ['+L', '-q', ...options, path], { encoding: 'utf8' })
  if (stderr !== '') throw new Error(stderr)
  const lines = stdout.split('\n').filter((line) => /^ *\([0-9a-f]{4},[0-9a-f]{4}\)/.test(line) && !/^ *\((0002|fffe)/.test(line))
  return lines.map((line) => line.replace(/ +#.*$/, '').trim())
}

async function read(t: ExecutionContext, path: string): Promise<DataSet> {
  const file = await readFile(path)
  const { meta, dataSetOffset } = decodePart10Header(file)
  t.truthy(meta.transferSyntaxUid)
  return decodeDataSet(file.subarray(dataSetOffset), meta.transferSyntaxUid ?? '')
}

interop('DCMTK reads every sample in every encoding, and sees the same in each', async (t) => {
  for (const kind of SAMPLE_KINDS) {
    const seen: string[][] = []
    for (const syntax of NATIVE) {
      const path = join(folder, `${kind}-${syntax}.dcm`)
      await writeSampleFile(path, kind, syntax)
      t.regex((await run('dcmftest', [path])).stdout, /^yes/)
      // OB in Explicit VR is OW in Implicit VR: compare the other lines.
      seen.push((await dump(path)).filter((line) => !line.startsWith('(7fe0,0010)')))
    }
    t.true((seen[0]?.length ?? 0) > 20)
    for (const lines of seen) t.deepEqual(lines, seen[0])
    t.true(seen[0]?.includes(`(0010,0010) PN [Sample^${kind.toUpperCase()}]`))
  }
})

interop('DCMTK reads encapsulated samples, fragment by fragment', async (t) => {
  for (const syntax of [TransferSyntax.JPEGBaseline8Bit, TransferSyntax.JPEG2000Lossless, TransferSyntax.RLELossless, TransferSyntax.MPEG4HP41]) {
    const path = join(folder, `frames-${syntax}.dcm`)
    await writeSampleFile(path, 'multi-frame', syntax, { frames: 4 })
    t.regex((await run('dcmftest', [path])).stdout, /^yes/)
    t.regex((await run('dcmdump', [path])).stdout, /\(7fe0,0010\) OB \(PixelSequence #=5\)/)
  }
})

interop('what DCMTK converts decodes to the same', async (t) => {
  const options: Record<string, string> = { [IMPLICIT]: '+ti', [EXPLICIT]: '+te', [BIG]: '+tb', [DEFLATED]: '+td' }
  for (const kind of SAMPLE_KINDS) {
    const source = join(folder, `${kind}-source.dcm`)
    await writeSampleFile(source, kind)
    const expected = plain(await read(t, source))
    for (const syntax of NATIVE) {
      for (const lengths of ['+e', '-e']) {
        const path = join(folder, `${kind}-converted.dcm`)
        await run('dcmconv', [options[syntax] as string, lengths, source, path])
        t.deepEqual(plain(await read(t, path)), expected, `${kind} ${syntax} ${lengths}`)
      }
    }
  }
})

interop('DCMTK understands the structured report', async (t) => {
  const path = join(folder, 'report.dcm')
  await writeSampleFile(path, 'sr')
  const { stdout } = await run('dsrdump', [path])
  t.regex(stdout, /Nothing to see in sample 1/)
  t.regex(stdout, /12\.5/)
})

interop('DCMTK agrees on text in several character sets', async (t) => {
  const cases: readonly (readonly [terms: string | string[], name: string])[] = [
    ['ISO_IR 100', 'Buc^Jérôme'],
    ['ISO_IR 144', 'Люксембург'],
    ['ISO_IR 126', 'Διονυσιος'],
    ['ISO_IR 192', 'Wang^XiaoDong=王^小東'],
    ['GB18030', 'Wang^XiaoDong=王^小东'],
    [['ISO 2022 IR 100', 'ISO 2022 IR 144'], 'é^Ж'],
  ]
  for (const [SpecificCharacterSet, PatientName] of cases) {
    const path = join(folder, 'text.dcm')
    const dataSet = await encodeDataSet({ ...sampleDataset('ct'), SpecificCharacterSet, PatientName }, EXPLICIT)
    const header = encodePart10Header({ sopClassUid: '1.2', sopInstanceUid: '1.3', transferSyntaxUid: EXPLICIT, implementationClassUid: '1.4' })
    await writeFile(path, [header, dataSet])
    t.true((await dump(path, '+U8')).includes(`(0010,0010) PN [${PatientName}]`), String(SpecificCharacterSet))
  }
})

interop('DCMTK reads the file meta information', async (t) => {
  const path = join(folder, 'meta.dcm')
  const header = encodePart10Header({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    sopInstanceUid: '1.2.3',
    transferSyntaxUid: EXPLICIT,
    implementationClassUid: '2.25.7',
    implementationVersionName: 'DICOMTAP_1',
    sourceApplicationEntityTitle: 'STORE',
  })
  await writeFile(path, [header, await encodedSample('ct')])
  const { stdout } = await run('dcmdump', [path])
  t.regex(stdout, new RegExp(`\\(0002,0000\\) UL ${header.length - 144} `))
  t.regex(stdout, /\(0002,0002\) UI =CTImageStorage/)
  t.regex(stdout, /\(0002,0013\) SH \[DICOMTAP_1\]/)
  t.regex(stdout, /\(0002,0016\) AE \[STORE\]/)
})
