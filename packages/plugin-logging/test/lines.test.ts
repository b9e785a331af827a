import { mock } from 'node:test'
import test from 'ava'
import { DicomtapError, HookError } from '@dicomtap/framework'
import { LevelTable } from '../dist/levels.js'
import { LogWriter } from '../dist/log-writer.js'
import { logAssociations } from '../dist/lines/association-lines.js'
import { contextRows, contextTable } from '../dist/lines/context-table.js'
import { identifierLines, presentableIdentifier } from '../dist/lines/identifier.js'
import { logOperations } from '../dist/lines/operation-lines.js'
import { Tallies } from '../dist/lines/tally.js'
import { renderJson } from '../dist/render/json.js'
import { renderPretty } from '../dist/render/pretty.js'
import { bytesInWords, durationInWords } from '../dist/words.js'
import {
  CT_IMAGE_STORAGE,
  STUDY_ROOT_FIND,
  STUDY_ROOT_MOVE,
  VERIFICATION,
  completed,
  fakeAssociation,
  fakeHooks,
  fakeOperation,
  keepingDestination,
  record,
} from './fakes.js'

interface Set {
  readonly level?: ConstructorParameters<typeof LevelTable>[0]
  readonly levels?: ConstructorParameters<typeof LevelTable>[1]
  readonly phi?: boolean
  readonly contexts?: boolean
  readonly healthChecks?: readonly string[]
  readonly slowOperationMs?: number
}

function setUp({ level = 'info', levels = {}, phi = false, contexts = false, healthChecks = [], slowOperationMs }: Set = {}) {
  const destination = keepingDestination()
  const table = new LevelTable(level, levels)
  const writer = new LogWriter(table, phi)
  writer.add(destination)
  const { hooks, fire } = fakeHooks()
  const tallies = new Tallies()
  const repetitions = logOperations(hooks, writer, tallies, { slowOperationMs: slowOperationMs ?? null })
  const refusals = logAssociations(hooks, writer, tallies, { contexts, healthChecks })
  const lines = (): string[] => destination.entries.map((entry) => renderPretty(entry, false).slice('2026-03-09 10:42:15.020 '.length))
  return { destination, table, writer, fire, lines, refusals, repetitions, entries: destination.entries }
}

const withoutDuration = (line: string): string => line.replace(/\d+\.\d ms|\d+ ms/g, 'T')

test('an association that was released: a line at the start, one with its sum at the end', (t) => {
  const { fire, lines, entries } = setUp()
  const association = fakeAssociation({ rejectedContexts: [{}] })
  fire('associationAccepted', { association })
  for (let i = 0; i < 211; i += 1) fire('operationCompleted', completed(fakeOperation({ association })))
  fire('operationCompleted', completed(fakeOperation({ association }), { status: 0xa700 }))
  fire('associationReleased', { association })
  t.deepEqual(lines().map(withoutDuration), [
    'info  acse   a1     association accepted: CT01 (10.0.4.17:51234) to ARCHIVE, 1 of 2 contexts',
    'warn  dimse  a1/7   C-STORE CT Image Storage: A700 Refused: out of resources, T, 524.8 kB',
    'info  acse   a1     association released: CT01 (10.0.4.17:51234), T: C-STORE 211 Success, 1 A700 Refused: out of resources; 111.3 MB received',
  ])
  const { time, durationMs, ...rest } = JSON.parse(renderJson(entries[2]!)) as Record<string, unknown>
  t.regex(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.is(typeof durationMs, 'number')
  t.like(rest, {
    level: 'info',
    area: 'acse',
    association: 'a1',
    event: 'association.released',
    role: 'acceptor',
    callingAeTitle: 'CT01',
    calledAeTitle: 'ARCHIVE',
    remoteAddress: '10.0.4.17',
    remotePort: 51234,
    operations: { 'C-STORE': { '0000': 211, A700: 1 } },
    receivedBytes: 212 * 524_800,
  })
})

test('an association over TLS: version, and whose certificate it was', (t) => {
  const { fire, lines, entries } = setUp()
  const security = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    isAuthorized: true,
    peerCertificate: { subject: 'O=Hospital\nCN=CT01\u001b[2J', fingerprint256: 'AB:CD' },
    serverName: undefined,
  }
  fire('associationAccepted', { association: fakeAssociation({ security }) })
  fire('associationAccepted', { association: fakeAssociation({ security: { ...security, isAuthorized: false } }) })
  fire('associationAccepted', { association: fakeAssociation({ security: { ...security, peerCertificate: undefined } }) })
  const [verified, unverified, without] = lines()
  t.regex(verified ?? '', /, TLSv1\.3, certificate O=Hospital, CN=CT01/)
  // oxlint-disable-next-line no-control-regex -- it is what must not be there
  t.notRegex(verified ?? '', /\u001b/)
  t.regex(unverified ?? '', /, TLSv1\.3, unverified certificate O=Hospital/)
  t.regex(without ?? '', /, TLSv1\.3$/)
  fire('associationAccepted', { association: fakeAssociation({ security: { ...security, peerCertificate: { subject: `CN=${'X'.repeat(100_000)}`, fingerprint256: 'AB:CD' } } }) })
  t.true(renderJson(entries[3]!).length < 1_000)
  t.like(JSON.parse(renderJson(entries[0]!)), { tlsProtocol: 'TLSv1.3', tlsCipher: 'TLS_AES_256_GCM_SHA384', certificateSha256: 'AB:CD', isCertificateVerified: true })
})

