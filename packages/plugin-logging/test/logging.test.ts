import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { SopClass, TransferSyntax, definePlugin, encodeDataSet, parseConfig } from '@dicomtap/framework'
import type { ApplicationEntity, HookHandler, LogLevel } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestServerOptions } from '@dicomtap/framework/testing'
import { logging, loggingOptions } from '@dicomtap/plugin-logging'
import type { LoggingService } from '@dicomtap/plugin-logging'
import TransportStream from 'winston-transport'
import { z } from 'zod'

type Line = Record<string, unknown> & { level: LogLevel; message: string }
type Options = Parameters<typeof logging>[0]

const CONTEXTS = [
  [SopClass.Verification, TransferSyntax.ImplicitVRLittleEndian],
  [SopClass.CTImageStorage, TransferSyntax.ExplicitVRLittleEndian],
] as const
const readAll: HookHandler<'cStore'> = async ({ dataSet }) => {
  await dataSet.buffer()
  return 0x0000
}

async function folderFor(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-logging-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

/** A server that logs JSON into a file; `lines` closes it and reads the file. */
async function loggingServer(t: ExecutionContext, options: Options = {}, serverOptions: TestServerOptions = {}) {
  const file = path.join(await folderFor(t), 'dicom.log')
  let service: LoggingService | undefined
  const take = definePlugin({
    name: 'take',
    requires: ['logging'],
    apply(api) {
      service = api.inject('logging')
    },
  })
  const server = await createTestServer({
    contexts: CONTEXTS.map(([abstractSyntax, transferSyntax]) => ({ abstractSyntax, transferSyntaxes: [transferSyntax] })),
    handlers: { cStore: readAll },
    ...serverOptions,
    plugins: [logging({ stderr: false, format: 'json', file: { path: file }, ...options }), take(), ...(serverOptions.plugins ?? [])],
  })
  return {
    server,
    service: service!,
    async lines(): Promise<Line[]> {
      await server[Symbol.asyncDispose]()
      return (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
    },
  }
}

const events = (lines: readonly Line[]): unknown[] => lines.map(({ event }) => event).filter((event) => event !== undefined)

test('an association from its request to its release', async (t) => {
  const { server, lines } = await loggingServer(t, { levels: { dimse: 'debug' } })
  const scu = await testScu(server.port, { callingAeTitle: 'CT01', calledAeTitle: 'ARCHIVE', contexts: [...CONTEXTS, ['1.2.999', TransferSyntax.ImplicitVRLittleEndian]] })
  await scu.echo()
  const instance = { sopClassUid: SopClass.CTImageStorage, transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian, dataSet: Buffer.alloc(5000) }
  await scu.store({ ...instance, sopInstanceUid: '1.2.3.1' })
  await scu.store({ ...instance, sopInstanceUid: '1.2.3.2' })
  await scu.release()
  const written = await lines()
  const own = written.filter(({ event }) => event !== undefined)
  t.deepEqual(events(written), ['association.accepted', 'operation.completed', 'operation.completed', 'operation.completed', 'association.released'])
  t.like(own[0], { level: 'info', area: 'acse', association: 'a1', callingAeTitle: 'CT01', calledAeTitle: 'ARCHIVE', remoteAddress: '127.0.0.1', acceptedContexts: 2, refusedContexts: 1 })
  t.like(own[1], { level: 'debug', service: 'C-ECHO', status: '0000', messageId: 1 })
  t.like(own[2], { service: 'C-STORE', sopClassUid: SopClass.CTImageStorage, sopInstanceUid: '1.2.3.1', receivedBytes: 5000 })
  t.like(own[4], { operations: { 'C-ECHO': { '0000': 1 }, 'C-STORE': { '0000': 2 } }, receivedBytes: 10_000 })
})

test('rejections, aborts and failing handlers', async (t) => {
  const { server, lines } = await loggingServer(t, {}, {
    requireCalledAeTitle: true,
    aeTitle: 'ARCHIVE',
    handlers: {
      cStore: () => {
        throw new Error('cannot read DOE^JOHN')
      },
    },
  })
  await t.throwsAsync(testScu(server.port, { calledAeTitle: 'ARCHIV', contexts: [...CONTEXTS] }))
  const scu = await testScu(server.port, { calledAeTitle: 'ARCHIVE', contexts: [...CONTEXTS] })
  await scu.store({ sopClassUid: SopClass.CTImageStorage, sopInstanceUid: '1.2.3', transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian, dataSet: Buffer.alloc(10) })
  await scu.abort()
  const written = await lines()
  t.like(written.find(({ event }) => event === 'association.rejected'), { level: 'warn', result: 1, source: 1, reason: 7 })
  t.like(written.find(({ event }) => event === 'association.aborted'), { level: 'warn', by: 'peer', source: 0, operations: { 'C-STORE': { C211: 1 } } })
  t.like(written.find(({ event }) => event === 'operation.completed'), { level: 'warn', status: 'C211' })
  const failed = written.find(({ level }) => level === 'error')
  t.regex(failed?.message ?? '', /hook cStore failed/)
  t.false(JSON.stringify(written).includes('DOE'))
})

test('a close says how many failures had no line yet', async (t) => {
  const { server, lines } = await loggingServer(t, {}, { handlers: { cStore: () => 0xa700 } })
  for (const count of [4, 3]) {
    const scu = await testScu(server.port, { contexts: [...CONTEXTS] })
    for (let i = 0; i < count; i += 1) {
      await scu.store({ sopClassUid: SopClass.CTImageStorage, sopInstanceUid: `1.2.3.${i}`, transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian, dataSet: Buffer.alloc(10) })
    }
    await scu.release()
  }
  const written = await lines()
  t.is(written.filter(({ event }) => event === 'operation.completed').length, 5)
  const told = written.filter(({ event }) => event === 'operation.repetitions')
  t.is(told.length, 1)
  t.like(told[0], { level: 'warn', area: 'dimse', service: 'C-STORE', status: 'A700', count: 2 })
  const sums = written.filter(({ event }) => event === 'association.released').map(({ operations }) => operations)
  t.deepEqual(sums, [{ 'C-STORE': { A700: 4 } }, { 'C-STORE': { A700: 3 } }])
})

test('an association that is cut while an object is on its way', async (t) => {
  const started = new AbortController()
  const { server, lines } = await loggingServer(t, { level: 'debug' }, {
    handlers: {
      cStore: async ({ dataSet }) => {
        started.abort()
        await dataSet.buffer()
        return 0
      },
    },
  })
  const scu = await testScu(server.port, { contexts: [...CONTEXTS] })
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1000)
    await once(started.signal, 'abort')
    await scu.dul.kill()
  }
  scu.storing({ sopClassUid: SopClass.CTImageStorage, sopInstanceUid: '1.2.3', transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian, dataSet: endless() }).final().catch(() => {})
  await scu.ended
  await Promise.all(server.ae.activeAssociations.map(({ closed }) => closed))
  const written = await lines()
  t.like(written.find(({ event }) => event === 'association.aborted'), { level: 'warn', by: 'network', operations: {}, unfinishedOperations: 1 })
  const operation = written.find(({ event }) => event === 'operation.completed')
  t.is(operation?.['responses'], 0)
  t.false(Object.hasOwn(operation ?? {}, 'status'))
})

