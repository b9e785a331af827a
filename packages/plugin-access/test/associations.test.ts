import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { CommandField, SopClass, Stage, TransferSyntax, definePlugin, encodePdu } from '@dicomtap/framework'
import type { Finding } from '@dicomtap/framework'
import { associateRequest, createTestServer, sampleDataset, testScu } from '@dicomtap/framework/testing'
import type { TestScu, TestScuOptions } from '@dicomtap/framework/testing'
import { tls } from '@dicomtap/plugin-tls'
import { userIdentity } from '@dicomtap/plugin-user-identity'
import { readUnknownPeers } from '../dist/unknown-peers/file.js'
import { accessServer, outcome, services, temporaryFolder } from './support/server.js'
import { CERTIFICATE, KEY } from './support/certificate.js'

const HERE = 'host: 127.0.0.1'

test('who is in the peers file is let in, and nobody else; each cause has its rejection', async (t) => {
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: CT1, ${HERE} }
  - { aeTitle: CT2, host: 10.0.0.0/8 }
  - { aeTitle: CT3, ${HERE}, calledAeTitles: ARCHIVE }
  - { aeTitle: CT4, ${HERE}, requireTls: true }
  - { aeTitle: CT5, certificate: { commonName: CT5 } }
rules:
  - { action: deny, calling: BAD, rejection: [1, 1, 2] }
  - { action: allow, calling: GUEST, address: 127.0.0.0/8 }
`,
  )
  const calling = (callingAeTitle: string, more: TestScuOptions = {}): Promise<string> => outcome(server, { callingAeTitle, ...more })
  t.is(await calling('CT1'), 'accepted')
  t.is(await calling('GUEST'), 'accepted')
  t.is(await calling('CT9'), '1,1,3')
  t.is(await calling('ct1'), '1,1,3')
  t.is(await calling('CT2'), '1,1,1')
  t.is(await calling('CT3'), '1,1,7')
  t.is(await calling('CT3', { calledAeTitle: 'ARCHIVE' }), 'accepted')
  t.is(await calling('CT4'), '1,1,1')
  t.is(await calling('CT5'), '1,1,1')
  t.is(await calling('BAD'), '1,1,2')
  const [line] = server.log.filter(({ message }) => message === 'association refused')
  t.like(line?.fields, { callingAeTitle: 'CT9', remoteAddress: '127.0.0.1', cause: 'unknown', rejection: '1,1,3', hint: 'to let it in: dicomtap peers add CT9 --host 127.0.0.1' })
})

test('rejections by cause can be chosen; lenient titles; called titles of the options', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, maximumAssociations: 1 }]`, {
    rejections: { unknown: [2, 1, 1], limit: [2, 1, 1] },
    lenientAeTitles: true,
    calledAeTitles: ['ARCHIVE'],
  })
  t.is(await outcome(server, { callingAeTitle: 'XX', calledAeTitle: 'ARCHIVE' }), '2,1,1')
  t.is(await outcome(server, { callingAeTitle: 'c t 1', calledAeTitle: 'archive' }), 'accepted')
  t.is(await outcome(server, { callingAeTitle: 'CT1', calledAeTitle: 'OTHER' }), '1,1,7')
  await using _held = await testScu(server, { callingAeTitle: 'CT1', calledAeTitle: 'ARCHIVE' })
  t.is(await outcome(server, { callingAeTitle: 'CT1', calledAeTitle: 'ARCHIVE' }), '2,1,1')
})

