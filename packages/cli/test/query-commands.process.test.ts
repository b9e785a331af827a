import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { decodeDataSet, decodePart10Header, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { CFindAnswer, DataSet, FindMatch, InstanceToSend, Operation } from '@dicomtap/framework'
import { createTestServer, encodedSample } from '@dicomtap/framework/testing'
import type { TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { run } from './support/run.js'
import type { Result } from './support/run.js'
import { makeSite } from './support/site.js'

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian
const FIND = SopClass.StudyRootQueryRetrieveInformationModelFind
const GET = SopClass.StudyRootQueryRetrieveInformationModelGet
const MOVE = SopClass.StudyRootQueryRetrieveInformationModelMove
const CT = SopClass.CTImageStorage

async function server(t: ExecutionContext, options: TestServerOptions): Promise<TestServer> {
  const contexts = [FIND, GET, MOVE].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [EXPLICIT] }))
  const storage = { abstractSyntax: CT, transferSyntaxes: [EXPLICIT], roles: { scu: true, scp: true } }
  const made = await createTestServer({ aeTitle: 'PACS', contexts: [...contexts, storage], ...options })
  t.teardown(() => made[Symbol.asyncDispose]())
  return made
}

/** A server of which every query has these matches. */
function answering(...matches: readonly (DataSet | FindMatch)[]): TestServerOptions {
  return { handlers: { cFind: () => matches } }
}

function command(t: ExecutionContext, { port }: TestServer, name: string, ...args: readonly string[]): Promise<Result & { cwd: string }> {
  return makeSite(t).then(async (cwd) => ({ ...(await run([name, `PACS@127.0.0.1:${port}`, ...args], { cwd })), cwd }))
}

const DOE: DataSet = { PatientName: 'Doe^Jane', PatientID: '1', StudyDate: '20260131', StudyInstanceUID: '1.2.3' }
const MUELLER: DataSet = { SpecificCharacterSet: 'ISO_IR 100', PatientName: 'Müller', PatientID: '2', StudyDate: null, StudyInstanceUID: '1.2.4' }

test('find prints a table on stdout and the status on stderr', async (t) => {
  const asked: DataSet[] = []
  const pacs = await server(t, {
    handlers: {
      cFind: async ({ identifier }) => {
        asked.push(await identifier.dataset())
        return [DOE, MUELLER]
      },
    },
  })
  const { code, stdout, stderr } = await command(t, pacs, 'find', 'PatientName=*', 'PatientID', '-k', 'StudyDate', '--key', 'StudyInstanceUID')
  t.is(stdout, 'PatientName  PatientID  StudyDate   StudyInstanceUID\nDoe, Jane    1          2026-01-31  1.2.3\nMüller       2                      1.2.4\n')
  t.is(stderr, '2 matches. Success (0000)\n')
  t.is(code, 0)
  t.is(asked.length, 1)
  t.like(asked[0], { QueryRetrieveLevel: 'STUDY', PatientID: null, StudyDate: null, StudyInstanceUID: null })
  t.is(String(asked[0]?.['PatientName']), '*')
})

test('find: what was asked for by default and no match has is no column, what was asked for by name is', async (t) => {
  const pacs = await server(t, answering({ PatientID: '1', StudyInstanceUID: '1.2.3' }))
  t.is((await command(t, pacs, 'find', 'PatientID=1')).stdout, 'PatientID  StudyInstanceUID\n1          1.2.3\n')
  t.is((await command(t, pacs, 'find', 'PatientID=1', 'AccessionNumber')).stdout, 'PatientID  AccessionNumber\n1\n')
})

test('find: no match is no failure', async (t) => {
  const { code, stdout, stderr } = await command(t, await server(t, answering()), 'find', 'PatientID=0')
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: 'no matches. Success (0000)\n' })
})