test('what a peer calls itself steers no terminal, as JSON either', (t) => {
  const { fire, lines, entries } = setUp()
  // U+009B is what ESC [ is in one character.
  const callingAeTitle = 'A\u009b2J\u0085\u007fB'
  fire('associationAccepted', { association: fakeAssociation({ callingAeTitle }) })
  const json = renderJson(entries[0]!)
  // oxlint-disable-next-line no-control-regex -- it is what must not be there
  const controls = /[\u0000-\u001f\u007f-\u009f]/
  t.notRegex(json, controls)
  t.notRegex(lines()[0] ?? '', controls)
  t.is((JSON.parse(json) as { callingAeTitle: string }).callingAeTitle, callingAeTitle)
})

test('an association without contexts or without operations says so', (t) => {
  const { fire, lines } = setUp()
  const association = fakeAssociation({ acceptedContexts: [], rejectedContexts: [{}, {}] })
  fire('associationAccepted', { association })
  fire('associationReleased', { association })
  t.deepEqual(lines().map(withoutDuration), [
    'warn  acse   a1     association accepted: CT01 (10.0.4.17:51234) to ARCHIVE, 0 of 2 contexts',
    'info  acse   a1     association released: CT01 (10.0.4.17:51234), T: no operations',
  ])
})

test('rejections and aborts warn in the words of the standard', (t) => {
  const { fire, lines, entries } = setUp()
  const association = fakeAssociation({ calledAeTitle: 'ARCHIV', remoteAddress: '2001:db8::1' })
  fire('associationRejected', { association, result: 1, source: 1, reason: 7, why: 'requireCalledAeTitle' })
  fire('associationAborted', { association, by: 'peer', source: 0, reason: 0, message: 'The peer aborted the association' })
  fire('associationAborted', { association, by: 'local', source: 2, reason: 6, message: 'PDV longer than its PDU' })
  fire('associationAborted', { association, by: 'local', source: 0, reason: 0, message: 'The server is stopping' })
  fire('associationAborted', { association, by: 'network', source: undefined, reason: 0, message: 'the connection was reset' })
  t.deepEqual(lines().map(withoutDuration), [
    'warn  acse   a1     association rejected: CT01 ([2001:db8::1]:51234) to ARCHIV: permanent, service-user: called AE title not recognized (requireCalledAeTitle)',
    'warn  acse   a1     association aborted by the peer (service-user): CT01 ([2001:db8::1]:51234), T: no operations',
    'warn  acse   a1     association aborted by this side (service-provider: invalid PDU parameter value: PDV longer than its PDU): CT01 ([2001:db8::1]:51234), T: no operations',
    'warn  acse   a1     association aborted by this side (The server is stopping): CT01 ([2001:db8::1]:51234), T: no operations',
    'warn  acse   a1     association ended by the network (the connection was reset): CT01 ([2001:db8::1]:51234), T: no operations',
  ])
  t.like(entries[0], { event: 'association.rejected', result: 1, source: 1, reason: 7 })
  t.like(entries[1], { event: 'association.aborted', by: 'peer', source: 0 })
})