test('so many associations at once, also when they come in one moment; places come back', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, maximumAssociations: 3 }]`)
  const held: TestScu[] = []
  const knock = async (): Promise<string> => {
    try {
      held.push(await testScu(server.port, { callingAeTitle: 'CT1' }))
      return 'accepted'
    } catch (error) {
      const { result, source, reason } = (error as Error).cause as { result: number; source: number; reason: number }
      return `${result},${source},${reason}`
    }
  }
  const outcomes = await Promise.all(Array.from({ length: 12 }, knock))
  t.is(outcomes.filter((one) => one === 'accepted').length, 3)
  t.is(outcomes.filter((one) => one === '2,3,2').length, 9)
  t.is(server.log.filter(({ message }) => message === 'association refused').length, 1, 'told once')
  await held[0]!.release()
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted', 'a place is free as soon as the release is over')
  await held[1]!.abort()
  await held[2]!.release()
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted')
})

test('a place comes back however the association ends', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, maximumAssociations: 1 }, { aeTitle: CT2, host: 10.0.0.1 }]`)
  const request = encodePdu(associateRequest({ callingAeTitle: 'CT1' }))
  const release = encodePdu({ type: 'A-RELEASE-RQ' })
  const closed = new Promise<void>((resolve) => {
    let left = 5
    server.ae.bind('connectionClosed', () => {
      left -= 1
      if (left === 0) resolve()
    })
  })
  const endings: ((socket: Socket) => void)[] = [
    (socket) => void socket.write(request.subarray(0, 40), () => socket.destroy()),
    (socket) => void socket.write(request, () => socket.resetAndDestroy()),
    (socket) => {
      socket.once('data', () => socket.destroy())
      socket.write(request)
    },
    (socket) => {
      socket.once('data', () => socket.destroy())
      socket.write(Buffer.concat([request, release]))
    },
    // An unknown PDU type behind the request.
    (socket) => {
      socket.once('data', () => socket.destroy())
      socket.write(Buffer.concat([request, Buffer.from('ff0000000000', 'hex')]))
    },
  ]
  for (const end of endings) {
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    await once(socket, 'connect')
    end(socket)
    await once(socket, 'close')
  }
  await closed
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted')
})

test('so many a minute', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, associationsPerMinute: 1, burst: 2 }]`)
  const outcomes = [await outcome(server, { callingAeTitle: 'CT1' }), await outcome(server, { callingAeTitle: 'CT1' }), await outcome(server, { callingAeTitle: 'CT1' })]
  t.deepEqual(outcomes, ['accepted', 'accepted', '2,3,1'])
  await server.change(`peers: [{ aeTitle: CT1, ${HERE}, associationsPerMinute: 1, burst: 2, description: changed }]`)
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), '2,3,1', 'a reload gives nothing back')
})

const CT = [SopClass.CTImageStorage, TransferSyntax.ImplicitVRLittleEndian] as const
const ALL_CONTEXTS = [
  [SopClass.Verification],
  CT,
  [SopClass.StudyRootQueryRetrieveInformationModelFind],
  [SopClass.StudyRootQueryRetrieveInformationModelMove],
  [SopClass.ModalityWorklistInformationModelFind],
  [SopClass.StorageCommitmentPushModel],
] as const

test('rights: contexts without one are refused, and so is a request that a context would carry', async (t) => {
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: CT1, ${HERE}, allow: [echo, store] }
  - { aeTitle: WS1, ${HERE}, allow: [find, move], moveTo: self }
  - { aeTitle: NONE, ${HERE}, allow: [] }
  - { aeTitle: ALL, ${HERE}, allow: [all] }
`,
  )
  const contextsOf = async (callingAeTitle: string): Promise<readonly string[]> => {
    await using scu = await testScu(server, { callingAeTitle, contexts: ALL_CONTEXTS })
    return scu.contexts.map(({ abstractSyntax }) => abstractSyntax)
  }
  t.deepEqual(await contextsOf('CT1'), [SopClass.Verification, SopClass.CTImageStorage])
  t.deepEqual(await contextsOf('WS1'), [SopClass.StudyRootQueryRetrieveInformationModelFind, SopClass.StudyRootQueryRetrieveInformationModelMove])
  const nothing = (): unknown[] => server.log.filter(({ message }) => message === 'the peer may do nothing of what it asks for').map(({ fields }) => fields)
  t.deepEqual(nothing(), [])
  t.deepEqual(await contextsOf('NONE'), [])
  t.like(nothing()[0], { callingAeTitle: 'NONE', peer: 'NONE', may: '' })
  t.is((await contextsOf('ALL')).length, ALL_CONTEXTS.length)

  await using ws = await testScu(server, { callingAeTitle: 'WS1', contexts: [[SopClass.StudyRootQueryRetrieveInformationModelMove]] })
  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.3' }
  const elsewhere = await (await ws.move(query, SopClass.StudyRootQueryRetrieveInformationModelMove, 'PACS')).final()
  t.is(elsewhere.status, 0x0124)
  const unreachable = await (await ws.move(query, SopClass.StudyRootQueryRetrieveInformationModelMove, 'WS1')).final()
  t.is(unreachable.status, 0xa801, 'allowed, and the file has no port for it')
})