test('find --json, --json-dicom, --csv, --list; --quiet leaves the matches', async (t) => {
  const pacs = await server(t, answering(DOE, MUELLER))
  const keys = ['PatientName', 'PatientID', 'StudyDate']
  const lines = (text: string): unknown[] => text.trimEnd().split('\n').map((line): unknown => JSON.parse(line))
  t.deepEqual(lines((await command(t, pacs, 'find', ...keys, '--json')).stdout), [
    { StudyDate: '20260131', PatientName: 'Doe^Jane', PatientID: '1', StudyInstanceUID: '1.2.3' },
    { SpecificCharacterSet: 'ISO_IR 100', StudyDate: null, PatientName: 'Müller', PatientID: '2', StudyInstanceUID: '1.2.4' },
  ])
  t.like(lines((await command(t, pacs, 'find', ...keys, '--json-dicom')).stdout)[0], { '00100020': { vr: 'LO', Value: ['1'] } })
  t.is((await command(t, pacs, 'find', ...keys, '--csv')).stdout, 'PatientName,PatientID,StudyDate\nDoe^Jane,1,20260131\nMüller,2,\n')
  t.is(
    (await command(t, pacs, 'find', ...keys, '--list')).stdout,
    'PatientName  Doe, Jane\nPatientID    1\nStudyDate    2026-01-31\n\nPatientName  Müller\nPatientID    2\nStudyDate\n',
  )
  const quiet = await command(t, pacs, 'find', ...keys, '--quiet', '--csv')
  t.is(quiet.stderr, '')
  t.is(quiet.stdout.split('\n').length, 4)
})

test('find: nothing that a peer sends steers the terminal, in whatever form it is printed', async (t) => {
  // CSI as two characters and as one (ECMA-48 5.4), which terminals of UTF-8 know too.
  const hostile = 'A\u001b[2J\u009b31mB'
  const pacs = await server(t, answering({ SpecificCharacterSet: 'ISO_IR 192', PatientID: hostile, StudyInstanceUID: '1.2.3' }))
  for (const form of ['--json', '--json-dicom', '--csv', '--list', '--wide']) {
    const { stdout } = await command(t, pacs, 'find', 'PatientID', form)
    t.true(stdout.includes('31mB'), form)
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    t.notRegex(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/u, form)
    if (form === '--json') t.like(JSON.parse(stdout), { PatientID: hostile })
  }
})

test('find --write makes DICOM files, and never writes over one', async (t) => {
  const pacs = await server(t, answering(DOE, MUELLER))
  const cwd = await makeSite(t)
  const args = ['find', `127.0.0.1:${pacs.port}`, 'PatientName', '--write', 'matches']
  t.is((await run(args, { cwd })).code, 0)
  t.deepEqual((await readdir(join(cwd, 'matches'))).sort(), ['rsp0001.dcm', 'rsp0002.dcm'])
  const file = await readFile(join(cwd, 'matches/rsp0002.dcm'))
  const { meta, dataSetOffset } = decodePart10Header(file)
  t.is(meta.sopClassUid, FIND)
  t.is(String((await decodeDataSet(file.subarray(dataSetOffset), meta.transferSyntaxUid ?? ''))['PatientName']), 'Müller')
  const again = await run(args, { cwd })
  t.is(again.code, 2)
  t.regex(again.stderr, /rsp0001\.dcm is there already; give a new folder/)
})

