import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { SopClass, TransferSyntax, decodeDataSet, decodePart10Header } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import type { SampleFile, SampleKind, SampleOptions, TestServer } from '@dicomtap/framework/testing'
import { storage } from '@dicomtap/plugin-storage'
import { queryRetrieve } from '../../dist/index.js'
import { freePort, isOpen, serve } from '../interop/support/archive.js'
import { interop } from '../interop/support/interop.js'
import { ENVIRONMENT, run } from '../interop/support/programs.js'
import { writeFileOf } from './support/archive.js'

const CT = SopClass.CTImageStorage
const { ExplicitVRLittleEndian: EXPLICIT, ImplicitVRLittleEndian: IMPLICIT, JPEGLosslessSV1: JPEG_LOSSLESS, DeflatedExplicitVRLittleEndian: DEFLATED } = TransferSyntax
const RECEIVER = 'RECEIVER'

interface Site extends AsyncDisposable {
  readonly folder: string
  readonly archive: TestServer
  readonly destinationPort: number
  /** What was stored, by SOP Instance UID. */
  readonly stored: Map<string, SampleFile>
  store(kind: SampleKind, transferSyntaxUid: string, options: SampleOptions): Promise<void>
}

/** An archive of the two plugins alone, filled over the network. */
async function makeSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-retrieve-interop-'))
  const destinationPort = await freePort()
  const archive = await createTestServer({
    aeTitle: 'ARCHIVE',
    plugins: [
      storage({ directory: join(folder, 'data'), durability: 'close', minimumFreeSpace: null }),
      queryRetrieve({ database: { sqlite: join(folder, 'index.sqlite') } }),
    ],
    handlers: { moveDestination: (title) => (title === RECEIVER ? { host: '127.0.0.1', port: destinationPort } : undefined) },
  })
  const stored = new Map<string, SampleFile>()
  return {
    folder,
    archive,
    destinationPort,
    stored,
    async store(kind, transferSyntaxUid, options) {
      const path = join(folder, 'outbox.dcm')
      const file = await writeFileOf(path, kind, transferSyntaxUid, options)
      await using association = await archive.ae.associate({
        host: '127.0.0.1',
        port: archive.port,
        contexts: [{ abstractSyntax: file.sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      })
      const { status } = await association.cStore(path)
      if (status !== 0) throw new Error(`C-STORE was answered ${status.toString(16)}`)
      stored.set(file.sopInstanceUid, file)
    },
    async [Symbol.asyncDispose]() {
      await archive[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** One study of several classes and transfer syntaxes. */
async function fill(site: Site): Promise<void> {
  const study = { patientId: 'A', studyInstanceUid: '2.25.1' }
  await site.store('ct', EXPLICIT, { ...study, seriesInstanceUid: '2.25.1.1', sopInstanceUid: '2.25.1.1.1', rows: 600, columns: 600 })
  await site.store('ct', IMPLICIT, { ...study, seriesInstanceUid: '2.25.1.1', sopInstanceUid: '2.25.1.1.2' })
  await site.store('mr', JPEG_LOSSLESS, { ...study, seriesInstanceUid: '2.25.1.2', sopInstanceUid: '2.25.1.2.1' })
  await site.store('sr', EXPLICIT, { ...study, seriesInstanceUid: '2.25.1.3', sopInstanceUid: '2.25.1.3.1' })
  await site.store('pdf', DEFLATED, { ...study, seriesInstanceUid: '2.25.1.4', sopInstanceUid: '2.25.1.4.1' })
}

interface Received {
  readonly transferSyntaxUid: string
  readonly dataSet: Buffer
}

async function received(folder: string): Promise<Map<string, Received>> {
  const found = new Map<string, Received>()
  for (const name of await readdir(folder)) {
    const file = await readFile(join(folder, name))
    const { meta, dataSetOffset } = decodePart10Header(file)
    found.set(meta.sopInstanceUid ?? '', { transferSyntaxUid: meta.transferSyntaxUid ?? '', dataSet: file.subarray(dataSetOffset) })
  }
  return found
}

/** Each as it was stored, or in another uncompressed transfer syntax with the same values. */
async function compare(t: ExecutionContext, { stored }: Site, got: ReadonlyMap<string, Received>, expected: Readonly<Record<string, string>>): Promise<void> {
  t.deepEqual(Object.fromEntries([...got].map(([uid, { transferSyntaxUid }]) => [uid, transferSyntaxUid])), expected)
  for (const [uid, { transferSyntaxUid, dataSet }] of got) {
    const original = stored.get(uid)
    if (original === undefined) return t.fail(`${uid} was not stored`)
    if (transferSyntaxUid === original.transferSyntaxUid) {
      t.true(dataSet.equals(original.dataSet), `${uid} byte by byte`)
      continue
    }
    const { _vrMap: _a, ...arrived } = await decodeDataSet(dataSet, transferSyntaxUid)
    const { _vrMap: _b, ...sent } = await decodeDataSet(original.dataSet, original.transferSyntaxUid)
    t.deepEqual(arrived, sent, uid)
  }
}

const STUDY = ['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k']

async function move(site: Site, storescp: readonly string[], keys: readonly string[], aeTitle = RECEIVER): Promise<{ output: string; got: Map<string, Received> }> {
  const inbox = await mkdtemp(join(site.folder, 'inbox-'))
  const server = await serve('storescp', ['-aet', RECEIVER, '-od', inbox, '+B', ...storescp, String(site.destinationPort)], site.destinationPort, inbox)
  try {
    const { output } = await run('movescu', ['-v', '-aec', 'ARCHIVE', '-aem', aeTitle, ...keys, '127.0.0.1', String(site.archive.port)])
    return { output, got: await received(inbox) }
  } finally {
    await server.stop()
  }
}

interop(['dcmtk'], 'movescu: a storescp that takes everything gets everything as it was stored', async (t) => {
  await using site = await makeSite()
  await fill(site)
  const { output, got } = await move(site, ['+xa'], [...STUDY, 'StudyInstanceUID=2.25.1'])
  t.regex(output, /Received Final Move Response \(Success\)/)
  await compare(t, site, got, {
    '2.25.1.1.1': EXPLICIT,
    '2.25.1.1.2': IMPLICIT,
    '2.25.1.2.1': JPEG_LOSSLESS,
    '2.25.1.3.1': EXPLICIT,
    '2.25.1.4.1': DEFLATED,
  })
  const unknown = await move(site, [], [...STUDY, 'StudyInstanceUID=2.25.1'], 'NOBODY')
  t.regex(unknown.output, /MoveDestinationUnknown/)
})

interop(['dcmtk'], 'movescu: a storescp of Implicit VR alone gets what is uncompressed, converted; the log says what it does not get', async (t) => {
  await using site = await makeSite()
  await fill(site)
  const { output, got } = await move(site, ['+xi'], [...STUDY, 'StudyInstanceUID=2.25.1'])
  t.regex(output, /Warning: SubOperationsCompleteOneOrMoreFailures/)
  await compare(t, site, got, { '2.25.1.1.1': IMPLICIT, '2.25.1.1.2': IMPLICIT, '2.25.1.3.1': IMPLICIT, '2.25.1.4.1': IMPLICIT })
  const told = site.archive.log.filter(({ level, message }) => level === 'warn' && message.includes('presentation context'))
  t.deepEqual(told.map(({ fields }) => [fields['sopClass'], fields['transferSyntax'], fields['calledAeTitle']]), [['MRImageStorage', 'JPEGLosslessSV1', RECEIVER]])
})

interop(['dcmtk'], 'getscu: without a word about roles in the configuration, at each level', async (t) => {
  await using site = await makeSite()
  await fill(site)
  const get = async (...options: string[]): Promise<{ output: string; got: Map<string, Received> }> => {
    const inbox = await mkdtemp(join(site.folder, 'inbox-'))
    const { output } = await run('getscu', ['-v', '-aec', 'ARCHIVE', '-od', inbox, '+B', ...options, '127.0.0.1', String(site.archive.port)])
    return { output, got: await received(inbox) }
  }
  const all = await get(...STUDY, 'StudyInstanceUID=2.25.1')
  t.regex(all.output, /Warning: SubOperationsCompleteOneOrMoreFailures/)
  await compare(t, site, all.got, { '2.25.1.1.1': EXPLICIT, '2.25.1.1.2': EXPLICIT, '2.25.1.3.1': EXPLICIT, '2.25.1.4.1': EXPLICIT })
  const series = await get('-S', '-k', 'QueryRetrieveLevel=SERIES', '-k', 'StudyInstanceUID=2.25.1', '-k', 'SeriesInstanceUID=2.25.1.1')
  t.regex(series.output, /Success/)
  await compare(t, site, series.got, { '2.25.1.1.1': EXPLICIT, '2.25.1.1.2': EXPLICIT })
  const image = await get('-P', '-k', 'QueryRetrieveLevel=IMAGE', '-k', 'PatientID=A', '-k', 'StudyInstanceUID=2.25.1', '-k', 'SeriesInstanceUID=2.25.1.1', '-k', 'SOPInstanceUID=2.25.1.1.1')
  await compare(t, site, image.got, { '2.25.1.1.1': EXPLICIT })
  const patient = await get('-P', '-k', 'QueryRetrieveLevel=PATIENT', '-k', 'PatientID=nobody')
  t.is(patient.got.size, 0)
})

interop(['dcmtk'], 'a study of 2000 instances, by getscu and by movescu', async (t) => {
  await using site = await makeSite()
  const path = join(site.folder, 'big')
  await mkdir(path)
  await using association = await site.archive.ae.associate({
    host: '127.0.0.1',
    port: site.archive.port,
    contexts: [{ abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }],
  })
  for (let number = 1; number <= 2_000; number++) {
    const file = await writeFileOf(join(path, 'next'), 'ct', EXPLICIT, { patientId: 'B', studyInstanceUid: '2.25.2', seriesInstanceUid: '2.25.2.1', sopInstanceUid: `2.25.2.1.${number}` })
    site.stored.set(file.sopInstanceUid, file)
    t.is((await association.cStore(join(path, 'next'))).status, 0)
  }
  const inbox = await mkdtemp(join(site.folder, 'inbox-'))
  const { output } = await run('getscu', ['-v', '-aec', 'ARCHIVE', '-od', inbox, '+B', ...STUDY, 'StudyInstanceUID=2.25.2', '127.0.0.1', String(site.archive.port)])
  t.regex(output, /Completed Suboperations *: 2000/)
  const everything = Object.fromEntries([...site.stored.keys()].map((uid) => [uid, EXPLICIT]))
  await compare(t, site, await received(inbox), everything)
  const moved = await move(site, [], [...STUDY, 'StudyInstanceUID=2.25.2'])
  t.regex(moved.output, /Received Final Move Response \(Success\)/)
  await compare(t, site, moved.got, everything)
})

interop(['dcmtk'], 'a storescp that is killed in the middle and started again gets the rest', async (t) => {
  await using site = await makeSite()
  for (let number = 1; number <= 60; number++) {
    await site.store('ct', EXPLICIT, { patientId: 'C', studyInstanceUid: '2.25.3', seriesInstanceUid: '2.25.3.1', sopInstanceUid: `2.25.3.1.${number}`, rows: 512, columns: 512 })
  }
  const inbox = await mkdtemp(join(site.folder, 'inbox-'))
  const start = (): ChildProcess =>
    spawn('storescp', ['-v', '-aet', RECEIVER, '-od', inbox, '+B', String(site.destinationPort)], { cwd: inbox, env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] })
  const first = start()
  const gone = once(first, 'close')
  let seen = 0
  for (const stream of [first.stdout, first.stderr]) {
    stream?.setEncoding('latin1').on('data', (text: string) => {
      seen += text.split('Received Store Request').length - 1
      if (seen >= 10) first.kill('SIGKILL')
    })
  }
  while (!(await isOpen(site.destinationPort))) await new Promise((resolve) => setTimeout(resolve, 20))
  const moved = run('movescu', ['-v', '-aec', 'ARCHIVE', '-aem', RECEIVER, ...STUDY, 'StudyInstanceUID=2.25.3', '127.0.0.1', String(site.archive.port)])
  await gone
  const second = start()
  const { output } = await moved
  second.kill('SIGTERM')
  t.regex(output, /Received Final Move Response \(Success\)/)
  t.true(seen >= 10 && seen < 60, `${seen} were sent to the first`)
  await compare(t, site, await received(inbox), Object.fromEntries([...site.stored.keys()].map((uid) => [uid, EXPLICIT])))
})