test('an association that this side asked for: who called, and where the other one is', (t) => {
  const { fire, lines } = setUp()
  const association = fakeAssociation({ role: 'requestor', callingAeTitle: 'ARCHIVE', calledAeTitle: 'PACS', remotePort: 104 })
  fire('associationAccepted', { association })
  fire('associationRejected', { association, result: 1, source: 1, reason: 3, why: '' })
  const refused = { ...association, acceptedContexts: [] }
  fire('associationAborted', { association: refused, by: 'network', source: undefined, reason: 0, message: 'connect ECONNREFUSED 10.0.4.17:104' })
  t.deepEqual(lines(), [
    'info  acse   a1     association accepted: ARCHIVE to PACS (10.0.4.17:104), 1 context',
    'warn  acse   a1     association rejected: ARCHIVE to PACS (10.0.4.17:104): permanent, service-user: calling AE title not recognized',
    'warn  acse   a1     no association: ARCHIVE to PACS (10.0.4.17:104), ended by the network (connect ECONNREFUSED 10.0.4.17:104)',
  ])
})

test('refusals of one address are twenty lines a minute and then a number; all of them at debug', (t) => {
  const flood = ({ fire }: Pick<ReturnType<typeof setUp>, 'fire'>): void => {
    const rejected = fakeAssociation()
    const anonymous = fakeAssociation({ request: undefined })
    for (let i = 0; i < 50; i += 1) {
      fire('associationRejected', { association: rejected, result: 1, source: 1, reason: 3, why: '' })
      fire('associationAborted', { association: anonymous, by: 'local', source: 2, reason: 1, message: 'PDU type 0x47' })
    }
    fire('associationRejected', { association: fakeAssociation({ remoteAddress: '10.0.4.18' }), result: 1, source: 1, reason: 3, why: '' })
  }
  const info = setUp()
  flood(info)
  t.is(info.entries.length, 21)
  t.regex(info.lines()[20]!, /10\.0\.4\.18/)
  info.refusals.endWindow()
  t.is(info.lines()[21]?.trim().replaceAll(/ +/g, ' '), 'warn acse 80 more connections of 10.0.4.17 refused within a minute')
  t.like(info.entries[21], { event: 'association.refusals', refused: 80, remoteAddress: '10.0.4.17' })
  info.refusals.endWindow()
  t.is(info.entries.length, 22)
  flood(info)
  t.is(info.entries.length, 22 + 21)
  info.refusals.endWindow()

  const debug = setUp({ level: 'debug' })
  flood(debug)
  t.is(debug.entries.length, 101)
  debug.refusals.endWindow()
})

test('refusals of many addresses have a bound of their own', (t) => {
  const { fire, entries, lines, refusals } = setUp()
  for (let i = 0; i < 1000; i += 1) {
    fire('associationRejected', { association: fakeAssociation({ remoteAddress: `10.1.${i >> 8}.${i & 255}` }), result: 1, source: 1, reason: 3, why: '' })
  }
  t.is(entries.length, 200)
  refusals.endWindow()
  t.is(entries.length, 257)
  t.regex(lines().at(-1)!, /744 more connections of other addresses refused within a minute/)
})

const isRepetitions = (line: string): boolean => line.includes(' more w')

test('a failure that repeats is five lines a minute, over all associations, and then a number; all of them at debug', (t) => {
  const fail = ({ fire }: Pick<ReturnType<typeof setUp>, 'fire'>, times: number, status = 0xa700): void => {
    for (let i = 0; i < times; i += 1) {
      const association = fakeAssociation({ id: `a${(i % 2) + 1}` })
      fire('operationCompleted', completed(fakeOperation({ association }), { status }))
    }
  }
  const info = setUp()
  fail(info, 317)
  t.is(info.entries.length, 5)
  // Another status, and another service, are not lost among them.
  fail(info, 1, 0xc000)
  info.fire('operationCompleted', completed(fakeOperation({ service: 'C-FIND', sopClassUid: STUDY_ROOT_FIND }), { status: 0xa700 }))
  t.is(info.entries.length, 7)
  info.repetitions.endWindow()
  t.regex(info.lines()[7]!, /^warn +dimse +C-STORE: 312 more were answered A700 Refused: out of resources within 10 s$/)
  const { time, ...fields } = JSON.parse(renderJson(info.entries[7]!)) as Record<string, unknown>
  t.is(typeof time, 'string')
  t.deepEqual(fields, {
    level: 'warn',
    area: 'dimse',
    message: 'C-STORE: 312 more were answered A700 Refused: out of resources within 10 s',
    event: 'operation.repetitions',
    count: 312,
    service: 'C-STORE',
    status: 'A700',
    statusLabel: 'Refused: out of resources',
  })
  info.repetitions.endWindow()
  t.is(info.entries.length, 8)

  const debug = setUp({ level: 'debug' })
  fail(debug, 50)
  t.is(debug.entries.length, 50)
  debug.repetitions.endWindow()
})