test('a request that is not covered by a right is refused by a status: 0124 where the service has it', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, allow: [CTImageStorage] }, { aeTitle: WS1, ${HERE}, allow: [get] }, { aeTitle: CT2, ${HERE}, allow: [store] }]`)
  await using scu = await testScu(server, { callingAeTitle: 'CT2', contexts: [CT] })
  const [uid] = CT
  const statusOf = async (commandField: number, more: object = {}, bytes?: Buffer): Promise<number | undefined> =>
    (await scu.request(uid, { commandField, ...more }, bytes).final()).status
  const query = Buffer.from('08005200060000005354554459 20'.replace(' ', ''), 'hex')
  t.is(await statusOf(CommandField.C_ECHO_RQ, { affectedSopClassUid: uid }), 0x0122)
  t.is(await statusOf(CommandField.C_FIND_RQ, { affectedSopClassUid: uid, priority: 0 }, query), 0x0122)
  t.is(await statusOf(CommandField.C_GET_RQ, { affectedSopClassUid: uid, priority: 0 }, query), 0x0124)
  t.is(await statusOf(CommandField.C_MOVE_RQ, { affectedSopClassUid: uid, priority: 0, moveDestination: 'WS1' }, query), 0x0124)
  t.is(await statusOf(CommandField.N_GET_RQ, { requestedSopClassUid: uid, requestedSopInstanceUid: '1.2' }), 0x0124)
  t.is(await statusOf(CommandField.N_EVENT_REPORT_RQ, { affectedSopClassUid: uid, affectedSopInstanceUid: '1.2', eventTypeId: 1 }), 0x0110)
  const store = { affectedSopInstanceUid: '1.2', priority: 0 }
  t.is(await statusOf(CommandField.C_STORE_RQ, { affectedSopClassUid: uid, ...store }, query), 0x0000)
  t.is(server.log.filter(({ message }) => message === 'request refused').length, 6)

  await using getter = await testScu(server, { callingAeTitle: 'WS1', contexts: [CT], roles: [{ sopClassUid: uid, scuRole: true, scpRole: true }] })
  const sent = await getter.request(uid, { commandField: CommandField.C_STORE_RQ, affectedSopClassUid: uid, ...store }, query).final()
  t.is(sent.status, 0x0124, 'a context for what it gets is none for what it sends')
})

test('rules on services take from what a peer may', async (t) => {
  const contexts = [[SopClass.Verification], [SopClass.StudyRootQueryRetrieveInformationModelFind], [SopClass.StorageCommitmentPushModel], CT] as const
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, allow: [all] }]\nrules: [{ action: deny, services: [commit, echo] }, { action: allow, services: [Verification] }]`)
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted, no context')
  await using scu = await testScu(server, { callingAeTitle: 'CT1', contexts })
  t.deepEqual(scu.contexts.map(({ abstractSyntax }) => abstractSyntax), [contexts[1][0], CT[0]])
})

test('users: rules decide when the user is known; what a peer may is that of the rule', async (t) => {
  const users = definePlugin({
    name: 'user-identity',
    apply(api) {
      api.provideService('user-identity', {
        identityOf: ({ requestor }: { requestor?: { userIdentity?: { primaryField: Uint8Array } } }) => {
          const name = requestor?.userIdentity?.primaryField
          return name === undefined ? undefined : { type: 2, user: Buffer.from(name).toString(), roles: name[0] === 0x61 ? ['radiology'] : [] }
        },
      } as never)
    },
  })
  const server = await accessServer(t, `rules: [{ action: allow, user: { role: radiology } }]\nunknown: { allow: [echo] }`, {}, { plugins: [users()] })
  const as = (name?: string): Promise<string> =>
    outcome(server, {
      userInformation: name === undefined ? [] : [{ type: 0x58, userIdentityType: 2, positiveResponseRequested: false, primaryField: Buffer.from(name), secondaryField: Buffer.from('x') }],
    })
  t.is(await as('alice'), 'accepted')
  t.is(await as('bob'), '1,1,1')
  t.is(await as(), '1,1,3')
})

