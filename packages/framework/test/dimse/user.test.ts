import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ApplicationEntity, AssociationAbortedError, DicomtapError, SopClass } from '@dicomtap/framework'
import type { Association, CStoreRequest, NResponse, RetrieveResponse } from '@dicomtap/framework'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import { createTestServer } from '../../dist/testing/index.js'
import type { ReceivedMessage, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { closeRequestors } from '../support/requested.ts'
import {
  BASIC_GRAYSCALE_PRINT_META,
  CT_IMAGE,
  EXPLICIT_LE,
  FILM_SESSION,
  IMPLICIT_LE,
  JPEG_LOSSLESS,
  MPPS,
  MR_IMAGE,
  STORAGE_COMMITMENT,
  STUDY_ROOT_FIND,
  STUDY_ROOT_GET,
  STUDY_ROOT_MOVE,
  UPS_EVENT,
  UPS_PULL,
  UPS_PUSH,
  UPS_WATCH,
  VERIFICATION,
} from '../support/uids.ts'
import { collect, NONE, scripted, SOME } from '../support/user.ts'
import type { Scripted } from '../support/user.ts'

test.after.always(closeRequestors)

const INSTANCE = '1.2.3.4'
// (0010,0020) Patient ID, length 2, "42", in Implicit VR Little Endian.
const PATIENT_42 = Buffer.from('10002000020000003432', 'hex')

// ── every service once: the request byte by byte as PS3.7 has it, the response typed ────────────────────

interface Exchange {
  /** Abstract syntax of context 1. */
  readonly abstractSyntax: string
  readonly scp?: boolean
  readonly call: (association: Association) => Promise<unknown>
  /** The command set without message ID (PS3.7 9.3, 10.3). */
  readonly command: CommandSet
  readonly dataSet?: Buffer
  readonly answer: Omit<CommandSet, 'commandField'>
  readonly answerDataSet?: Buffer
  readonly response: object
}

const EXCHANGES: Readonly<Record<string, Exchange>> = {
  'C-ECHO': {
    abstractSyntax: VERIFICATION,
    call: (association) => association.cEcho(),
    command: { commandField: 0x0030, affectedSopClassUid: VERIFICATION, commandDataSetType: NONE },
    answer: { status: 0, commandDataSetType: NONE },
    response: { status: 0, category: 'success', label: 'Success', errorComment: undefined, offendingElements: undefined },
  },
  'C-STORE': {
    abstractSyntax: CT_IMAGE,
    call: (association) =>
      association.cStore(PATIENT_42, {
        sopClassUid: CT_IMAGE,
        sopInstanceUid: INSTANCE,
        transferSyntaxUid: IMPLICIT_LE,
        priority: 1,
        moveOriginatorApplicationEntityTitle: 'MOVER',
        moveOriginatorMessageId: 7,
      }),
    command: {
      commandField: 0x0001,
      affectedSopClassUid: CT_IMAGE,
      affectedSopInstanceUid: INSTANCE,
      priority: 1,
      moveOriginatorApplicationEntityTitle: 'MOVER',
      moveOriginatorMessageId: 7,
      commandDataSetType: SOME,
    },
    dataSet: PATIENT_42,
    answer: { status: 0xa900, errorComment: 'No CT', offendingElements: [0x00100020], commandDataSetType: NONE },
    response: {
      status: 0xa900,
      category: 'failure',
      errorComment: 'No CT',
      offendingElements: [0x00100020],
      sopClassUid: CT_IMAGE,
      sopInstanceUid: INSTANCE,
    },
  },
  'N-EVENT-REPORT': {
    abstractSyntax: STORAGE_COMMITMENT,
    scp: true,
    call: (association) =>
      association.nEventReport({
        affectedSopClassUid: STORAGE_COMMITMENT,
        affectedSopInstanceUid: INSTANCE,
        eventTypeId: 2,
        eventInformation: { PatientID: '42' },
      }),
    command: {
      commandField: 0x0100,
      affectedSopClassUid: STORAGE_COMMITMENT,
      affectedSopInstanceUid: INSTANCE,
      eventTypeId: 2,
      commandDataSetType: SOME,
    },
    dataSet: PATIENT_42,
    answer: { status: 0, eventTypeId: 2, commandDataSetType: NONE },
    response: { status: 0, dataset: undefined },
  },
  'N-GET': {
    abstractSyntax: MPPS,
    call: (association) =>
      association.nGet({
        requestedSopClassUid: MPPS,
        requestedSopInstanceUid: INSTANCE,
        attributeIdentifierList: ['PatientName', 0x00100020, '00091001'],
      }),
    command: {
      commandField: 0x0110,
      requestedSopClassUid: MPPS,
      requestedSopInstanceUid: INSTANCE,
      attributeIdentifierList: [0x00100010, 0x00100020, 0x00091001],
      commandDataSetType: NONE,
    },
    answer: { status: 0x0107, attributeIdentifierList: [0x00091001], affectedSopInstanceUid: INSTANCE, commandDataSetType: SOME },
    answerDataSet: PATIENT_42,
    response: {
      status: 0x0107,
      category: 'warning',
      attributeIdentifierList: [0x00091001],
      dataset: { PatientID: '42' },
      affectedSopInstanceUid: INSTANCE,
      errorId: undefined,
    },
  },
  'N-SET': {
    abstractSyntax: MPPS,
    call: (association) =>
      association.nSet({ requestedSopClassUid: MPPS, requestedSopInstanceUid: INSTANCE, modificationList: { PatientID: '42' } }),
    command: { commandField: 0x0120, requestedSopClassUid: MPPS, requestedSopInstanceUid: INSTANCE, commandDataSetType: SOME },
    dataSet: PATIENT_42,
    answer: { status: 0x0110, errorId: 9, commandDataSetType: NONE },
    response: { status: 0x0110, category: 'failure', errorId: 9 },
  },
  'N-ACTION': {
    abstractSyntax: STORAGE_COMMITMENT,
    call: (association) =>
      association.nAction({ requestedSopClassUid: STORAGE_COMMITMENT, requestedSopInstanceUid: INSTANCE, actionTypeId: 1, actionInformation: PATIENT_42 }),
    command: {
      commandField: 0x0130,
      requestedSopClassUid: STORAGE_COMMITMENT,
      requestedSopInstanceUid: INSTANCE,
      actionTypeId: 1,
      commandDataSetType: SOME,
    },
    dataSet: PATIENT_42,
    answer: { status: 0, actionTypeId: 1, commandDataSetType: NONE },
    response: { status: 0 },
  },
  'N-CREATE': {
    abstractSyntax: MPPS,
    call: (association) => association.nCreate({ affectedSopClassUid: MPPS }),
    command: { commandField: 0x0140, affectedSopClassUid: MPPS, commandDataSetType: NONE },
    answer: { status: 0, affectedSopInstanceUid: '2.25.7', commandDataSetType: SOME },
    answerDataSet: PATIENT_42,
    response: { status: 0, affectedSopInstanceUid: '2.25.7', dataset: { PatientID: '42' } },
  },
  'N-DELETE': {
    abstractSyntax: MPPS,
    call: (association) => association.nDelete({ requestedSopClassUid: MPPS, requestedSopInstanceUid: INSTANCE }),
    command: { commandField: 0x0150, requestedSopClassUid: MPPS, requestedSopInstanceUid: INSTANCE, commandDataSetType: NONE },
    answer: { status: 0x0112, commandDataSetType: NONE },
    response: { status: 0x0112, category: 'failure' },
  },
}

for (const [service, exchange] of Object.entries(EXCHANGES)) {
  test(`${service}: the request, the response`, async (t) => {
    const roles = exchange.scp === true ? { scu: false, scp: true } : undefined
    const side = await scripted([{ abstractSyntax: exchange.abstractSyntax, ...(roles === undefined ? {} : { roles }) }])
    const called = exchange.call(side.association)
    const request = await side.peer.receiveMessage()
    t.is(request.presentationContextId, 1)
    t.deepEqual({ ...request.command }, { ...exchange.command, messageId: 1 })
    t.deepEqual(request.dataSet, exchange.dataSet)
    await side.answer(request, exchange.answer, exchange.answerDataSet)
    const response = (await called) as NResponse
    t.like(response, exchange.response)
    t.like(response.command, { ...exchange.answer, messageIdBeingRespondedTo: 1 })
  })
}

const QUERIES = {
  'C-FIND': { model: STUDY_ROOT_FIND, field: 0x0020, extra: {} },
  'C-GET': { model: STUDY_ROOT_GET, field: 0x0010, extra: {} },
  'C-MOVE': { model: STUDY_ROOT_MOVE, field: 0x0021, extra: { moveDestination: 'ARCHIVE' } },
} as const

for (const [service, { model, field, extra }] of Object.entries(QUERIES)) {
  test(`${service}: the request leaves before anybody iterates; every response is yielded, the final one last`, async (t) => {
    const side = await scripted([{ abstractSyntax: model }])
    const { association } = side
    const options = { model, priority: 2, destination: 'ARCHIVE' }
    const responses =
      service === 'C-FIND'
        ? association.cFind({ PatientID: '42' }, options)
        : service === 'C-GET'
          ? association.cGet({ PatientID: '42' }, options)
          : association.cMove({ PatientID: '42' }, options)
    const request = await side.peer.receiveMessage()
    t.deepEqual({ ...request.command }, { commandField: field, affectedSopClassUid: model, messageId: 1, priority: 2, ...extra, commandDataSetType: SOME })
    t.deepEqual(request.dataSet, PATIENT_42)
    if (service === 'C-FIND') {
      await side.answer(request, { status: 0xff00, commandDataSetType: SOME }, PATIENT_42)
      await side.answer(request, { status: 0xff01, commandDataSetType: SOME }, Buffer.from('10002000020000003433', 'hex'))
      await side.answer(request, { status: 0, commandDataSetType: NONE })
      t.like(await collect<object>(responses), [
        { status: 0xff00, category: 'pending', identifier: { PatientID: '42' } },
        { status: 0xff01, category: 'pending', identifier: { PatientID: '43' } },
        { status: 0, category: 'success', identifier: undefined },
      ])
      return
    }
    const counters = { numberOfRemainingSuboperations: 1, numberOfCompletedSuboperations: 2, numberOfFailedSuboperations: 3, numberOfWarningSuboperations: 4 }
    await side.answer(request, { status: 0xff00, ...counters, commandDataSetType: NONE })
    // (0008,0058) Failed SOP Instance UID List, 8 bytes: two UIDs.
    const failed = Buffer.concat([Buffer.from('0800580008000000', 'hex'), Buffer.from('1.2\\1.3\0')])
    await side.answer(request, { status: 0xb000, numberOfFailedSuboperations: 2, commandDataSetType: SOME }, failed)
    const all = (await collect<object>(responses)) as RetrieveResponse[]
    t.is(all.length, 2)
    t.like(all[0], { status: 0xff00, ...counters, failedSopInstanceUids: [] })
    t.like(all[1], { status: 0xb000, category: 'warning', numberOfFailedSuboperations: 2, numberOfRemainingSuboperations: undefined })
    t.deepEqual(all[1]?.failedSopInstanceUids, ['1.2', '1.3'])
  })
}

// ── which presentation context ──────────────────────────────────────────────────────────────────────────

async function contextOf(side: Scripted, call: () => Promise<unknown>): Promise<ReceivedMessage> {
  const called = call()
  const request = await side.peer.receiveMessage()
  await side.answer(request, { status: 0, commandDataSetType: NONE })
  await called
  return request
}

test('a Meta SOP class gives its context to the classes it is made of; UPS Push goes over any UPS context', async (t) => {
  const side = await scripted([{ abstractSyntax: BASIC_GRAYSCALE_PRINT_META }, { abstractSyntax: UPS_PULL }])
  const film = { affectedSopClassUid: FILM_SESSION, metaSopClassUid: BASIC_GRAYSCALE_PRINT_META }
  t.like(await contextOf(side, () => side.association.nCreate(film)), { presentationContextId: 1, command: { affectedSopClassUid: FILM_SESSION } })
  const step = { requestedSopClassUid: UPS_PUSH, requestedSopInstanceUid: INSTANCE }
  t.like(await contextOf(side, () => side.association.nGet(step)), { presentationContextId: 3, command: { requestedSopClassUid: UPS_PUSH } })
  t.like(await contextOf(side, () => side.association.nGet({ ...step, presentationContextId: 3 })), { presentationContextId: 3 })
  await t.throwsAsync(side.association.nCreate({ affectedSopClassUid: FILM_SESSION }), {
    code: 'DICOMTAP_ERR_ACSE_CONTEXT',
    message: /BasicFilmSession/,
  })
})

test('of several UPS contexts, that of the class that has the service (PS3.4 CC.2)', async (t) => {
  const event = { abstractSyntax: UPS_EVENT, roles: { scu: true, scp: true } }
  const side = await scripted([{ abstractSyntax: UPS_PUSH }, { abstractSyntax: UPS_WATCH }, { abstractSyntax: UPS_PULL }, event])
  const { association } = side
  const step = { requestedSopClassUid: UPS_PUSH, requestedSopInstanceUid: INSTANCE }
  const affected = { affectedSopClassUid: UPS_PUSH, affectedSopInstanceUid: INSTANCE }
  const calls: [expected: number, call: () => Promise<unknown>][] = [
    [1, () => association.nCreate(affected)],
    [5, () => association.nSet({ ...step, modificationList: PATIENT_42 })],
    [5, () => association.nGet(step)],
    [5, () => association.nAction({ ...step, actionTypeId: 1 })],
    [1, () => association.nAction({ ...step, actionTypeId: 2 })],
    [3, () => association.nAction({ ...step, actionTypeId: 3 })],
    [3, () => association.nAction({ ...step, actionTypeId: 4 })],
    [3, () => association.nAction({ ...step, actionTypeId: 5 })],
    [1, () => association.nAction({ ...step, actionTypeId: 6 })],
    [7, () => association.nEventReport({ ...affected, eventTypeId: 1 })],
  ]
  for (const [expected, call] of calls) t.is((await contextOf(side, call)).presentationContextId, expected, call.toString())
})

test('C-STORE: the transfer syntax that the object has, whatever the order of the contexts', async (t) => {
  const side = await scripted([
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [JPEG_LOSSLESS] },
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
  ])
  const bytes = { sopClassUid: CT_IMAGE, sopInstanceUid: INSTANCE, bytes: () => PATIENT_42 }
  const store = (transferSyntaxUid: string, presentationContextId?: number): Promise<ReceivedMessage> =>
    contextOf(side, () => side.association.cStore({ ...bytes, transferSyntaxUid }, presentationContextId === undefined ? {} : { presentationContextId }))
  t.is((await store(JPEG_LOSSLESS)).presentationContextId, 3)
  t.is((await store(EXPLICIT_LE)).presentationContextId, 5)
  t.is((await store(EXPLICIT_LE, 5)).presentationContextId, 5)
  t.is((await store(IMPLICIT_LE)).presentationContextId, 1)
  await t.throwsAsync(side.association.cStore({ ...bytes, transferSyntaxUid: EXPLICIT_LE }, { presentationContextId: 1 }), {
    code: 'DICOMTAP_ERR_ACSE_CONTEXT',
    message: 'CTImageStorage was not accepted with ExplicitVRLittleEndian, only with ImplicitVRLittleEndian',
  })
})