test('the number comes every ten seconds while it goes on, the lines again after a minute', (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    const { fire, lines } = setUp({ slowOperationMs: 10 })
    const fail = (times: number): void => {
      for (let i = 0; i < times; i += 1) fire('operationCompleted', completed(fakeOperation(), { status: 0xa700 }))
    }
    fail(6)
    mock.timers.tick(9_999)
    t.is(lines().length, 5)
    mock.timers.tick(1)
    t.true(lines().at(-1)!.endsWith('C-STORE: 1 more was answered A700 Refused: out of resources within 10 s'))
    // Nothing happened: nothing to say.
    mock.timers.tick(10_000)
    t.is(lines().length, 6)
    fail(7)
    mock.timers.tick(10_000)
    t.true(lines().at(-1)!.endsWith('C-STORE: 7 more were answered A700 Refused: out of resources within 10 s'))
    mock.timers.tick(20_000)
    fail(3)
    mock.timers.tick(10_000)
    t.deepEqual([lines().length, lines().filter(isRepetitions).length], [8, 3])
    fail(5)
    t.deepEqual([lines().length, lines().filter(isRepetitions).length], [13, 3])
    mock.timers.tick(600_000)
    t.is(lines().length, 13)
  } finally {
    mock.timers.reset()
  }
})

test('what succeeds, is cancelled or gets no answer is not counted as a failure', (t) => {
  const { fire, entries, repetitions } = setUp({ slowOperationMs: 10 })
  const find = fakeOperation({ service: 'C-FIND', sopClassUid: STUDY_ROOT_FIND })
  for (let i = 0; i < 10; i += 1) {
    fire('operationCompleted', completed(fakeOperation()))
    fire('operationCompleted', completed(find, { status: 0xfe00 }))
    fire('operationCompleted', completed(find, { responses: 0, status: 0xa700 }))
  }
  repetitions.endWindow()
  t.is(entries.length, 30)
})

test('failures of many kinds have a bound of their own', (t) => {
  const { fire, entries, lines, repetitions } = setUp()
  for (let i = 0; i < 1000; i += 1) fire('operationCompleted', completed(fakeOperation(), { status: 0xc000 + (i % 100) }))
  t.is(entries.length, 100)
  repetitions.endWindow()
  t.is(entries.length, 100 + 33)
  t.regex(lines().at(-1)!, /other operations: 680 more were answered with a failure or warning within 10 s/)
  const told = entries.slice(100).reduce((sum, entry) => sum + Number(entry['count']), 0)
  t.is(told, 900)
})

test('what was running when the association ended is no success', (t) => {
  const { fire, lines, entries } = setUp({ levels: { dimse: 'debug' } })
  const association = fakeAssociation({ isAborted: true, operations: [{ service: 'C-FIND' }, { service: 'C-STORE' }, { service: 'C-STORE' }] })
  fire('associationAborted', { association, by: 'network', source: undefined, reason: 0, message: undefined })
  fire('operationCompleted', completed(fakeOperation({ association }), { responses: 0 }))
  fire('operationCompleted', completed(fakeOperation({ association, service: 'C-FIND', sopClassUid: STUDY_ROOT_FIND }), { responses: 3, status: 0xc311 }))
  t.deepEqual(lines().map(withoutDuration), [
    'warn  acse   a1     association ended by the network (connection lost): CT01 (10.0.4.17:51234), T: no operations; 3 unfinished (C-FIND, C-STORE)',
    'info  dimse  a1/7   C-STORE CT Image Storage: not answered, the association ended first, T, 524.8 kB, 1.2.3.4',
    'info  dimse  a1/7   C-FIND Study Root Query/Retrieve Information Model - FIND: not answered, the association ended first, 3 matches, T, 1.2.3.4',
  ])
  t.is(entries[1]!['status'], undefined)
})

test('a connection that asks for nothing is no news: load balancers look every few seconds', (t) => {
  const { fire, lines, table } = setUp()
  const association = fakeAssociation({ request: undefined, callingAeTitle: '', calledAeTitle: '' })
  const aborted = { association, by: 'network', source: undefined, reason: 0, message: undefined }
  fire('associationAborted', aborted)
  t.deepEqual(lines(), [])
  table.set('debug', 'acse')
  fire('associationAborted', aborted)
  t.deepEqual(lines(), [
    'debug acse   a1     connection ended by the network before an association request: 10.0.4.17:51234 (connection lost)',
  ])
})