test('settings of a peer: limits, time-outs, quirks hold for its associations alone', async (t) => {
  const server = await accessServer(
    t,
    `
peers:
  - aeTitle: OLD
    ${HERE}
    limits: { maximumPduBytes: 16384, maximumSentPduBytes: 8192 }
    timeouts: { networkMs: 1234 }
    quirks: { noAsynchronousOperations: true, omitUserItems: [implementationVersionName] }
  - { aeTitle: NEW, ${HERE} }
`,
    {},
    { handlers: { asyncOperations: () => ({ invoked: 4, performed: 4 }) } },
  )
  const window = { type: 0x53 as const, maximumNumberOperationsInvoked: 8, maximumNumberOperationsPerformed: 8 }
  const itemsOf = async (callingAeTitle: string): Promise<readonly number[]> => {
    await using scu = await testScu(server, { callingAeTitle, userInformation: [window] })
    const association = server.server.activeAssociations.find((one) => one.callingAeTitle === callingAeTitle)
    if (callingAeTitle === 'OLD') t.like(association?.settings, { limits: { maximumPduBytes: 16384, maximumSentPduBytes: 8192 }, timeouts: { networkMs: 1234 } })
    const maximum = scu.accept.userInformation.find(({ type }) => type === 0x51) as { maximumLengthReceived: number }
    t.is(maximum.maximumLengthReceived, callingAeTitle === 'OLD' ? 16384 : 262_144)
    return scu.accept.userInformation.map(({ type }) => type)
  }
  t.deepEqual(await itemsOf('OLD'), [0x51, 0x52])
  t.deepEqual(await itemsOf('NEW'), [0x51, 0x52, 0x55, 0x53])
})

test('a change of the file touches no running association; one that cannot be used changes nothing', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE}, allow: [echo], maximumAssociations: 2 }]`)
  await using running = await testScu(server, { callingAeTitle: 'CT1' })
  await server.change(`peers: [{ aeTitle: MR1, ${HERE} }]`)
  t.is(await outcome(server, { callingAeTitle: 'MR1' }), 'accepted')
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), '1,1,3')
  t.is((await running.echo()).status, 0x0000)
  await server.change('peers:\n  - aeTitle: CT1\n    alow: [echo]\n')
  t.is(await outcome(server, { callingAeTitle: 'MR1' }), 'accepted', 'what held before holds')
  t.deepEqual(
    server.log.filter(({ level }) => level === 'error').map(({ fields }) => fields['reason']),
    ['peers.yaml:3:11: peers[0].alow: is not known here'],
  )
  await server.change(`peers: [{ aeTitle: CT1, ${HERE}, allow: [echo], maximumAssociations: 1 }]`)
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), '2,3,2', 'the running association counts')
  t.is((await running.echo()).status, 0x0000)
})

test('the file is watched: rename and swapped links are seen, a file that is gone changes nothing', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE} }]`, { watchMs: 100 })
  const readAgain = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = setInterval(() => {
        if (server.log.filter(({ message }) => message === 'the peers file was read again').length < count) return
        clearInterval(look)
        resolve()
      }, 10)
    })
  const next = join(server.folder, 'next.yaml')
  await writeFile(next, `peers: [{ aeTitle: CT2, ${HERE} }]`)
  await rename(next, server.file)
  await readAgain(1)
  t.is(await outcome(server, { callingAeTitle: 'CT2' }), 'accepted')
  await writeFile(join(server.folder, 'linked.yaml'), `peers: [{ aeTitle: CT3, ${HERE} }]`)
  await symlink('linked.yaml', next)
  await rename(next, server.file)
  await readAgain(2)
  t.is(await outcome(server, { callingAeTitle: 'CT3' }), 'accepted')
  await unlink(server.file)
  await server.ae.hooks.configReload.promise({ applicationEntity: server.ae, config: {} as never })
  t.is(await outcome(server, { callingAeTitle: 'CT3' }), 'accepted')
})

test('nobody may associate while the file is empty or missing, and the start says so', async (t) => {
  const empty = await accessServer(t, '# nobody yet\n')
  t.is(await outcome(empty, { callingAeTitle: 'CT1' }), '1,1,3')
  t.true(empty.logged('warn').some((message) => message === 'NOBODY MAY ASSOCIATE: the peers file names no peer. Let somebody in: dicomtap peers add <AE title> --host <address>'))
  const missing = await accessServer(t, '', { peers: join(empty.folder, 'is-not-there.yaml') })
  t.is(await outcome(missing, { callingAeTitle: 'CT1' }), '1,1,3')
  const open = await accessServer(t, '', { default: 'allow' })
  t.is(await outcome(open, { callingAeTitle: 'CT1' }), 'accepted')
  await open.ae.close({ deadlineMs: 0 })
  const [known] = await readUnknownPeers(join(open.folder, 'peers.unknown.json'))
  t.like(known, { aeTitle: 'CT1', wasLetIn: true }, 'who is let in without being known is listed all the same')
})