test('contexts on demand', async (t) => {
  const { server, lines } = await loggingServer(t, { contexts: true })
  await using scu = await testScu(server.port, { contexts: [...CONTEXTS] })
  await scu.release()
  const written = await lines()
  t.deepEqual(events(written), ['association.accepted', 'association.contexts', 'association.released'])
  t.like(written[1], { contexts: [{ id: 1, result: 0 }, { id: 3, result: 0, transferSyntax: TransferSyntax.ExplicitVRLittleEndian }] })
})

test('levels change through the service and with a reload', async (t) => {
  const { server, service, lines } = await loggingServer(t, { level: 'warn' })
  t.deepEqual(service.levels(), { server: 'warn', acse: 'warn', dimse: 'warn', dul: 'warn', plugin: 'warn' })
  const echo = async (): Promise<void> => {
    await using scu = await testScu(server.port, { contexts: [...CONTEXTS] })
    await scu.echo()
  }
  await echo()
  service.setLevel('debug', 'dimse')
  await echo()
  const reloaded = parseConfig({ plugins: [[logging({ level: 'silent', levels: { acse: 'info' } })]] })
  await server.ae.reload(reloaded)
  t.deepEqual(service.levels(), { server: 'silent', acse: 'info', dimse: 'silent', dul: 'silent', plugin: 'silent' })
  await echo()
  t.deepEqual(events(await lines()), ['operation.completed', 'association.accepted', 'association.released'])
})