test('a health check is no news while it does nothing but C-ECHO and ends well', (t) => {
  const run = (level: 'info' | 'debug', values: Parameters<typeof fakeAssociation>[0], then: (fire: ReturnType<typeof setUp>['fire'], association: ReturnType<typeof fakeAssociation>) => void): string[] => {
    const { fire, lines } = setUp({ level, contexts: true, healthChecks: ['MONITOR'] })
    const association = fakeAssociation({ callingAeTitle: 'MONITOR', ...values })
    fire('associationAccepted', { association })
    then(fire, association)
    return lines().map((line) => withoutDuration(line).slice(0, line.indexOf(':')))
  }
  const echo = (fire: ReturnType<typeof setUp>['fire'], association: ReturnType<typeof fakeAssociation>, status = 0): void =>
    fire('operationCompleted', completed(fakeOperation({ association, service: 'C-ECHO', sopClassUid: VERIFICATION }), { status }))
  const checked = (fire: ReturnType<typeof setUp>['fire'], association: ReturnType<typeof fakeAssociation>): void => {
    echo(fire, association)
    fire('associationReleased', { association })
  }
  t.deepEqual(run('info', {}, checked), [])
  t.deepEqual(run('debug', {}, checked), ['debug acse   a1     association accepted', 'debug dimse  a1/7   C-ECHO Verification SOP Class', 'debug acse   a1     association released'])
  t.deepEqual(run('info', { callingAeTitle: 'CT01' }, checked), ['info  acse   a1     association accepted', 'info  acse   a1     association released'])
  t.deepEqual(run('info', { role: 'requestor' }, checked), ['info  acse   a1     association accepted', 'info  acse   a1     association released'])
  t.deepEqual(run('info', { acceptedContexts: [] }, checked), ['warn  acse   a1     association accepted'])

  const released = ['info  acse   a1     association released']
  const more = (fire: ReturnType<typeof setUp>['fire'], association: ReturnType<typeof fakeAssociation>): void => {
    fire('operationCompleted', completed(fakeOperation({ association })))
    checked(fire, association)
  }
  t.deepEqual(run('info', {}, more), released, 'it stored, too')
  t.deepEqual(run('info', { operations: [{ service: 'C-ECHO' }] }, checked), released, 'one had no answer')
  t.deepEqual(
    run('info', {}, (fire, association) => {
      echo(fire, association, 0x0122)
      fire('associationReleased', { association })
    }),
    ['warn  dimse  a1/7   C-ECHO Verification SOP Class', ...released],
  )
  t.deepEqual(
    run('info', {}, (fire, association) => fire('associationAborted', { association, by: 'network', source: undefined, reason: 0, message: 'read ECONNRESET' })),
    ['warn  acse   a1     association ended by the network (read ECONNRESET)'],
  )
})

test('operations: quiet for stores and echoes that succeed, a line for the others', (t) => {
  const { fire, lines, entries } = setUp()
  fire('operationCompleted', completed(fakeOperation()))
  fire('operationCompleted', completed(fakeOperation({ service: 'C-ECHO', sopClassUid: VERIFICATION })))
  t.deepEqual(lines(), [])

  const find = fakeOperation({ service: 'C-FIND', sopClassUid: STUDY_ROOT_FIND })
  fire('operationCompleted', completed(find, { responses: 13, receivedBytes: 90 }))
  fire('operationCompleted', completed(find, { responses: 3, status: 0xfe00 }))
  fire('operationCompleted', completed(find, { responses: 1, status: 0xa700, errorComment: 'Index is being rebuilt' }))
  fire('operationCompleted', completed(find, { responses: 0 }))
  const move = fakeOperation({ service: 'C-MOVE', sopClassUid: STUDY_ROOT_MOVE })
  for (const status of [0, 0, 0xb000, 0xa700]) fire('subOperationCompleted', { operation: move, sopInstanceUid: '1.2', status })
  fire('operationCompleted', completed(move, { status: 0xb000, responses: 5 }))
  fire('operationCompleted', completed(fakeOperation({ sopClassUid: '1.2.999' }), { status: 0xb007 }))
  t.deepEqual(lines().map(withoutDuration), [
    'info  dimse  a1/7   C-FIND Study Root Query/Retrieve Information Model - FIND: Success, 12 matches, T',
    'info  dimse  a1/7   C-FIND Study Root Query/Retrieve Information Model - FIND: FE00 Cancelled, 2 matches, T',
    'warn  dimse  a1/7   C-FIND Study Root Query/Retrieve Information Model - FIND: A700 Refused: out of resources, 0 matches, T "Index is being rebuilt"',
    'info  dimse  a1/7   C-FIND Study Root Query/Retrieve Information Model - FIND: not answered, the association ended first, 0 matches, T',
    'warn  dimse  a1/7   C-MOVE Study Root Query/Retrieve Information Model - MOVE: B000 Sub-operations complete, one or more failed or had warnings, 2 sent, 1 with a warning, 1 failed, T',
    'warn  dimse  a1/7   C-STORE 1.2.999: B007 Data set does not match SOP Class, T, 524.8 kB',
  ])
  t.like(entries[4], {
    event: 'operation.completed',
    service: 'C-MOVE',
    sopClassUid: STUDY_ROOT_MOVE,
    status: 'B000',
    durationMs: 38.2,
    responses: 5,
    subOperations: { completed: 2, warnings: 1, failed: 1 },
  })
})