test('C-STORE: with convert another uncompressed transfer syntax will do, without it will not', async (t) => {
  const side = await scripted([{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }])
  // (0010,0020) LO Patient ID, length 2, "42", in Explicit VR Little Endian.
  const explicit = Buffer.from('100020004c4f02003432', 'hex')
  const source = { sopClassUid: CT_IMAGE, sopInstanceUid: INSTANCE, transferSyntaxUid: EXPLICIT_LE, bytes: () => explicit }
  const error = await t.throwsAsync(side.association.cStore(source), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
  t.is(error?.message, 'CTImageStorage was not accepted with ExplicitVRLittleEndian, only with ImplicitVRLittleEndian')
  t.deepEqual((await contextOf(side, () => side.association.cStore(source, { convert: true }))).dataSet, PATIENT_42)
  await t.throwsAsync(side.association.cStore({ ...source, transferSyntaxUid: JPEG_LOSSLESS }, { convert: true }), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
})

test('C-STORE: a deflated data set of odd length is padded with one NUL (PS3.5 A.5), others are sent as they are', async (t) => {
  const DEFLATED_LE = '1.2.840.10008.1.2.1.99'
  const syntaxes = [DEFLATED_LE, EXPLICIT_LE]
  const side = await scripted(syntaxes.map((transferSyntax) => ({ abstractSyntax: CT_IMAGE, transferSyntaxes: [transferSyntax] })))
  const odd = Buffer.from('0102030405', 'hex')
  const source = { sopClassUid: CT_IMAGE, sopInstanceUid: INSTANCE }
  // In one piece and in several, odd in the middle and at the end.
  for (const bytes of [() => odd, () => [odd.subarray(0, 3), odd.subarray(3)], () => [odd.subarray(0, 1), odd.subarray(1, 2), odd.subarray(2)]]) {
    const deflated = await contextOf(side, () => side.association.cStore({ ...source, bytes, transferSyntaxUid: DEFLATED_LE }))
    t.is(deflated.dataSet?.toString('hex'), '010203040500')
    const plain = await contextOf(side, () => side.association.cStore({ ...source, bytes, transferSyntaxUid: EXPLICIT_LE }))
    t.is(plain.dataSet?.toString('hex'), '0102030405')
  }
  const even = await contextOf(side, () => side.association.cStore({ ...source, bytes: () => [odd, odd], transferSyntaxUid: DEFLATED_LE }))
  t.is(even.dataSet?.length, 10)
})

// ── wrong use ───────────────────────────────────────────────────────────────────────────────────────────

test('arguments that cannot be are refused at once, with their name, and nothing is sent', async (t) => {
  const side = await scripted([{ abstractSyntax: MPPS }, { abstractSyntax: STUDY_ROOT_FIND }, { abstractSyntax: STUDY_ROOT_MOVE }, { abstractSyntax: CT_IMAGE }])
  const { association } = side
  const target = { requestedSopClassUid: MPPS, requestedSopInstanceUid: INSTANCE }
  const wrong: Readonly<Record<string, () => unknown>> = {
    'options are missing': () => association.nDelete(undefined as never),
    'requestedSopInstanceUid': () => association.nDelete({ ...target, requestedSopInstanceUid: '../x' }),
    'affectedSopClassUid': () => association.nCreate({ affectedSopClassUid: 5 as never }),
    'actionTypeId': () => association.nAction({ ...target, actionTypeId: 65_536 }),
    'modificationList': () => association.nSet({ ...target, modificationList: undefined as never }),
    'did you mean PatientName': () => association.nGet({ ...target, attributeIdentifierList: ['PatientNam'] }),
    'attributeIdentifierList': () => association.nGet({ ...target, attributeIdentifierList: [-1] }),
    'eventTypeId': () => association.nEventReport({ affectedSopClassUid: MPPS, affectedSopInstanceUid: INSTANCE, eventTypeId: 1.5 }),
    'model': () => association.cFind({}, {} as never),
    'identifier': () => association.cFind([] as never, { model: STUDY_ROOT_FIND }),
    'priority': () => association.cFind({}, { model: STUDY_ROOT_FIND, priority: 3 }),
    'destination': () => association.cMove({}, { model: STUDY_ROOT_MOVE, destination: '' }),
    'sopClassUid': () => association.cStore(PATIENT_42, { sopClassUid: 'CT' }),
    'moveOriginatorMessageId': () => association.cStore(PATIENT_42, { moveOriginatorMessageId: -1 }),
    'onProgress': () => association.cStore(PATIENT_42, { onProgress: 5 as never }),
    'message ID 9': () => {
      association.cCancel(9)
    },
  }
  for (const [name, call] of Object.entries(wrong)) {
    const error = await t.throwsAsync(async () => call(), { instanceOf: DicomtapError }, name)
    t.is((error as DicomtapError).code, 'DICOMTAP_ERR_DIMSE_REQUEST', name)
    t.true(error?.message.includes(name), `${name}: ${error?.message}`)
  }
  // Synchronously, where a generator is returned.
  t.throws(() => association.cFind({}, { model: STUDY_ROOT_GET }), { code: 'DICOMTAP_ERR_ACSE_CONTEXT', message: /StudyRootQueryRetrieveInformationModelGet/ })
  t.throws(() => association.cFind({}, { model: STUDY_ROOT_FIND, presentationContextId: 1 }), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
  t.throws(() => association.cFind({}, { model: STUDY_ROOT_FIND, presentationContextId: 99 }), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
  await t.throwsAsync(association.cEcho(), { code: 'DICOMTAP_ERR_ACSE_CONTEXT', message: /Verification/ })
  await t.throwsAsync(association.cStore({ SOPClassUID: MR_IMAGE, SOPInstanceUID: INSTANCE }), { code: 'DICOMTAP_ERR_ACSE_CONTEXT', message: /MRImageStorage/ })
  await t.throwsAsync(association.nSet({ ...target, modificationList: { NoSuchAttribute: 1 } }), { code: 'DICOMTAP_ERR_DS_ENCODE' })
  const identifier = collect(association.cFind({ NoSuchAttribute: 1 }, { model: STUDY_ROOT_FIND }))
  await t.throwsAsync(identifier, { code: 'DICOMTAP_ERR_DS_ENCODE' })
  t.is(side.peer.unreadBytes, 0)
  // None of them has kept the window, or a message ID.
  const request = await contextOf(side, () => association.nDelete(target))
  t.is(request.command.messageId, 1)
})

test('requests need the role: SCU for all but N-EVENT-REPORT', async (t) => {
  const side = await scripted([{ abstractSyntax: CT_IMAGE, roles: { scu: false, scp: true } }, { abstractSyntax: STORAGE_COMMITMENT }])
  await t.throwsAsync(side.association.cStore({ SOPClassUID: CT_IMAGE, SOPInstanceUID: INSTANCE }), {
    code: 'DICOMTAP_ERR_ACSE_CONTEXT',
    message: 'CTImageStorage was accepted without the role of SCU for this side',
  })
  const report = { affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: INSTANCE, eventTypeId: 1 }
  await t.throwsAsync(side.association.nEventReport(report), {
    code: 'DICOMTAP_ERR_ACSE_CONTEXT',
    message: 'StorageCommitmentPushModel was accepted without the role of SCP for this side',
  })
})

test('an association that is not established takes no requests', async (t) => {
  const side = await scripted([{ abstractSyntax: VERIFICATION }, { abstractSyntax: STUDY_ROOT_FIND }])
  side.association.abort()
  await t.throwsAsync(side.association.cEcho(), { code: 'DICOMTAP_ERR_ACSE_STATE' })
  t.throws(() => side.association.cFind({}, { model: STUDY_ROOT_FIND }), { code: 'DICOMTAP_ERR_ACSE_STATE' })
  t.throws(() => {
    side.association.cCancel(1)
  }, { code: 'DICOMTAP_ERR_ACSE_STATE' })
})

// ── against a real acceptor ─────────────────────────────────────────────────────────────────────────────

interface Live extends AsyncDisposable {
  readonly server: TestServer
  readonly ae: ApplicationEntity
  readonly association: Association
}

async function live(options: TestServerOptions, bind: (ae: ApplicationEntity) => void = () => {}, window?: number): Promise<Live> {
  const classes = [VERIFICATION, CT_IMAGE, STUDY_ROOT_FIND, STUDY_ROOT_GET, MPPS]
  const contexts = classes.map((abstractSyntax) => ({
    abstractSyntax,
    transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE],
    ...(abstractSyntax === CT_IMAGE ? { roles: { scu: true, scp: true } } : {}),
  }))
  const handlers = window === undefined ? {} : { asyncOperations: () => ({ invoked: window, performed: window }) }
  const server = await createTestServer({ contexts, ...options, handlers: { ...handlers, ...options.handlers } })
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent' })
  bind(ae)
  const association = await ae.associate({
    host: '127.0.0.1',
    port: server.port,
    contexts,
    ...(window === undefined ? {} : { asynchronousOperations: { invoked: window, performed: window } }),
  })
  return {
    server,
    ae,
    association,
    async [Symbol.asyncDispose]() {
      await ae.close({ deadlineMs: 0 })
      await server[Symbol.asyncDispose]()
    },
  }
}

const OBJECT = { SOPClassUID: CT_IMAGE, PatientName: 'Müller^Änne', PatientID: '42' }

for (const window of [1, 4]) {
  test(`200 C-STORE at once, ${window} outstanding, all of them answered`, async (t) => {
    const received: string[] = []
    let running = 0
    let most = 0
    await using side = await live(
      {
        handlers: {
          cStore: async ({ affectedSopInstanceUid, dataSet }) => {
            most = Math.max(most, ++running)
            await dataSet.buffer()
            received.push(affectedSopInstanceUid)
            running -= 1
            return 0
          },
        },
      },
      undefined,
      window,
    )
    const uids = Array.from({ length: 200 }, (_, index) => `1.2.${index}`)
    const responses = await Promise.all(uids.map((SOPInstanceUID) => side.association.cStore({ ...OBJECT, SOPInstanceUID })))
    t.deepEqual(responses.map(({ sopInstanceUid }) => sopInstanceUid), uids)
    t.true(responses.every(({ status }) => status === 0))
    t.true(most <= window && most > window / 2, `${most} at once`)
    t.deepEqual(received.sort(), uids.toSorted())
    if (window === 1) await side.association.release()
  })
}

test('release waits for requests that are under way', async (t) => {
  await using side = await live({ handlers: { cStore: async ({ dataSet }) => (await dataSet.buffer(), 0) } })
  const stores = Promise.all([1, 2, 3].map((n) => side.association.cStore({ ...OBJECT, SOPInstanceUID: `1.2.${n}` })))
  await side.association.release()
  t.deepEqual((await stores).map(({ status }) => status), [0, 0, 0])
  t.true(side.association.isReleased)
})

test('files: sent byte by byte with progress; one that is not there fails alone', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'dicomtap-user-'))
  try {
    const digests: Buffer[] = []
    await using side = await live({ handlers: { cStore: async ({ dataSet }) => (digests.push(await dataSet.buffer()), 0) } })
    // SOP Class and Instance UID, then (7FE0,0010) OW Pixel Data of 3 MB, in Explicit VR Little Endian.
    const head = Buffer.concat([
      Buffer.from('080016005549 1a00'.replace(' ', ''), 'hex'),
      Buffer.from(`${CT_IMAGE}\0`),
      Buffer.from('080018005549 0800'.replace(' ', ''), 'hex'),
      Buffer.from('1.2.3.4\0'),
      Buffer.from('e07f10004f570000c0c62d00', 'hex'),
    ])
    const dataSet = Buffer.concat([head, Buffer.alloc(3_000_000, 7)])
    // A preamble, DICM, and (0002,0010) UI Transfer Syntax UID.
    const meta = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.from('0200100055491400', 'hex'), Buffer.from(`${EXPLICIT_LE}\0`)])
    const path = join(directory, 'image.dcm')
    await writeFile(path, Buffer.concat([meta, dataSet]))
    const progress: number[] = []
    const stores = [
      side.association.cStore(path, { onProgress: (sentBytes) => progress.push(sentBytes) }),
      side.association.cStore(join(directory, 'missing.dcm')),
      side.association.cStore(path),
      side.association.cStore(Buffer.concat([meta, dataSet]), { onProgress: () => { throw new Error('mine') } }),
    ]
    const [first, missing, second, third] = await Promise.allSettled(stores)
    t.like(first, { status: 'fulfilled', value: { status: 0, sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3.4' } })
    t.like(missing, { status: 'rejected', reason: { code: 'DICOMTAP_ERR_DIMSE_REQUEST' } })
    t.like(second, { status: 'fulfilled', value: { status: 0 } })
    t.like(third, { status: 'fulfilled', value: { status: 0 } })
    t.deepEqual(digests.map((bytes) => bytes.equals(dataSet)), [true, true, true])
    t.is(progress.at(-1), dataSet.length)
    t.true(progress.length > 2)
    t.deepEqual(progress, progress.toSorted((a, b) => a - b))
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('C-GET: sub-operations come over the same association; the wait is for silence, not for the end', async (t) => {
  const stored: CStoreRequest[] = []
  let slow = 0
  await using side = await live(
    {
      handlers: {
        cGet: () => ({
          instances: Array.from({ length: 6 }, (_, index) => ({
            sopClassUid: CT_IMAGE,
            sopInstanceUid: `1.2.${index}`,
            transferSyntaxUid: EXPLICIT_LE,
            bytes: () => [Buffer.from('100020004c4f02003432', 'hex')],
          })),
        }),
      },
    },
    (ae) => {
      ae.bind('cStore', async (request) => {
        stored.push(request)
        await request.dataSet.dataset()
        slow += 1
        return slow === 6 ? 0xa700 : 0
      })
    },
  )
  const responses = await collect(side.association.cGet({ PatientID: '42' }, { model: STUDY_ROOT_GET }))
  t.deepEqual(stored.map(({ affectedSopInstanceUid }) => affectedSopInstanceUid), ['1.2.0', '1.2.1', '1.2.2', '1.2.3', '1.2.4', '1.2.5'])
  t.like(responses.at(-1), { status: 0xb000, numberOfCompletedSuboperations: 5, numberOfFailedSuboperations: 1 })
  t.deepEqual(responses.at(-1)?.failedSopInstanceUids, ['1.2.5'])
})

test('the acceptor sends requests too: C-STORE to a requestor that is SCP', async (t) => {
  const names: unknown[] = []
  await using side = await live({}, (ae) => {
    ae.bind('cStore', async ({ dataSet }) => (names.push((await dataSet.dataset())['PatientID']), 0))
  })
  const [acceptor] = side.server.ae.activeAssociations
  const response = await acceptor?.cStore({ ...OBJECT, SOPInstanceUID: '1.2.3' })
  t.like(response, { status: 0, sopInstanceUid: '1.2.3' })
  t.deepEqual(names, ['42'])
})

test('a request that an abort ends says who aborted, with source and reason', async (t) => {
  const { association, peer } = await scripted([{ abstractSyntax: SopClass.Verification }])
  const echo = association.cEcho()
  await peer.receiveMessage()
  await peer.sendPdu({ type: 'A-ABORT', source: 2, reason: 6 })
  const error = await t.throwsAsync(echo, { instanceOf: AssociationAbortedError })
  t.like(error, { code: 'DICOMTAP_ERR_ACSE_ABORTED', by: 'peer', source: 2, reason: 6 })
})
