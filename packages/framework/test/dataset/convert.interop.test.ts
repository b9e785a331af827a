import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { TransferSyntax, convertDataSet, decodePart10Header, encodePart10Header, withoutBulkData } from '../../dist/dataset/index.js'
import type { FileMeta } from '../../dist/dataset/index.js'
import { SAMPLE_KINDS, writeSampleFile } from '../../dist/testing/sample-datasets.js'

const run = promisify(execFile)
const hasDcmtk = await run('dcmconv', ['--version']).then(() => true, () => false)
if (!hasDcmtk) process.stderr.write('SKIPPED: DCMTK is not installed, conversions were not compared with its own\n')
const interop = hasDcmtk ? test : test.skip

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-convert-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const SYNTAXES = [IMPLICIT, EXPLICIT, DEFLATED]
const OPTION_OF: Readonly<Record<string, string>> = { [IMPLICIT]: '+ti', [EXPLICIT]: '+te', [DEFLATED]: '+td' }

/** dcmdump's lines of the data set with whole values, without comments, group lengths and how long sequences are. */
async function dump(path: string): Promise<string[]> {
  const { stdout, stderr } = await run('dcmdump', ['+L', '-q', path], { encoding: 'latin1' })
  if (stderr !== '') throw new Error(stderr)
  return stdout
    .split('\n')
    .filter((line) => /^ *\([0-9a-f]{4},[0-9a-f]{4}\)/.test(line) && !/^ *\((0002,|[0-9a-f]{4},0000)/.test(line))
    .map((line) => line.replace(/ +#[^#]*$/, '').replace(/ \((?:Sequence|Item)[^()]*\)$/, '').replace(/^(\(7fe0,0010\)) OB (.*)/, asWords))
}

/** Pixels of 8 bits may be OB or OW in Explicit VR (PS3.5 A.2): DCMTK writes OW where it read Implicit VR, we OB. */
function asWords(_line: string, tag: string, values: string): string {
  return `${tag} OW ${values.replace(/(..)\\(..)/g, '$2$1')}`
}

async function ours(source: string, to: string, target: string): Promise<void> {
  const file = await readFile(source)
  const { meta, dataSetOffset } = decodePart10Header(file)
  const pieces: Uint8Array[] = []
  for await (const piece of convertDataSet(file.subarray(dataSetOffset), meta.transferSyntaxUid ?? '', to)) pieces.push(piece)
  await writeFile(target, [encodePart10Header({ ...(meta as FileMeta), transferSyntaxUid: to }), ...pieces])
}

async function fromDump(name: string, text: string, ...options: string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(`${path}.dump`, text)
  await run('dump2dcm', [...options, `${path}.dump`, path])
  return path
}

interop('the samples are converted as DCMTK converts them, from and to each transfer syntax', async (t) => {
  for (const kind of SAMPLE_KINDS) {
    for (const from of SYNTAXES) {
      const source = join(folder, `${kind}-${from}.dcm`)
      await writeSampleFile(source, kind, from)
      for (const to of SYNTAXES.filter((syntax) => syntax !== from)) {
        const [mine, dcmtk] = [join(folder, 'mine.dcm'), join(folder, 'dcmtk.dcm')]
        await ours(source, to, mine)
        await run('dcmconv', [OPTION_OF[to] as string, '-e', source, dcmtk])
        const lines = await dump(mine)
        t.true(lines.length > 20)
        t.deepEqual(lines, await dump(dcmtk), `${kind} from ${from} to ${to}`)
      }
    }
  }
})

/** Nested, private, unknown, ambiguous, padded. */
const tricky = (signed: boolean): string => {
  const xs = signed ? 'SS' : 'US'
  const value = signed ? '-5' : '5'
  return `
(0002,0002) UI =CTImageStorage
(0002,0003) UI [1.2.3.4]
(0008,0000) UL 100
(0008,0005) CS [ISO_IR 100]
(0008,0016) UI =CTImageStorage
(0008,0018) UI [1.2.3.4]
(0008,1115) SQ
(fffe,e0dd) na
(0008,1140) SQ
  (fffe,e000) na
    (0008,1150) UI =CTImageStorage
    (0008,1155) UI [1.2.3]
    (0040,a170) SQ
      (fffe,e000) na
        (0008,0100) SH [121311]
      (fffe,e00d) na
    (fffe,e0dd) na
  (fffe,e00d) na
  (fffe,e000) na
  (fffe,e00d) na
(fffe,e0dd) na
(0010,0010) PN [Doe^Jane]
(0010,4000) LT [  leading spaces and a long text ${'x'.repeat(3000)}]
(0018,9073) FD 1.5
(0018,9810) ${xs} ${value}
(0028,0002) US 1
(0028,0004) CS [MONOCHROME2]
(0028,0008) IS [1]
(0028,0009) AT (0018,1063)
(0028,0010) US 2
(0028,0011) US 2
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US ${signed ? 1 : 0}
(0028,0106) ${xs} ${value}
(0028,0120) ${xs} ${value}
(0028,3010) SQ
  (fffe,e000) na
    (0028,3002) ${xs} 2\\${value}\\16
    (0028,3006) OW 0001\\0002
  (fffe,e00d) na
(fffe,e0dd) na
(0040,a160) UT [unlimited text]
(5400,0100) SQ
  (fffe,e000) na
    (5400,1004) US 8
    (5400,1010) OB 01\\02\\03\\04
  (fffe,e00d) na
  (fffe,e000) na
    (5400,1004) US 16
    (5400,1010) OW 0201\\0403
  (fffe,e00d) na
(fffe,e0dd) na
(6002,0010) US 2
(6002,3000) OW 0001
(7fe0,0010) OW 0001\\0002\\0003\\0004
`
}

const PRIVATE = `
(0009,0010) LO [ACME]
(0009,1001) LO [private text]
(0009,1002) DS [1.5\\2]
(0009,1003) SQ
  (fffe,e000) na
    (0009,0010) LO [ACME]
    (0009,1004) US 7
    (0010,0010) PN [In^Private]
  (fffe,e00d) na
(fffe,e0dd) na
(0009,1005) UN 01\\02\\03\\04
`

interop('what is in the dictionary comes back with its VR, whatever way it went', async (t) => {
  for (const signed of [false, true]) {
    for (const lengths of ['+e', '-e']) {
      const source = await fromDump('tricky.dcm', tricky(signed), '+te', lengths)
      const expected = await dump(source)
      t.true(expected.length > 40)
      let from = source
      for (const to of [IMPLICIT, DEFLATED, EXPLICIT, IMPLICIT, EXPLICIT]) {
        const target = join(folder, `tricky-${to}-${from.length}.dcm`)
        await ours(from, to, target)
        // dcmdump shows what stands in Implicit VR by its own rules for US or SS.
        if (to !== IMPLICIT) t.deepEqual(await dump(target), expected, `${lengths} ${to}`)
        from = target
      }
    }
  }
})

interop('private elements fare as DCMTK has them', async (t) => {
  for (const lengths of ['+e', '-e']) {
    const source = await fromDump('private.dcm', tricky(false) + PRIVATE, '+te', lengths)
    const paths = { mine: join(folder, 'private-mine.dcm'), dcmtk: join(folder, 'private-dcmtk.dcm') }
    await ours(source, IMPLICIT, paths.mine)
    await run('dcmconv', ['+ti', '-e', source, paths.dcmtk])
    t.deepEqual(await dump(paths.mine), await dump(paths.dcmtk))
    const back = { mine: join(folder, 'back-mine.dcm'), dcmtk: join(folder, 'back-dcmtk.dcm') }
    await ours(paths.mine, EXPLICIT, back.mine)
    await run('dcmconv', ['+te', '-e', paths.dcmtk, back.dcmtk])
    const lines = await dump(back.mine)
    t.deepEqual(lines, await dump(back.dcmtk))
    t.true(lines.includes('(0009,1001) UN 70\\72\\69\\76\\61\\74\\65\\20\\74\\65\\78\\74'))
    t.true(lines.includes('    (0010,0010) PN [In^Private]'))
  }
})

interop('UN of undefined length is read as Implicit VR, as DCMTK reads it', async (t) => {
  const paths = ['un.dcm', 'un-mine.dcm', 'un-dcmtk.dcm'].map((name) => join(folder, name)) as [string, string, string]
  const [source, mine, dcmtk] = paths
  const meta = { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', sopInstanceUid: '1.2.3', transferSyntaxUid: EXPLICIT, implementationClassUid: '1.4' }
  const dataSet = Buffer.from(
    '08001800' + '5549' + '0600' + '312e322e3300' + // SOP Instance UID, explicit
      '09001000' + '4c4f' + '0400' + '41434d45' + // private creator
      '09000310' + '554e' + '0000' + 'ffffffff' + // UN of undefined length
      'feff00e0' + 'ffffffff' + // an item, of which all is implicit
      '08004011' + '14000000' + 'feff00e0' + '0c000000' + '08005511' + '04000000' + '312e3200' + // a sequence of defined length
      '10001000' + '08000000' + '496e5e5072697661' + // Patient's Name
      'feff0de0' + '00000000' + 'feffdde0' + '00000000' +
      '10002000' + '4c4f' + '0400' + '49443432', // Patient ID, explicit again
    'hex',
  )
  await writeFile(source, [encodePart10Header(meta), dataSet])
  await ours(source, IMPLICIT, mine)
  await run('dcmconv', ['+ti', '-e', source, dcmtk])
  const lines = await dump(mine)
  t.deepEqual(lines, await dump(dcmtk))
  t.deepEqual(lines, await dump(source))
  t.true(lines.includes('    (0010,0010) PN [In^Priva]'))
  t.true(lines.includes('(0010,0020) LO [ID42]'))
})

interop('without bulk data: what dcmdump shows is what is left when dcmodify erases the same', async (t) => {
  const source = join(folder, 'bulk.dcm')
  await writeSampleFile(source, 'ct', EXPLICIT, { rows: 64, columns: 64 })
  const waveform = '(5400,0100)[0]'
  const insertions = [`${waveform}.(5400,1010)=1\\2`, `${waveform}.(003a,0005)=1`, '(6000,3000)=1\\2', '(6000,0010)=4', '(0088,0200)[0].(7fe0,0010)=1\\2']
  await run('dcmodify', ['-nb', ...insertions.flatMap((insertion) => ['-i', insertion]), source])
  const files: Readonly<Record<string, string>> = {}
  for (const [name, command, ...options] of [
    ['explicit', 'dcmconv', '+te', '-e'],
    ['implicit', 'dcmconv', '+ti', '+e'],
    ['deflated', 'dcmconv', '+td', '+e'],
    ['compressed', 'dcmcjpeg', '+e'],
  ] as const) {
    const path = join(folder, `bulk ${name}.dcm`)
    await run(command, [...options, source, path])
    Object.assign(files, { [name]: path })
  }
  for (const [name, path] of Object.entries(files)) {
    const file = await readFile(path)
    const { meta, dataSetOffset } = decodePart10Header(file)
    const pieces: Uint8Array[] = []
    for await (const piece of withoutBulkData(file.subarray(dataSetOffset), meta.transferSyntaxUid ?? '')) pieces.push(piece)
    const mine = join(folder, `bulk ${name} mine.dcm`)
    await writeFile(mine, [file.subarray(0, dataSetOffset), ...pieces])
    const before = await dump(path)
    const erased = ['(7fe0,0010)', '(6000,3000)', `${waveform}.(5400,1010)`]
    await run('dcmodify', ['-nb', '-imt', ...erased.flatMap((tag) => ['-e', tag]), path])
    const left = await dump(path)
    t.true(left.length <= before.length - 3, name)
    t.true(left.some((line) => line.includes('(7fe0,0010)')), 'the icon stays')
    t.deepEqual((await dump(mine)).map(delimiters), left.map(delimiters), name)
  }
})

/** dcmdump names the delimiters of defined lengths, which are not there, otherwise. */
function delimiters(line: string): string {
  return line.replace(/\((fffe,e0[0d]d)\) na .*/, '($1) na')
}
