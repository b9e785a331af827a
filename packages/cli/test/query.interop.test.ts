import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { decodePart10Header, TransferSyntax } from '@dicomtap/framework'
import { writeSampleFile } from '@dicomtap/framework/testing'
import { run } from './support/run.js'
import { makeSite } from './support/site.js'

const execute = promisify(execFile)

// DCMTK as the archive and the worklist. It must be installed: without it these are skipped.
const tools = ['dcmqrscp', 'dcmqridx', 'wlmscpfs', 'findscu', 'dump2dcm', 'dcmdump', 'dcmftest']
// Some of them end with another code than 0 after --version.
const isThere = (tool: string): Promise<boolean> =>
  execute(tool, ['--version']).then(() => true, (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT')
const hasDcmtk = (await Promise.all(tools.map(isThere))).every(Boolean)
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write(`SKIPPED: ${tools.join(', ')} of DCMTK are not installed, find, get and move were not tried against them\n`)

/** Below the ports that systems give to outgoing connections: one of those may be taken again at any moment. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer().listen(port)
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Runs a server of DCMTK until the test ends; resolves when it takes connections. */
async function serve(t: ExecutionContext, program: string, args: readonly string[], port: number): Promise<void> {
  const child = spawn(program, args)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${output}`)
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      socket.destroy()
    }
  }
}

interface Archive {
  readonly cwd: string
  readonly peer: string
  readonly port: number
  /** Where the archive sends to for the title ME. */
  readonly receivePort: number
  /** Path of the original by SOP Instance UID. */
  readonly originals: ReadonlyMap<string, string>
}

const STUDY = '2.25.1000'
const NAMES = ['Adams^Amy', 'M\u00fcller^\u00c4nne'] as const

/** A dcmqrscp with two studies of two series each. */
async function archive(t: ExecutionContext): Promise<Archive> {
  const cwd = await makeSite(t)
  const [port, receivePort] = [await freePort(), await freePort()]
  const db = join(cwd, 'db')
  await mkdir(db)
  const originals = new Map<string, string>()
  for (const [study, patientName] of NAMES.entries()) {
    for (const [series, kind] of (['ct', 'mr'] as const).entries()) {
      for (let instance = 1; instance <= 2; instance++) {
        const sopInstanceUid = `${STUDY}${study}.${series}.${instance}`
        const file = join(db, `${sopInstanceUid}.dcm`)
        await writeSampleFile(file, kind, TransferSyntax.ExplicitVRLittleEndian, {
          seed: study + 1,
          patientName,
          patientId: `P${study}`,
          studyInstanceUid: `${STUDY}${study}`,
          seriesInstanceUid: `${STUDY}${study}.${series}`,
          sopInstanceUid,
        })
        originals.set(sopInstanceUid, file)
      }
    }
  }
  await execute('dcmqridx', [db, ...originals.values()])
  const config = join(cwd, 'dcmqrscp.cfg')
  await writeFile(
    config,
    `NetworkTCPPort = ${port}
MaxPDUSize = 16384
MaxAssociations = 8
HostTable BEGIN
me = (ME, localhost, ${receivePort})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP "${db}" RW (100, 1024mb) ANY
AETable END
`,
  )
  await serve(t, 'dcmqrscp', ['-c', config], port)
  return { cwd, peer: `QRSCP@127.0.0.1:${port}`, port, receivePort, originals }
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
}

interop('find gives what findscu gives, from patient to image', async (t) => {
  const { cwd, peer, port } = await archive(t)
  const queries = [
    ['PATIENT', ['-P'], ['PatientID', 'PatientName']],
    ['STUDY', ['-S'], ['PatientID=P1', 'StudyInstanceUID', 'AccessionNumber']],
    ['SERIES', ['-S'], [`StudyInstanceUID=${STUDY}0`, 'SeriesInstanceUID', 'Modality']],
    ['IMAGE', ['-P'], ['PatientID=P0', `StudyInstanceUID=${STUDY}0`, `SeriesInstanceUID=${STUDY}0.1`, 'SOPInstanceUID', 'InstanceNumber']],
  ] as const
  for (const [level, model, keys] of queries) {
    const folder = join(cwd, level)
    const theirs = join(cwd, `findscu-${level}`)
    await mkdir(theirs)
    const args = [...model, '-aec', 'QRSCP', '-X', '-od', theirs, '-k', `QueryRetrieveLevel=${level}`, ...keys.flatMap((key) => ['-k', key])]
    await execute('findscu', [...args, '127.0.0.1', String(port)])
    const { code, stderr } = await run(['find', peer, ...model, '--level', level, ...keys, '--write', folder], { cwd })
    t.is(code, 0, stderr)
    const [expected, actual] = [await dumps(theirs), await dumps(folder)]
    t.true(expected.length > 0)
    t.deepEqual(actual, expected, level)
  }
})

/** What DCMTK reads in the files of a folder, without the file meta information. */
async function dumps(folder: string): Promise<string[][]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.dcm'))
  const texts = await Promise.all(names.map(async (name) => (await execute('dcmdump', ['-q', '+L', join(folder, name)])).stdout))
  return texts.map((text) => text.split('\n').filter((line) => /^\s*\((?!0002)/u.test(line))).sort((a, b) => a.join().localeCompare(b.join()))
}

interop('find matches names beyond ASCII, ranges and lists of UIDs', async (t) => {
  const { cwd, peer } = await archive(t)
  const studies = async (...keys: readonly string[]): Promise<unknown[]> => {
    const { stdout } = await run(['find', peer, ...keys, 'StudyInstanceUID', '--json'], { cwd })
    return jsonLines(stdout).map(({ StudyInstanceUID }) => String(StudyInstanceUID)).sort()
  }
  t.deepEqual(await studies('PatientName=M*'), [`${STUDY}1`])
  t.deepEqual(await studies('StudyDate=2020-01-01..2020-12-31'), [`${STUDY}0`, `${STUDY}1`])
  t.deepEqual(await studies('StudyDate=..2019-12-31'), [])
  t.deepEqual(await studies(`0020,000d=${STUDY}0\\${STUDY}9`), [`${STUDY}0`])
  const table = await run(['find', peer, 'PatientID=P1'], { cwd })
  t.regex(table.stdout, /^PatientName .*\nMüller, Änne +P1 /)
  const limited = await run(['find', peer, '--limit', '1', '--csv', 'StudyInstanceUID'], { cwd })
  t.is(limited.code, 0)
  t.is(limited.stdout.split('\n').length, 3)
})

async function sameFiles(t: ExecutionContext, folder: string, { originals }: Archive, prefix: string): Promise<void> {
  const wanted = [...originals].filter(([uid]) => uid.startsWith(prefix))
  t.deepEqual((await readdir(folder)).sort(), wanted.map(([uid]) => `${uid}.dcm`).sort())
  for (const [uid, original] of wanted) {
    const file = join(folder, `${uid}.dcm`)
    t.regex((await execute('dcmftest', [file])).stdout, /^yes:/)
    const [before, after] = (await Promise.all([original, file].map(async (path) => readFile(path)))).map((bytes) => bytes.subarray(decodePart10Header(bytes).dataSetOffset))
    t.deepEqual(after, before)
  }
}

interop('get brings a study, a series and an image, byte by byte', async (t) => {
  const site = await archive(t)
  const { cwd, peer } = site
  for (const [index, [prefix, keys]] of (
    [
      [`${STUDY}0.`, [`StudyInstanceUID=${STUDY}0`]],
      [`${STUDY}1.1.`, [`StudyInstanceUID=${STUDY}1`, `SeriesInstanceUID=${STUDY}1.1`]],
      [`${STUDY}1.0.2`, [`StudyInstanceUID=${STUDY}1`, `SeriesInstanceUID=${STUDY}1.0`, `SOPInstanceUID=${STUDY}1.0.2`]],
      [`${STUDY}1.`, ['PatientID=P1', '-P']],
    ] as const
  ).entries()) {
    const { code, stderr } = await run(['get', peer, ...keys, '--output', `got${index}`], { cwd })
    t.is(code, 0, stderr)
    await sameFiles(t, join(cwd, `got${index}`), site, prefix)
  }
})

interop('get with few storage classes: what was not asked for fails, and is said', async (t) => {
  const { cwd, peer } = await archive(t)
  const { code, stderr } = await run(['get', peer, `StudyInstanceUID=${STUDY}0`, '--storage-classes', 'CT', '-o', 'got'], { cwd })
  t.is(code, 3)
  t.regex(stderr, /error: 2 completed, 2 failed\./)
  t.is((await readdir(join(cwd, 'got'))).length, 2)
})

interop('move --receive takes what dcmqrscp sends', async (t) => {
  const site = await archive(t)
  const { cwd, peer, receivePort } = site
  const { code, stderr } = await run(['move', peer, `StudyInstanceUID=${STUDY}1`, '--aet', 'ME', '--receive', String(receivePort), '-o', 'got'], { cwd })
  t.is(code, 0, stderr)
  await sameFiles(t, join(cwd, 'got'), site, `${STUDY}1.`)
})

interop('move to a title that dcmqrscp does not know', async (t) => {
  const { cwd, peer } = await archive(t)
  const { code, stderr } = await run(['move', peer, `StudyInstanceUID=${STUDY}1`, '--destination', 'NOBODY'], { cwd })
  t.is(code, 1)
  t.regex(stderr, /Move Destination unknown \(A801\)/)
  t.regex(stderr, /^hint: .*NOBODY/m)
})

const WORKLIST_ENTRY = `(0008,0005) CS [ISO_IR 192]
(0008,0050) SH [A1]
(0010,0010) PN [M\u00fcller^\u00c4nne]
(0010,0020) LO [W1]
(0010,0030) DA [19700101]
(0010,0040) CS [F]
(0020,000d) UI [2.25.1]
(0032,1060) LO [CT Abdomen]
(0040,1001) SH [RP1]
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [CT]
(0040,0001) AE [CT01]
(0040,0002) DA [20260201]
(0040,0003) TM [0900]
(0040,0006) PN [Tech^Tom]
(0040,0007) LO [Abdomen with contrast]
(0040,0009) SH [SPS1]
(fffe,e00d) -
(fffe,e0dd) -
`

interop('find -W: the worklist of wlmscpfs', async (t) => {
  const cwd = await makeSite(t)
  await mkdir(join(cwd, 'worklists/RIS'), { recursive: true })
  await writeFile(join(cwd, 'worklists/RIS/lockfile'), '')
  for (const [index, date] of ['20260201', '20260202'].entries()) {
    await writeFile(join(cwd, 'entry.dump'), WORKLIST_ENTRY.replaceAll('20260201', date).replace('[W1]', `[W${index + 1}]`))
    await execute('dump2dcm', [join(cwd, 'entry.dump'), join(cwd, `worklists/RIS/${index}.wl`)])
  }
  const port = await freePort()
  await serve(t, 'wlmscpfs', ['-csk', '-dfp', join(cwd, 'worklists'), String(port)], port)
  const find = async (...args: readonly string[]): Promise<string> => (await run(['find', `RIS@127.0.0.1:${port}`, '-W', ...args], { cwd })).stdout
  t.regex(await find('PatientID=W1'), /^PatientName .*\nMüller, Änne +W1 +1970-01-01 +F +A1 +RP1 +CT Abdomen +2026-02-01 +09:00 +CT +CT01 +Tech, Tom +Abdomen with contrast +SPS1 +2\.25\.1\n$/)
  t.is(await find('0040,0100[0].0040,0002=2026-02-02', 'PatientID', '--csv'), 'ScheduledProcedureStepStartDate,PatientID\n20260202,W2\n')
  t.is(await find('ScheduledProcedureStepSequence.Modality=MR', 'PatientID', '--csv'), '')
  t.like(jsonLines(await find('PatientID=W2', 'ScheduledProcedureStepSequence[0].Modality', '--json'))[0], {
    PatientID: 'W2',
    ScheduledProcedureStepSequence: [{ Modality: 'CT' }],
  })
})