test('a peers file with mistakes stops the start, with line and column', async (t) => {
  const error = await t.throwsAsync(accessServer(t, 'peers:\n  - aeTitle: CT1\n    port: many\n'))
  t.is((error as { code?: string }).code, 'DICOMTAP_ERR_PLG_OPTIONS')
  t.is(error?.message, 'peers.yaml:3:11: peers[0].port: Invalid input: expected number, received string')
})

test('unknown ones are kept in a file that has no patient in it, and leave it when they are let in', async (t) => {
  const server = await accessServer(t, `peers: [{ aeTitle: CT1, ${HERE} }, { aeTitle: CT2, host: 10.0.0.1 }]`)
  await outcome(server, { callingAeTitle: 'CT9', contexts: [[SopClass.Verification], CT] })
  await outcome(server, { callingAeTitle: 'CT9', contexts: [[SopClass.Verification], CT] })
  await outcome(server, { callingAeTitle: 'CT2' })
  await outcome(server, { callingAeTitle: '\u001b[31mX' })
  await server.ae.close({ deadlineMs: 0 })
  const { unknownPeers } = JSON.parse(await readFile(join(server.folder, 'peers.unknown.json'), 'utf8')) as { unknownPeers: Record<string, unknown>[] }
  t.deepEqual(unknownPeers.map(({ aeTitle, address, cause, count }) => [aeTitle, address, cause, count]), [
    ['\u001b[31mX', '127.0.0.1', 'unknown', 1],
    ['CT2', '127.0.0.1', 'address', 1],
    ['CT9', '127.0.0.1', 'unknown', 2],
  ])
  t.deepEqual(unknownPeers[2]?.['contexts'], [SopClass.Verification, SopClass.CTImageStorage])
  t.deepEqual(Object.keys(unknownPeers[2] ?? {}).sort(), ['address', 'aeTitle', 'calledAeTitle', 'cause', 'contexts', 'count', 'firstSeen', 'implementationClassUid', 'lastSeen', 'wasLetIn'])
})

test('moves go to the address book, over TLS when it says so', async (t) => {
  const windows: unknown[] = []
  const destination = await createTestServer({
    plugins: [services()],
    handlers: { associationRequested: ({ association }) => void windows.push(association.requestor?.asynchronousOperations?.invoked) },
  })
  t.teardown(() => destination[Symbol.asyncDispose]())
  const mover = definePlugin({
    name: 'test-mover',
    apply(api) {
      api.hooks.cMove.tap({ stage: Stage.Early }, () => ({ instances: [sampleDataset('ct')] }))
      api.hooks.outgoingAssociation.tap({ stage: Stage.Fallback }, (options) => ({ ...options, asynchronousOperations: { invoked: 4, performed: 1 } }))
    },
  })
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: WS1, ${HERE}, port: ${destination.port}, allow: [move], callingAeTitle: MOVER }
  - { aeTitle: WS2, ${HERE}, port: ${destination.port}, tls: true }
  - { aeTitle: WS3, host: 10.0.0.0/8, port: ${destination.port} }
  - { aeTitle: OLD, ${HERE}, port: ${destination.port}, quirks: { noAsynchronousOperations: true } }
`,
    {},
    { plugins: [mover()] },
  )
  const outgoing: unknown[] = []
  server.ae.bind('outgoingAssociation', (options) => {
    outgoing.push([options.host, options.port === destination.port, options.calledAeTitle, options.callingAeTitle, options.tls])
    return options
  })
  await using scu = await testScu(server, { callingAeTitle: 'WS1', contexts: [[SopClass.StudyRootQueryRetrieveInformationModelMove]] })
  const statusOf = async (to: string): Promise<number> =>
    (await (await scu.move({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.3' }, SopClass.StudyRootQueryRetrieveInformationModelMove, to)).final()).status
  t.is(await statusOf('WS1'), 0x0000)
  t.is(await statusOf('WS3'), 0xa801, 'a network is no destination')
  t.is(await statusOf('XX'), 0xa801)
  t.not(await statusOf('WS2'), 0x0000, 'never without TLS')
  t.is(await statusOf('OLD'), 0x0000)
  t.deepEqual(windows, [4, undefined], 'what a peer cannot bear is not proposed, whoever wanted it')
  t.deepEqual(outgoing.slice(0, 2), [
    ['127.0.0.1', true, 'WS1', 'MOVER', undefined],
    ['127.0.0.1', true, 'WS2', 'ANY-SCP', true],
  ])
})

test('certificates of TLS: whose is shown, not what title is claimed', async (t) => {
  const pki = await temporaryFolder(t)
  await Promise.all([writeFile(join(pki, 'cert.pem'), CERTIFICATE), writeFile(join(pki, 'key.pem'), KEY, { mode: 0o600 })])
  const files = { cert: join(pki, 'cert.pem'), key: join(pki, 'key.pem'), ca: [join(pki, 'cert.pem')] }
  const fingerprint = new X509Certificate(CERTIFICATE).fingerprint256
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: CT1, certificate: { commonName: localhost } }
  - { aeTitle: CT2, certificate: { fingerprint: "${fingerprint}" }, requireTls: true }
  - { aeTitle: CT3, certificate: { commonName: CT3 } }
`,
    {},
    { plugins: [tls()], listener: { tls: { ...files, clientCertificates: 'optional' } } },
  )
  const client = await createTestServer({ plugins: [tls({ client: { ca: files.ca, serverName: 'localhost' } })] })
  t.teardown(() => client[Symbol.asyncDispose]())
  const as = async (callingAeTitle: string, hasCertificate = true): Promise<string> => {
    const shown = hasCertificate ? { cert: files.cert, key: files.key } : {}
    try {
      const association = await client.ae.associate({ host: '127.0.0.1', port: server.port, callingAeTitle, tls: { ca: files.ca, serverName: 'localhost', ...shown }, contexts: [{ abstractSyntax: SopClass.Verification }] })
      await association.release()
      return 'accepted'
    } catch (error) {
      const { result, source, reason } = error as { result?: number; source?: number; reason?: number }
      return `${result},${source},${reason}`
    }
  }
  t.is(await as('CT1'), 'accepted')
  t.is(await as('CT2'), 'accepted')
  t.is(await as('CT3'), '1,1,1')
  t.is(await as('CT1', false), '1,1,1')
})