/** Matches without end, and whether the operation was cancelled. */
function endless(): { options: TestServerOptions; cancelled: Promise<boolean> } {
  let settle: (isCancelled: boolean) => void
  const cancelled = new Promise<boolean>((resolve) => (settle = resolve))
  async function* matches(operation: Operation): AsyncGenerator<DataSet> {
    try {
      for (let id = 1; ; id++) {
        yield { PatientID: String(id) }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    } finally {
      settle(operation.isCancelled)
    }
  }
  return { options: { handlers: { cFind: (_request, operation): CFindAnswer => matches(operation) } }, cancelled }
}

test('find --limit prints that many and cancels', async (t) => {
  const { options, cancelled } = endless()
  const { code, stdout, stderr } = await command(t, await server(t, options), 'find', 'PatientID', '--limit', '3', '--csv')
  t.is(stdout, 'PatientID\n1\n2\n3\n')
  t.regex(stderr, /^3 matches; there may be more \(--limit\)\. .*\(FE00\)\n$/)
  t.is(code, 0)
  t.true(await cancelled)
})

test('find --cancel-after cancels, and prints what comes all the same', async (t) => {
  const { options, cancelled } = endless()
  const { code, stdout } = await command(t, await server(t, options), 'find', 'PatientID', '--cancel-after', '2', '--csv')
  t.true(stdout.startsWith('PatientID\n1\n2\n'))
  t.is(code, 0)
  t.true(await cancelled)
})

const BIN = fileURLToPath(new URL('../bin/dicomtap.js', import.meta.url))

test('find: Ctrl-C cancels, prints what has come, releases; 130', async (t) => {
  const { options, cancelled } = endless()
  const pacs = await server(t, options)
  const released = new Promise((resolve) => pacs.ae.bind('associationReleased', resolve))
  const child = spawn(process.execPath, [BIN, 'find', `127.0.0.1:${pacs.port}`, 'PatientID', '--json'])
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  const closed = once(child, 'close')
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  t.true(await cancelled)
  await released
  t.is((await closed)[0], 130)
  t.deepEqual(JSON.parse(stdout.split('\n')[0] ?? ''), { PatientID: '1' })
})

test('find: when the reader of a pipe goes away, the query is cancelled', async (t) => {
  const { options, cancelled } = endless()
  const pacs = await server(t, options)
  const child = spawn(process.execPath, [BIN, 'find', `127.0.0.1:${pacs.port}`, 'PatientID', '--csv'])
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'exit')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  t.true(await cancelled)
  t.is((await closed)[0], 0)
})

test('get: Ctrl-C cancels, keeps what has come, releases; 130', async (t) => {
  const [first] = (await samples(1)) as [Sample]
  let settle: (isCancelled: boolean) => void
  const cancelled = new Promise<boolean>((resolve) => (settle = resolve))
  const pacs = await server(t, {
    handlers: {
      cGet: (_request, operation) => ({
        instances: (async function* instances() {
          yield first
          await once(operation.signal, 'abort')
          settle(operation.isCancelled)
        })(),
      }),
    },
  })
  const stored = new Promise((resolve) => pacs.ae.bind('subOperationCompleted', resolve))
  const released = new Promise((resolve) => pacs.ae.bind('associationReleased', resolve))
  const cwd = await makeSite(t)
  const child = spawn(process.execPath, [BIN, 'get', `127.0.0.1:${pacs.port}`, 'StudyInstanceUID=1.2'], { cwd })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  const closed = once(child, 'close')
  await stored
  child.kill('SIGINT')
  t.true(await cancelled)
  await released
  t.is((await closed)[0], 130)
  t.regex(stdout, /^1 object written to \./)
  t.deepEqual((await readdir(cwd)).filter((name) => name.includes('2.25')), ['2.25.1.dcm'])
})

test('find: failures, whole and partial, in words and as exit codes', async (t) => {
  const failing = (count: number): TestServerOptions => ({
    handlers: {
      async *cFind() {
        for (let id = 0; id < count; id++) yield { PatientID: String(id) }
        return { status: 0xa700, errorComment: 'no memory' }
      },
    },
  })
  const whole = await command(t, await server(t, failing(0)), 'find', 'PatientID')
  t.is(whole.code, 1)
  t.is(whole.stderr, 'error: the query failed: Refused: out of resources (A700): no memory\n')
  const partial = await command(t, await server(t, failing(2)), 'find', 'PatientID')
  t.is(partial.code, 3)
  t.is(partial.stdout, 'PatientID\n0\n1\n')
  t.regex(partial.stderr, /the query failed after 2 matches/)
})