test('the level is that of the config unless the options say otherwise', async (t) => {
  const { server, service } = await loggingServer(t, {}, { logLevel: 'error' })
  t.is(service.levels().server, 'error')
  await server[Symbol.asyncDispose]()
})

test('other winston transports get every line, with its fields', async (t) => {
  const taken: Line[] = []
  const transport = new TransportStream({
    log(info: Line, next: () => void) {
      taken.push(info)
      next()
    },
  })
  const server = await createTestServer({ plugins: [logging({ stderr: false, transports: [transport] })] })
  server.ae.log.warn('one of the framework', { port: 104 })
  await server[Symbol.asyncDispose]()
  t.like(taken.find(({ message }) => message === 'one of the framework'), { level: 'warn', area: 'server', port: 104 })
})

test('after the close the log of the server works as before', async (t) => {
  const { server } = await loggingServer(t)
  await server[Symbol.asyncDispose]()
  server.ae.log.info('after the close')
  t.true(server.logged('info').includes('after the close'))
})

test('a log file that cannot be written stops the start, in one line that says what to do', async (t) => {
  const folder = await folderFor(t)
  await writeFile(path.join(folder, 'file'), '')
  const options = { stderr: false, file: { path: path.join(folder, 'file', 'dicom.log') } }
  const error = await t.throwsAsync(createTestServer({ plugins: [logging(options)] }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
  t.regex(error?.message ?? '', /^Plugin 'logging': file\.path: cannot write to '.*' \(.*\): give a folder this user may write to$/)
})

test('options: defaults, and every mistake named', (t) => {
  t.deepEqual(loggingOptions.parse({ file: { path: 'x.log' } }), {
    levels: {},
    format: 'pretty',
    colour: 'auto',
    stderr: true,
    file: { path: 'x.log', maximumBytes: 50_000_000, maximumFiles: 10, compress: false, mode: '640' },
    contexts: false,
    healthChecks: [],
    phi: false,
    requestIdentifiers: false,
    responseIdentifiers: false,
    slowOperationMs: null,
    transports: [],
  })
  const mistakes = { level: 'verbose', levels: { pdu: 'info' }, file: { path: '', mode: '999' }, color: true, transports: [{}] }
  const { error } = loggingOptions.safeParse(mistakes)
  t.deepEqual(error?.issues.map(({ path: at }) => at.join('.')).toSorted(), ['', 'file.mode', 'file.path', 'level', 'levels', 'transports.0'])
})

const FIND = SopClass.StudyRootQueryRetrieveInformationModelFind
const QUERY = { QueryRetrieveLevel: 'STUDY', PatientName: 'DOE*', StudyInstanceUID: '', OtherPatientIDsSequence: [{ PatientID: '4711' }] }

/** Asks for a study and gets two, one of them encoded by the handler, one changed on its way. */
async function queried(t: ExecutionContext, options: Options): Promise<Line[]> {
  const changing = definePlugin({
    name: 'changing',
    apply(api) {
      api.hooks.findIdentifier.tap((identifier) => ({ ...identifier, PatientName: 'CHANGED*' }))
      api.hooks.findMatch.tap((match) => (match.identifier instanceof Uint8Array ? match : { ...match, identifier: { ...match.identifier, PatientID: 'COERCED' } }))
    },
  })
  const { server, lines } = await loggingServer(t, options, {
    plugins: [changing()],
    contexts: [{ abstractSyntax: FIND, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }],
    handlers: {
      cFind: async ({ identifier }) => {
        const { PatientName } = await identifier.dataset()
        t.is(String(PatientName), 'CHANGED*')
        const encoded = await encodeDataSet({ PatientName: 'DOE^JANE', PixelData: new Uint8Array(8) }, TransferSyntax.ExplicitVRLittleEndian)
        return [{ identifier: { PatientName: 'DOE^JOHN', PatientID: '1' }, status: 0xff01 }, encoded]
      },
    },
  })
  await using scu = await testScu(server.port, { contexts: [[FIND, TransferSyntax.ExplicitVRLittleEndian]] })
  const request = await scu.find(QUERY, FIND)
  t.is((await request.final()).status, 0)
  await scu.release()
  return await lines()
}

test('identifiers of requests and responses, only where they are asked for twice', async (t) => {
  const none = await queried(t, {})
  t.deepEqual(events(none), ['association.accepted', 'operation.completed', 'association.released'])
  t.notRegex(JSON.stringify(none), /DOE|4711|COERCED/)
  // `phi` alone lets through what others log.
  t.notRegex(JSON.stringify(await queried(t, { phi: true })), /DOE|4711|COERCED/)

  const requests = (await queried(t, { phi: true, requestIdentifiers: true })).filter(({ event }) => String(event).startsWith('operation.'))
  t.deepEqual(events(requests), ['operation.identifier', 'operation.completed'])
  t.like(requests[0], { level: 'info', area: 'dimse', association: 'a1', messageId: 1, service: 'C-FIND', sopClassUid: FIND, callingAeTitle: 'TEST-SCU' })
  // As the peer sent it, before anybody changed it.
  t.deepEqual(requests[0]?.['identifier'], {
    QueryRetrieveLevel: 'STUDY',
    PatientName: 'DOE*',
    OtherPatientIDsSequence: [{ PatientID: '4711' }],
    StudyInstanceUID: null,
  })

  const matches = (await queried(t, { phi: true, responseIdentifiers: true })).filter(({ event }) => event === 'operation.match')
  // As the peer gets it, after everybody changed it.
  t.deepEqual(matches.map(({ match, status, identifier }) => ({ match, status, identifier })), [
    { match: 1, status: 'FF01', identifier: { PatientName: 'DOE^JOHN', PatientID: 'COERCED' } },
    { match: 2, status: 'FF00', identifier: { PatientName: 'DOE^JANE', PixelData: '(8 bytes)' } },
  ])
})

test('identifiers below the level cost nothing and are not written', async (t) => {
  const lines = await queried(t, { phi: true, requestIdentifiers: true, responseIdentifiers: true, levels: { dimse: 'warn' } })
  t.deepEqual(events(lines), ['association.accepted', 'association.released'])
})

test('identifiers need phi', (t) => {
  for (const name of ['requestIdentifiers', 'responseIdentifiers'] as const) {
    const { error } = loggingOptions.safeParse({ [name]: true })
    t.deepEqual(error?.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`), [`${name}: needs phi: true, for identifiers are patient data`])
    t.true(loggingOptions.safeParse({ [name]: true, phi: true }).success)
  }
})

test('schema.json is that of the options', async (t) => {
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  const schema = JSON.parse(JSON.stringify(z.toJSONSchema(loggingOptions, { io: 'input', unrepresentable: 'any' }))) as unknown
  t.deepEqual(file, schema, 'run "npm run build && node scripts/write-schemas.mjs"')
})

test('the warm-up writes lines as the server does, and to nowhere', async (t) => {
  const { server, lines } = await loggingServer(t, { level: 'trace' })
  const rehearsals: ApplicationEntity[] = []
  let enabled = 0
  server.ae.hooks.warmUp.tap({ name: 'test', stage: 1 }, ({ rehearsal }) => {
    rehearsals.push(rehearsal)
    if (rehearsal.log.isEnabled('trace')) enabled += 1
  })
  await server.ae.warmUp({ budgetMs: 200 })
  t.true(rehearsals.length > 0)
  t.is(enabled, rehearsals.length)
  t.true(rehearsals.every((rehearsal) => rehearsal !== server.ae))
  const scu = await testScu(server.port, { contexts: CONTEXTS })
  await scu.echo()
  await scu.release()
  const written = await lines()
  t.is(written.filter(({ message }) => message.startsWith('association accepted')).length, 1)
  t.false(written.some((line) => JSON.stringify(line).includes('REHEARSAL')))
})