test('debug shows each operation, with the SOP Instance UID that info leaves out', (t) => {
  const { fire, lines, entries, table } = setUp()
  fire('operationCompleted', completed(fakeOperation(), { status: 0xc000 }))
  t.false(renderJson(entries[0]!).includes('1.2.3.4'))
  table.set('debug', 'dimse')
  fire('operationCompleted', completed(fakeOperation(), { durationMs: 3.14 }))
  fire('operationCompleted', completed(fakeOperation({ service: 'N-SET', request: { service: 'N-SET', requestedSopInstanceUid: '1.2.5' } })))
  t.deepEqual(lines().slice(1), [
    'debug dimse  a1/7   C-STORE CT Image Storage: Success, 3.1 ms, 524.8 kB, 1.2.3.4',
    'info  dimse  a1/7   N-SET CT Image Storage: Success, 38 ms, 1.2.5',
  ])
  t.is(entries[1]!['sopInstanceUid'], '1.2.3.4')
})

test('slow operations warn, retrievals excepted', (t) => {
  const { fire, lines } = setUp({ slowOperationMs: 1000 })
  fire('operationCompleted', completed(fakeOperation(), { durationMs: 1000 }))
  fire('operationCompleted', completed(fakeOperation(), { durationMs: 12_345 }))
  fire('operationCompleted', completed(fakeOperation({ service: 'C-MOVE', sopClassUid: STUDY_ROOT_MOVE }), { durationMs: 99_999 }))
  t.deepEqual(lines(), [
    'warn  dimse  a1/7   C-STORE CT Image Storage: Success, 12.3 s (slow), 524.8 kB',
    'info  dimse  a1/7   C-MOVE Study Root Query/Retrieve Information Model - MOVE: Success, 1 min 39 s',
  ])
})