test('find: optional keys that are not supported are mentioned once', async (t) => {
  const pacs = await server(t, answering({ identifier: DOE, status: 0xff01 }, { identifier: MUELLER, status: 0xff01 }))
  const { code, stderr } = await command(t, pacs, 'find', 'PatientID')
  t.is(code, 0)
  t.is([...stderr.matchAll(/\(FF01\)/g)].length, 1)
})

test('find: what a peer sends does not steer the terminal', async (t) => {
  const pacs = await server(t, answering({ PatientID: 'a\u001b]0;title\u0007b', PatientName: 'x\u009b2Jy' }))
  t.is((await command(t, pacs, 'find', 'PatientID')).stdout, 'PatientID\na ]0;title b\n')
})

test('find: what is negotiated, and what the server does not grant', async (t) => {
  const proposed: string[] = []
  const pacs = await server(t, {
    handlers: {
      cFind: () => [],
      sopClassExtended: (items) => {
        proposed.push(...items.map((item) => Buffer.from(item.serviceClassApplicationInformation).toString('hex')))
        // PS3.4 C.5.1.1: relational queries, and no more
        return [{ type: 0x56, sopClassUid: FIND, serviceClassApplicationInformation: Uint8Array.of(1) }]
      },
    },
  })
  const { code, stderr } = await command(t, pacs, 'find', 'SeriesInstanceUID', '--relational', '--fuzzy')
  t.is(code, 0)
  t.deepEqual(proposed, ['010001'])
  t.is(stderr, 'The server does not offer: names matched by sound.\nno matches. Success (0000)\n')
})