test('what an operator should know is found', async (t) => {
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: CT1 }
  - { aeTitle: [CT2, CT1], ${HERE} }
  - { aeTitle: MR1, host: no-such-host.invalid }
  - { aeTitle: US1, ${HERE}, certificate: { commonName: US1 } }
  - { aeTitle: WS1, ${HERE}, allow: [move], moveTo: [NOWHERE] }
rules:
  - { action: allow, user: { name: alice } }
`,
  )
  const findings: readonly Finding[] = await server.ae.diagnose()
  const found = (level: Finding['level'], pattern: RegExp): boolean => findings.some((one) => one.plugin === 'access' && one.level === level && pattern.test(one.message))
  t.true(found('warning', /peer CT1 has neither host nor certificate/))
  t.true(found('warning', /the peers CT1 and CT2 have the AE title CT1 from anywhere/))
  t.true(found('warning', /no-such-host\.invalid in .* cannot be resolved/))
  t.true(found('error', /peer US1 must come over TLS, and @dicomtap\/plugin-tls is not loaded/))
  t.true(found('error', /rule 1 asks for a user, and @dicomtap\/plugin-user-identity is not loaded/))
  t.true(found('warning', /peer WS1 may have objects moved to NOWHERE/))
  await writeFile(server.file, 'peers: [{ aeTitle: CT1, allow: [ekho] }]')
  const [broken] = (await server.ae.diagnose()).filter(({ level }) => level === 'error')
  t.is(broken?.message, "peers.yaml:1:33: peers[0].allow[0]: 'ekho' is no right; did you mean echo?")
})

test('user identity of its plugin: the rules see user and roles, and a peer without the service is refused', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'users.yaml'), 'users:\n  OLDCT:\n    roles: [modality]\n')
  const identity = userIdentity({ usernameOnly: ['OLDCT'], users: { file: join(folder, 'users.yaml') }, required: false })
  const server = await accessServer(t, 'rules: [{ action: allow, user: { role: modality, unproven: true } }]', {}, { plugins: [identity] })
  const item = { type: 0x58 as const, userIdentityType: 1, positiveResponseRequested: false, primaryField: Buffer.from('OLDCT'), secondaryField: Buffer.alloc(0) }
  t.is(await outcome(server, { userInformation: [item] }), 'accepted')
  t.is(await outcome(server), '1,1,3')
})