test('contexts are a table for people and rows for collectors', (t) => {
  const { fire, lines, entries } = setUp({ contexts: true })
  const association = fakeAssociation({
    proposedContexts: [
      { id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'] },
      { id: 3, abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: ['1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91'] },
      { id: 5, abstractSyntax: '1.2.999', transferSyntaxes: ['1.2.840.10008.1.2'] },
    ],
    acceptedContexts: [{ id: 1, abstractSyntax: VERIFICATION, transferSyntax: '1.2.840.10008.1.2', asScu: false, asScp: true }],
    rejectedContexts: [
      { id: 3, abstractSyntax: CT_IMAGE_STORAGE, result: 4 },
      { id: 5, abstractSyntax: '1.2.999', result: 3 },
    ],
  })
  t.deepEqual(contextTable(contextRows(association)), [
    '1  Verification SOP Class  accepted                               Implicit VR Little Endian',
    '3  CT Image Storage        refused: no transfer syntax in common  JPEG 2000 Image Compression (Lossless Only), JPEG 2000 Image Compression',
    '5  1.2.999                 refused: SOP class not supported       Implicit VR Little Endian',
  ])
  fire('associationAccepted', { association })
  t.is(lines()[1]!.split('\n').length, 4)
  t.true(lines()[1]!.startsWith('info  acse   a1     contexts proposed by CT01 (10.0.4.17:51234):\n    1  Verification'))
  t.like(entries[1], {
    event: 'association.contexts',
    contexts: [{ id: 1, result: 0, transferSyntax: '1.2.840.10008.1.2' }, { id: 3, result: 4 }, { id: 5, result: 3 }],
  })
})

test('levels hold by area and change at run time', (t) => {
  const { writer, lines, table } = setUp({ level: 'warn', levels: { plugin: 'debug', acse: 'silent' } })
  writer.sink(record('below', {}, 'info', 'server'))
  writer.sink(record('plugin debug', {}, 'debug', 'plugin'))
  writer.sink(record('plugin trace', {}, 'trace', 'plugin'))
  writer.sink(record('silent', {}, 'error', 'acse'))
  table.set('trace')
  writer.sink(record('trace', {}, 'trace', 'acse'))
  t.deepEqual(lines().map((line) => line.trim()), ['debug plugin        plugin debug', 'trace acse          trace'])
  t.throws(() => table.set('verbose' as never), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
  t.throws(() => table.set('info', 'pdu' as never), { message: /'pdu', only server, acse, dimse, dul, plugin/ })
  t.deepEqual(table.current(), { server: 'trace', acse: 'trace', dimse: 'trace', dul: 'trace', plugin: 'trace' })
})

test('lines of the framework and of plugins show their fields', (t) => {
  const { writer, lines } = setUp()
  writer.sink(record('listening', { port: 11112, titles: ['A', 'B'], host: undefined, note: 'two words' }))
  writer.sink(record('a request was refused', { association: 'a3', messageId: 4, status: 0x0122 }, 'warn', 'dimse'))
  writer.sink(record('12 objects swept', { plugin: 'storage' }, 'info', 'plugin'))
  writer.sink(record('names of its own', { level: 'x', time: 'y', message: 'z', event: 'e' }))
  t.deepEqual(lines(), [
    'info  server        listening port=11112 titles=["A","B"] note="two words"',
    'warn  dimse  a3/4   a request was refused status=290',
    'info  storage        12 objects swept',
    'info  server        names of its own level_=x time_=y message_=z event_=e',
  ])
})

test('what a peer chose cannot forge a line or steer the terminal', (t) => {
  const { fire, lines, writer, entries } = setUp()
  const evil = 'X\n2026 info acse\u001b[2J\u202e'
  fire('associationRejected', { association: fakeAssociation({ callingAeTitle: evil }), result: 1, source: 1, reason: 3, why: '' })
  writer.sink(record(`from ${evil}`, { title: evil }))
  for (const line of lines()) {
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    t.notRegex(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    t.true(line.includes(String.raw`X\u000a2026`) || line.includes(String.raw`X\n2026`))
  }
  for (const entry of entries) t.false(renderJson(entry).includes('\n'))
})

test('patient data stays out: data sets, identifiers, bytes, secrets, error texts of unknown origin', (t) => {
  const { writer, entries, lines } = setUp()
  const cause = new Error('value DOE^JOHN is too long')
  writer.sink(
    record(new HookError('cStore', 'quarantine', cause).message, {
      dataSet: { PatientName: 'DOE^JOHN' },
      anything: { PatientName: 'DOE^JOHN' },
      rows: [{ PatientName: 'DOE^JOHN' }],
      PatientID: 'DOE4711',
      patientName: 'DOE^JOHN',
      accessionNumber: 'DOE4712',
      identifier: 'DOE',
      bytes: Buffer.from('DOE^JOHN'),
      password: 'DOE',
      map: new Map([['x', 'DOE']]),
      error: cause,
      text: 'kept',
    }),
  )
  writer.sink(record('failed', { error: String(cause) }))
  writer.sink(record('failed', { error: Object.assign(new Error("ENOENT: '/data/DOE^JOHN/x'"), { code: 'ENOENT', syscall: 'open' }) }))
  const circular = new Error('DOE')
  circular.cause = circular
  writer.sink(record('failed: DOE', { error: circular }))
  for (const entry of entries) t.false(renderJson(entry).includes('DOE'), renderJson(entry))
  for (const line of lines()) t.false(line.includes('DOE'), line)
  t.is(entries[0]!.message, "Handler of 'quarantine' for the hook cStore failed: Error (withheld: phi is off)")
  t.is(entries[0]!['text'], 'kept')
  t.like(entries[0]!['error'], { name: 'Error' })
  t.regex((entries[0]!['error'] as { at: string }).at, /lines\.test\.[jt]s/)
  t.like(entries[2]!['error'], { code: 'ENOENT', message: 'ENOENT (open)' })
})

test('errors of ours explain themselves, also inside others', (t) => {
  const { writer, entries } = setUp()
  const error = new DicomtapError('DICOMTAP_ERR_STO_FULL', 'There is no room: 0 of 20 GB are free')
  writer.sink(record(error.message, { error }))
  t.is(entries[0]!.message, 'There is no room: 0 of 20 GB are free')
  t.like(entries[0]!['error'], { code: 'DICOMTAP_ERR_STO_FULL', message: 'There is no room: 0 of 20 GB are free' })
})

test('with phi everything is let through, within bounds', (t) => {
  const { writer, entries } = setUp({ phi: true })
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  writer.sink(
    record('failed: value DOE', {
      dataSet: { PatientName: 'DOE^JOHN' },
      error: new Error('value DOE'),
      long: 'x'.repeat(10_000),
      circular,
      count: 12n,
      when: new Date(0),
      fine: null,
      odd: Symbol('s'),
    }),
  )
  const [entry] = entries
  t.is(entry!.message, 'failed: value DOE')
  t.deepEqual(entry!['dataSet'], { PatientName: 'DOE^JOHN' })
  t.like(entry!['error'], { name: 'Error', message: 'value DOE' })
  t.true(renderJson(entry!).length < 5000)
  t.like(entry, { circular: '(object)', count: '12', when: '1970-01-01T00:00:00.000Z', fine: null, odd: '(symbol)' })
})

test('a field that cannot be read costs the fields, not the line and not the server', (t) => {
  const { writer, entries } = setUp()
  const fields = Object.defineProperty({}, 'x', { enumerable: true, get: () => { throw new Error('no') } })
  writer.sink(record('still there', fields))
  t.is(entries[0]!.message, 'still there')
})

test('lines that a destination did not take are counted, and said once it takes lines again', (t) => {
  const { writer, destination, entries } = setUp()
  destination.isBlocked = true
  for (let i = 0; i < 3; i += 1) writer.sink(record('lost'))
  destination.isBlocked = false
  writer.sink(record('kept'))
  t.deepEqual(entries.map(({ message }) => message), ['kept', '3 log lines were dropped: memory did not take them in time'])
  t.is(entries[1]!['dropped'], 3)
})

test('sizes and durations in words', (t) => {
  t.deepEqual([0, 999, 1000, 524_800, 999_949, 999_950, 5e12].map(bytesInWords), ['0 B', '999 B', '1.0 kB', '524.8 kB', '999.9 kB', '1.0 MB', '5.0 TB'])
  t.deepEqual([0.04, 9.99, 38.4, 999.4, 4000, 185_000, 7_800_000].map(durationInWords), ['0.0 ms', '10.0 ms', '38 ms', '999 ms', '4.0 s', '3 min 5 s', '2 h 10 min'])
})

test('colours mark the level and the names of fields, and only when asked for', (t) => {
  const { writer, entries } = setUp()
  writer.sink(record('x', { a: 1 }, 'error'))
  t.true(renderPretty(entries[0]!, true).includes('\u001b[31merror\u001b[39m'))
  t.false(renderPretty(entries[0]!, false).includes('\u001b'))
})

test('an identifier as lines: names as text, several values, sequences, no value', (t) => {
  const identifier = presentableIdentifier({
    PatientName: [{ Alphabetic: 'Doe^Jane', Ideographic: '', Phonetic: 'dou' }],
    PatientID: null,
    ModalitiesInStudy: ['CT', 'MR'],
    StudyID: undefined,
    SeriesNumber: 5,
    OtherPatientIDsSequence: [{ PatientID: '1' }, { PatientID: '2', IssuerOfPatientID: 'X' }],
    '00091001': [new ArrayBuffer(12)],
    _vrMap: { '00091001': 'OB' },
  })
  t.deepEqual(identifierLines(identifier), [
    'PatientName              Doe^Jane==dou',
    'PatientID',
    'ModalitiesInStudy        CT\\MR',
    'SeriesNumber             5',
    'OtherPatientIDsSequence[0]',
    '  PatientID  1',
    'OtherPatientIDsSequence[1]',
    '  PatientID          2',
    '  IssuerOfPatientID  X',
    '00091001                 (12 bytes)',
  ])
})

test('an identifier of a peer does not flood the log', (t) => {
  const wide = presentableIdentifier(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`0009${index.toString(16).padStart(4, '0')}`, 'x'])))
  t.is(Object.keys(wide).length, 201)
  t.is(wide['...'], 'more attributes are not logged')
  let deep: Record<string, unknown> = {}
  for (let depth = 0; depth < 100; depth += 1) deep = { ContentSequence: [deep] }
  t.true(JSON.stringify(presentableIdentifier(deep)).length < 500)
  const long = presentableIdentifier({ PatientID: 'x'.repeat(10_000), ModalitiesInStudy: Array.from({ length: 1000 }, () => 'CT') })
  t.is((long['PatientID'] as string).length, 203)
  t.is((long['ModalitiesInStudy'] as string[]).length, 51)
  const many = presentableIdentifier({ ContentSequence: Array.from({ length: 1000 }, () => ({ ContentSequence: Array.from({ length: 1000 }, () => ({ PatientID: 'x' })) })) })
  t.true(JSON.stringify(many).length < 20_000)
})