const USAGE: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['find'], /missing required argument 'host:port'/],
  [['find', 'pacs:x'], /The port must be a number/],
  [['find', 'localhost:1', 'PatientsName=x'], /^error: There is no attribute "PatientsName"; did you mean PatientName/],
  [['find', 'localhost:1', '--limit', '0'], /whole number of 1 or more/],
  [['find', 'localhost:1', 'PatientID', '--csv', '--json'], /exclude each other/],
  [['find', 'localhost:1', '--model', 'hanging-protocol', '--date-time', '--relational', '-P'], /two models: hanging-protocol and patient/],
  [['find', 'localhost:1', '--model', 'product', '--fuzzy'], /no extended negotiation/],
  [['get', 'localhost:1', 'PatientID=1'], /^error: it does not say what to retrieve/],
  [['get', 'localhost:1', 'StudyInstanceUID=1.2', '--name', '../x'], /^error: --name \.\.\/x: it is a path below the folder/],
  [['get', 'localhost:1', 'StudyInstanceUID=1.2', '--storage-classes', 'XYZ'], /"XYZ" is no storage SOP class/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2'], /^error: it does not say where the objects are to be sent/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2', '--move', 'A', '--output', 'x'], /need --receive <port>/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2', '--receive', 'x'], /port or host:port/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2', '--move', 'A', '--max-bytes', '1G'], /need --receive <port>/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2', '--receive', '1', '--receive-from', '10.0.0.0/33'], /addresses or networks/],
  [['move', 'localhost:1', 'StudyInstanceUID=1.2', '--receive', '1', '--receive-from', 'pacs'], /addresses or networks/],
  [['get', 'localhost:1', 'StudyInstanceUID=1.2', '--max-bytes', '1X'], /500M or 20G/],
]
for (const [args, says] of USAGE) {
  test(`usage: dicomtap ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(args, { cwd: await makeSite(t) })
    t.is(stdout, '')
    t.regex(stderr, says)
    t.is(code, 2)
  })
}

test('a server that is not there: one line, a hint, exit code 1', async (t) => {
  const pacs = await createTestServer()
  await pacs[Symbol.asyncDispose]()
  const { code, stdout, stderr } = await command(t, pacs, 'find', 'PatientID=1')
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /^error DICOMTAP_ERR_NET_CONNECT: .*\nhint: .*\n$/)
})

interface Sample extends InstanceToSend {
  readonly content: Buffer
}
async function samples(count: number): Promise<Sample[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Sample> => {
      const sopInstanceUid = `2.25.${index + 1}`
      const content = await encodedSample('ct', EXPLICIT, { seed: index + 1, sopInstanceUid, patientId: `P${index}` })
      return { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT, content, bytes: () => [content] }
    }),
  )
}

function sending(instances: readonly InstanceToSend[]): TestServerOptions {
  return { handlers: { cGet: () => ({ instances, total: instances.length }) } }
}

test('get writes each object as it came, under its UID', async (t) => {
  const instances = await samples(3)
  const pacs = await server(t, sending(instances))
  const { code, stdout, stderr, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--output', 'study', '--aet', 'ME')
  t.is(stderr, '3 completed. Success (0000)\n')
  t.regex(stdout, /^3 objects written to study \([\d.]+ kB\)\n$/)
  t.is(code, 0)
  t.deepEqual((await readdir(join(cwd, 'study'))).sort(), ['2.25.1.dcm', '2.25.2.dcm', '2.25.3.dcm'])
  for (const { sopInstanceUid, content } of instances) {
    const file = await readFile(join(cwd, 'study', `${sopInstanceUid}.dcm`))
    const { meta, dataSetOffset } = decodePart10Header(file)
    t.deepEqual(file.subarray(dataSetOffset), content)
    t.like(meta, { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT, sendingApplicationEntityTitle: 'PACS', receivingApplicationEntityTitle: 'ME' })
  }
})

test('get keeps what is there, and replaces it only when told to', async (t) => {
  const instances = await samples(2)
  const pacs = await server(t, sending(instances))
  const cwd = await makeSite(t)
  const args = ['get', `127.0.0.1:${pacs.port}`, 'StudyInstanceUID=1.2']
  t.is((await run(args, { cwd })).code, 0)
  const file = join(cwd, '2.25.1.dcm')
  const complete = await readFile(file)
  await writeFile(file, complete.subarray(0, 600))
  const again = await run(args, { cwd })
  t.is(again.code, 0)
  t.is(again.stdout, 'nothing new in .: 2 objects were there already (--overwrite writes them again)\n')
  t.is((await readFile(file)).length, 600)
  t.is((await run([...args, '--overwrite'], { cwd })).code, 0)
  t.deepEqual(await readFile(file), complete)
})

test('get never takes the place of another file; a part that fails is exit code 3', async (t) => {
  const pacs = await server(t, sending(await samples(2)))
  const cwd = await makeSite(t)
  await writeFile(join(cwd, '2.25.1.dcm'), 'notes')
  for (const overwrite of [[], ['--overwrite']]) {
    const { code, stderr } = await run(['get', `127.0.0.1:${pacs.port}`, 'StudyInstanceUID=1.2', ...overwrite], { cwd })
    t.is(code, 3)
    t.regex(stderr, /^error: 2\.25\.1: .*2\.25\.1\.dcm is there and holds something else/)
    t.regex(stderr, /error: 1 completed, 1 failed\. .*\(B000\)\n$/)
    t.is(await readFile(join(cwd, '2.25.1.dcm'), 'utf8'), 'notes')
    t.deepEqual((await readdir(cwd)).filter((name) => name.endsWith('.partial')), [])
  }
})

test('get --name makes folders out of attributes; --json tells the files', async (t) => {
  const pacs = await server(t, sending(await samples(2)))
  const { code, stdout, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--name', '{PatientID}/{Modality}-{SOPInstanceUID}.dcm', '--json')
  t.is(code, 0)
  const report = JSON.parse(stdout) as { files: { path: string }[] }
  t.like(report, { ok: true, status: 0, completed: 2, failed: 0, received: 2, kept: 0, failedSopInstanceUids: [] })
  t.deepEqual(report.files.map(({ path }) => path).sort(), [join(cwd, 'P0/CT-2.25.1.dcm'), join(cwd, 'P1/CT-2.25.2.dcm')])
  if (process.platform === 'win32') return
  for (const path of ['P0', 'P0/CT-2.25.1.dcm']) t.is((await stat(join(cwd, path))).mode & 0o007, 0, path)
})

test('get: an object whose UID is a path is refused, and nothing is written', async (t) => {
  const [sample] = await samples(1)
  const pacs = await server(t, sending([{ ...(sample as Sample), sopInstanceUid: '../../evil' }]))
  const { code, stderr, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '-o', 'in')
  t.is(code, 1)
  t.regex(stderr, /nothing was sent|1 failed/)
  t.deepEqual(await readdir(join(cwd, 'in')), [])
})

test('get: an object that ends too early leaves no file', async (t) => {
  const [sample] = await samples(1)
  const { content } = sample as Sample
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, 100)
    pacs.ae.abort('for the test')
    await new Promise(() => {})
  }
  const pacs: TestServer = await server(t, sending([{ ...(sample as Sample), bytes: broken }]))
  const { code, stderr, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '-o', 'in')
  t.is(code, 1)
  t.regex(stderr, /DICOMTAP_ERR_ACSE_ABORTED/)
  t.deepEqual(await readdir(join(cwd, 'in')), [])
})

test('what has come when the association is lost is reported, with exit code 3', async (t) => {
  const [first, second] = (await samples(2)) as [Sample, Sample]
  const lose = async (): Promise<never> => {
    pacs.ae.abort('for the test')
    return new Promise(() => {})
  }
  const pacs: TestServer = await server(t, {
    handlers: {
      async *cFind() {
        yield { PatientID: '1' }
        await lose()
      },
      cGet: () => ({
        total: 2,
        instances: (async function* instances() {
          yield first
          await stored
          await lose()
          yield second
        })(),
      }),
    },
  })
  const stored = new Promise((resolve) => pacs.ae.bind('subOperationCompleted', resolve))
  const found = await command(t, pacs, 'find', 'PatientID')
  t.is(found.stdout, 'PatientID\n1\n')
  t.regex(found.stderr, /^error DICOMTAP_ERR_ACSE_ABORTED/)
  t.is(found.code, 3)
  const got = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--json')
  t.like(JSON.parse(got.stdout) as object, { ok: false, received: 1 })
  t.regex(got.stderr, /DICOMTAP_ERR_ACSE_ABORTED/)
  t.is(got.code, 3)
  t.deepEqual((await readdir(got.cwd)).filter((name) => name !== 'node_modules'), ['2.25.1.dcm'])
})

test('get: nothing matched, and classes that were not asked for', async (t) => {
  const none = await command(t, await server(t, sending([])), 'get', 'StudyInstanceUID=1.2')
  t.is(none.code, 0)
  t.is(none.stderr, 'nothing matched. Success (0000)\n')
  const other = await command(t, await server(t, sending(await samples(1))), 'get', 'StudyInstanceUID=1.2', '--storage-classes', 'MR')
  t.is(other.code, 1)
  t.regex(other.stderr, /error DICOMTAP_ERR_ACSE_CONTEXT: The server accepts no storage SOP class/)
  t.regex(other.stderr, /hint: .*--storage-classes/)
})

test('get: a folder that cannot be made is an error before anybody is asked', async (t) => {
  const cwd = await makeSite(t)
  await writeFile(join(cwd, 'file'), '')
  const { code, stderr } = await run(['get', '127.0.0.1:1', 'StudyInstanceUID=1.2', '-o', 'file/in'], { cwd })
  t.is(code, 2)
  t.regex(stderr, /^error: --output file\/in: /)
})

test('get --ignore takes the objects and writes nothing', async (t) => {
  const instances = await samples(3)
  const pacs = await server(t, sending(instances))
  const { code, stdout, stderr, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--ignore')
  const before = await readdir(await makeSite(t))
  t.is(stderr, '3 completed. Success (0000)\n')
  t.regex(stdout, /^3 objects received \([\d.]+ kB\), none written\n$/)
  t.is(code, 0)
  t.deepEqual(await readdir(cwd), before)
  const bytes = instances.reduce((sum, { content }) => sum + content.length, 0)
  const json = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--ignore', '--json')
  t.like(JSON.parse(json.stdout) as object, { ok: true, completed: 3, received: 3, kept: 0, bytes, files: [] })
  const verbose = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--ignore', '--verbose')
  t.regex(verbose.stdout, /^not written: 2\.25\.1\nnot written: 2\.25\.2\nnot written: 2\.25\.3\n3 objects received/)
  for (const [args, says] of [
    [['get', '127.0.0.1:1', '--ignore', '-o', 'in', 'StudyInstanceUID=1.2'], /^error: --output, --name and --overwrite are for what is written: --ignore writes nothing\n$/],
    [['move', '127.0.0.1:1', '--ignore', '--move', 'X', 'StudyInstanceUID=1.2'], /^error: --output, --name, --overwrite and --ignore are for what arrives here/],
  ] as const) {
    const wrong = await run(args, { cwd })
    t.is(wrong.code, 2)
    t.regex(wrong.stderr, says)
  }
  t.deepEqual(await readdir(cwd), before)
})

test('get: what comes after a limit is refused, and the retrieval ends', async (t) => {
  const instances = await samples(4)
  const size = instances[0]!.content.length
  let statuses: (number | undefined)[] = []
  const pacs = await server(t, {
    ...sending(instances),
    handlers: {
      ...sending(instances).handlers,
      subOperationCompleted: ({ status }) => {
        statuses.push(status)
      },
    },
  })
  for (const limit of [
    ['--max-objects', '2'],
    ['--max-bytes', String(2 * size + 1)],
  ]) {
    for (const more of [[], ['--ignore']]) {
      statuses = []
      const { code, stdout, stderr, cwd } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', ...limit, ...more)
      t.is(code, 3, stderr)
      t.regex(stderr, new RegExp(`: more than .*: the rest is refused \\(${limit[0]}\\)\\n`))
      t.is(stderr.split('the rest is refused').length, 2)
      t.regex(stdout, /^2 objects /)
      t.deepEqual(statuses.slice(0, 3), [0x0000, 0x0000, 0xa700])
      t.is((await readdir(cwd)).filter((name) => name.endsWith('.dcm')).length, more.length === 0 ? 2 : 0)
      t.deepEqual((await readdir(cwd)).filter((name) => name.endsWith('.partial')), [])
    }
  }
  t.is((await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--max-objects', '0', '--max-bytes', '0')).code, 0)
})

test('get --ignore: an object that ends too early is a failure', async (t) => {
  const [whole, cut] = await samples(2)
  const broken: InstanceToSend = {
    ...cut!,
    async *bytes() {
      yield cut!.content.subarray(0, 100)
      throw new Error('the disk is gone')
    },
  }
  const pacs = await server(t, sending([whole!, broken]))
  const { code, stdout } = await command(t, pacs, 'get', 'StudyInstanceUID=1.2', '--ignore')
  t.is(code, 3)
  t.regex(stdout, /^1 object received /)
})

test('move to an AE that the server does not know', async (t) => {
  const pacs = await server(t, { handlers: { cMove: () => ({ instances: [], total: 0 }) } })
  const { code, stderr } = await command(t, pacs, 'move', 'StudyInstanceUID=1.2', '--move', 'NOBODY')
  t.is(code, 1)
  t.regex(stderr, /^error: nothing was sent\. Refused: Move Destination unknown \(A801\)\nhint: the server must have NOBODY in its configuration/)
})

test('move reports what the server counts', async (t) => {
  await using workstation = await createTestServer({
    contexts: [{ abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }],
    handlers: { cStore: ({ affectedSopInstanceUid }) => (affectedSopInstanceUid === '2.25.2' ? 0xa700 : 0x0000) },
  })
  const instances = await samples(3)
  const destinations: string[] = []
  const pacs = await server(t, {
    handlers: {
      cMove: ({ moveDestination }) => {
        destinations.push(moveDestination)
        return { instances, total: 3 }
      },
      moveDestination: () => ({ host: '127.0.0.1', port: workstation.port }),
    },
  })
  const { code, stdout, stderr } = await command(t, pacs, 'move', 'StudyInstanceUID=1.2', '--destination', 'WORKSTATION', '--json')
  t.deepEqual(destinations, ['WORKSTATION'])
  t.is(stderr, '')
  t.like(JSON.parse(stdout) as object, { ok: false, completed: 2, failed: 1, failedSopInstanceUids: ['2.25.2'] })
  t.is(code, 3)
})

test('move --receive takes associations that call its title, from where it was told to', async (t) => {
  const instances = await samples(1)
  for (const [args, titles, expected] of [
    [[], ['ME'], 0],
    [[], ['OTHER'], 1],
    [['--receive-from', '127.0.0.0/8,::1'], ['ME'], 0],
    [['--receive-from', '192.0.2.0/24'], ['ME'], 1],
  ] as const) {
    let tellPort: (port: number) => void
    const port = new Promise<number>((resolve) => (tellPort = resolve))
    const pacs = await server(t, {
      handlers: {
        cMove: () => ({ instances, total: 1 }),
        moveDestination: async () => ({ host: '127.0.0.1', port: await port, calledAeTitle: titles[0] }),
      },
    })
    const cwd = await makeSite(t)
    const child = spawn(process.execPath, [BIN, 'move', `PACS@127.0.0.1:${pacs.port}`, 'StudyInstanceUID=1.2', '--aet', 'ME', '--receive', '127.0.0.1:0', ...args], { cwd })
    t.teardown(() => child.kill('SIGKILL'))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      const found = /listens on 127\.0\.0\.1:(\d+) for /u.exec(stderr)?.[1]
      if (found !== undefined) tellPort(Number(found))
    })
    const [code] = (await once(child, 'close')) as [number | null]
    t.is(code, expected, stderr)
    if (expected === 0) t.regex(stderr, /receiving from PACS at 127\.0\.0\.1\n/)
    if (args[1]?.startsWith('192')) t.regex(stderr, /refused: PACS at 127\.0\.0\.1 \(--receive-from\)\n/)
    t.is((await readdir(cwd)).filter((name) => name.endsWith('.dcm')).length, expected === 0 ? 1 : 0)
  }
})

test('move --receive is the destination itself', async (t) => {
  const instances = await samples(3)
  let tellPort: (port: number) => void
  const port = new Promise<number>((resolve) => (tellPort = resolve))
  const titles: string[] = []
  const pacs = await server(t, {
    handlers: {
      cMove: () => ({ instances, total: 3 }),
      moveDestination: async (title) => {
        titles.push(title)
        return { host: '127.0.0.1', port: await port }
      },
    },
  })
  const cwd = await makeSite(t)
  const child = spawn(process.execPath, [BIN, 'move', `PACS@127.0.0.1:${pacs.port}`, 'StudyInstanceUID=1.2', '--aet', 'ME', '--receive', '127.0.0.1:0', '-o', 'in'], { cwd })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    const found = /listens on 127\.0\.0\.1:(\d+)/u.exec(stderr)?.[1]
    if (found !== undefined) tellPort(Number(found))
  })
  const [code] = (await once(child, 'close')) as [number | null]
  t.is(code, 0, stderr)
  t.deepEqual(titles, ['ME'])
  t.regex(stderr, /\n3 completed\. Success \(0000\)\n$/)
  t.regex(stdout, /^3 objects written to in /)
  for (const { sopInstanceUid, content } of instances) {
    const file = await readFile(join(cwd, 'in', `${sopInstanceUid}.dcm`))
    const { meta, dataSetOffset } = decodePart10Header(file)
    t.deepEqual(file.subarray(dataSetOffset), content)
    t.like(meta, { sendingApplicationEntityTitle: 'PACS', receivingApplicationEntityTitle: 'ME' })
  }
})
