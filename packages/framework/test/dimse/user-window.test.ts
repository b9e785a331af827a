import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Association, CFindResponse, DicomtapError } from '@dicomtap/framework'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { ReceivedMessage } from '../../dist/testing/index.js'
import { settle, turnsUntil } from '../support/connections.ts'
import { closeRequestors } from '../support/requested.ts'
import {
  CT_IMAGE,
  IMPLICIT_LE,
  MPPS,
  STUDY_ROOT_FIND,
  STUDY_ROOT_GET,
  STUDY_ROOT_MOVE,
  VERIFICATION,
} from '../support/uids.ts'
import { collect, NONE, scripted, SOME } from '../support/user.ts'
import type { Scripted } from '../support/user.ts'

test.after.always(closeRequestors)

// (0010,0020) Patient ID, length 2, "42", in Implicit VR Little Endian.
const PATIENT_42 = Buffer.from('10002000020000003432', 'hex')
const ABORT = { type: 'A-ABORT', source: 0, reason: 0 }
const SUCCESS = { status: 0 }

const CONTEXTS = [
  { abstractSyntax: VERIFICATION },
  { abstractSyntax: CT_IMAGE, roles: { scu: true, scp: true } },
  { abstractSyntax: STUDY_ROOT_FIND },
  { abstractSyntax: STUDY_ROOT_GET },
  { abstractSyntax: STUDY_ROOT_MOVE },
  { abstractSyntax: MPPS },
]

async function side(window?: number, timeouts: { dimseMs?: number | null; networkMs?: number | null } = {}): Promise<Scripted> {
  return scripted(CONTEXTS, window, { timeouts: { dimseMs: 20_000, ...timeouts } })
}

function find(association: Association, signal?: AbortSignal): AsyncGenerator<CFindResponse, void, undefined> {
  return association.cFind({ PatientID: '' }, { model: STUDY_ROOT_FIND, ...(signal === undefined ? {} : { signal }) })
}

/** What a request is about: enough to tell which one it is. */
function named({ command }: ReceivedMessage): string {
  return `${command.commandField.toString(16)} ${command.affectedSopInstanceUid ?? command.requestedSopInstanceUid ?? ''}`
}

function remove(association: Association, requestedSopInstanceUid: string, signal?: AbortSignal): Promise<{ status: number }> {
  return association.nDelete({ requestedSopClassUid: MPPS, requestedSopInstanceUid, ...(signal === undefined ? {} : { signal }) })
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error as DicomtapError).code,
  )
}

// ── the window ──────────────────────────────────────────────────────────────────────────────────────────

test('a window of 1: the next request leaves when the one before has its final response', async (t) => {
  const { association, peer, answer } = await side()
  const statuses = Promise.all(['1.1', '1.2', '1.3'].map((uid) => remove(association, uid)))
  for (const [index, uid] of ['1.1', '1.2', '1.3'].entries()) {
    const request = await peer.receiveMessage()
    t.is(named(request), `150 ${uid}`)
    t.is(request.command.messageId, index + 1)
    await settle()
    t.is(peer.unreadBytes, 0, 'nothing more before the answer')
    await answer(request, { status: index === 1 ? 0x0112 : 0 })
  }
  t.deepEqual((await statuses).map(({ status }) => status), [0, 0x0112, 0])
})

test('a window of 4: four at once, answers in any order find their request, each frees a slot', async (t) => {
  const { association, peer, answer } = await side(4)
  const uids = ['1.1', '1.2', '1.3', '1.4', '1.5', '1.6']
  const statuses = Promise.all(uids.map((uid) => remove(association, uid)))
  const requests: ReceivedMessage[] = []
  for (let count = 0; count < 4; count++) requests.push(await peer.receiveMessage())
  t.deepEqual(requests.map(named), ['150 1.1', '150 1.2', '150 1.3', '150 1.4'])
  await settle()
  t.is(peer.unreadBytes, 0)
  await answer(requests[3]!, { status: 0xc004 })
  requests.push(await peer.receiveMessage())
  await answer(requests[1]!, { status: 0xc002 })
  requests.push(await peer.receiveMessage())
  for (const [index, request] of requests.entries()) {
    if (index !== 3 && index !== 1) await answer(request, { status: 0xc001 + index })
  }
  t.deepEqual((await statuses).map(({ status }) => status), [0xc001, 0xc002, 0xc003, 0xc004, 0xc005, 0xc006])
})

test('a window without limit is that of maximumInvokedOperations', async (t) => {
  const { association, peer, answer } = await scripted(CONTEXTS, 0, { limits: { maximumInvokedOperations: 3 } })
  const statuses = Promise.all(['1.1', '1.2', '1.3', '1.4'].map((uid) => remove(association, uid)))
  const requests = [await peer.receiveMessage(), await peer.receiveMessage(), await peer.receiveMessage()]
  await settle()
  t.is(peer.unreadBytes, 0)
  await answer(requests[0]!, SUCCESS)
  requests.push(await peer.receiveMessage())
  for (const request of requests.slice(1)) await answer(request, SUCCESS)
  t.is((await statuses).length, 4)
})

test('what fails before it is sent frees its slot, and the others go on in order', async (t) => {
  const { association, peer, answer } = await side()
  const opened: string[] = []
  const store = (uid: string, bytes: () => AsyncIterable<Uint8Array> | Uint8Array): Promise<unknown> =>
    association.cStore({
      sopClassUid: CT_IMAGE,
      sopInstanceUid: uid,
      transferSyntaxUid: IMPLICIT_LE,
      bytes: () => {
        opened.push(uid)
        return bytes()
      },
    })
  const first = store('1.1', () => PATIENT_42)
  const throws = store('1.2', () => {
    throw new Error('the disk is away')
  })
  const throwsLater = store('1.3', async function* () {
    await turn()
    yield await Promise.reject<Buffer>(new Error('the file is gone'))
  })
  const last = store('1.4', () => PATIENT_42)
  const behind = store('1.5', () => PATIENT_42)
  const failures = Promise.all([code(throws), code(throwsLater)])
  const request = await peer.receiveMessage()
  await settle()
  // The next source is opened while the peer works; one that fails makes room for the one behind it.
  t.deepEqual(opened, ['1.1', '1.2', '1.3', '1.4'])
  await answer(request, SUCCESS)
  t.deepEqual(await failures, ['DICOMTAP_ERR_DIMSE_REQUEST', 'DICOMTAP_ERR_DIMSE_REQUEST'])
  await t.throwsAsync(throwsLater, { message: /the file is gone/ })
  const next = await peer.receiveMessage()
  t.is(named(next), '1 1.4')
  await answer(next, SUCCESS)
  await answer(await peer.receiveMessage(), SUCCESS)
  for (const stored of [first, last, behind]) t.like(await stored, SUCCESS)
})

test('a signal takes back a request that waits for its turn; a sent one cannot be cancelled', async (t) => {
  const { association, peer, answer } = await side()
  const controller = new AbortController()
  const sent = remove(association, '1.1', controller.signal)
  const waiting = remove(association, '1.2', controller.signal)
  const query = find(association, controller.signal)
  const last = remove(association, '1.3')
  const request = await peer.receiveMessage()
  controller.abort(new Error('enough'))
  const error = await t.throwsAsync(waiting, { code: 'DICOMTAP_ERR_DIMSE_CANCELLED' })
  t.like(error?.cause, { message: 'enough' })
  await t.throwsAsync(query.next(), { code: 'DICOMTAP_ERR_DIMSE_CANCELLED' })
  await t.throwsAsync(remove(association, '1.4', controller.signal), { code: 'DICOMTAP_ERR_DIMSE_CANCELLED' })
  t.throws(() => find(association, controller.signal), { code: 'DICOMTAP_ERR_DIMSE_CANCELLED' })
  await settle()
  t.is(peer.unreadBytes, 0, 'no C-CANCEL')
  await answer(request, SUCCESS)
  t.like(await sent, SUCCESS)
  const next = await peer.receiveMessage()
  t.is(named(next), '150 1.3')
  await answer(next, SUCCESS)
  await last
})

// ── cancel ──────────────────────────────────────────────────────────────────────────────────────────────

test('C-CANCEL follows its request, also when a handler of dimseSent asks for it', async (t) => {
  const { association, peer, answer } = await side()
  const controller = new AbortController()
  association.bind('dimseSent', ({ command }) => {
    if (command.commandField === 0x0020) controller.abort()
  })
  const responses = find(association, controller.signal)
  const request = await peer.receiveMessage()
  t.is(request.command.commandField, 0x0020)
  const cancel = await peer.receiveMessage()
  t.deepEqual({ ...cancel.command }, { commandField: 0x0fff, messageIdBeingRespondedTo: 1, commandDataSetType: NONE })
  await answer(request, { status: 0xfe00, commandDataSetType: NONE })
  t.like(await collect(responses), [{ status: 0xfe00 }])
})

test('a signal sends C-CANCEL once, past the window, and the responses go on to the final one', async (t) => {
  const { association, peer, answer } = await side()
  const controller = new AbortController()
  const responses = find(association, controller.signal)
  const echo = association.cEcho()
  const request = await peer.receiveMessage()
  await answer(request, { status: 0xff00 }, PATIENT_42)
  t.like(await responses.next(), { done: false, value: { status: 0xff00 } })
  controller.abort()
  association.cCancel(1)
  const cancel = await peer.receiveMessage()
  t.is(cancel.presentationContextId, request.presentationContextId)
  // PS3.7 table 9.3-5.
  t.deepEqual({ ...cancel.command }, { commandField: 0x0fff, messageIdBeingRespondedTo: 1, commandDataSetType: NONE })
  await answer(request, { status: 0xff00 }, PATIENT_42)
  await answer(request, { status: 0xfe00 })
  t.like(await collect(responses), [{ status: 0xff00 }, { status: 0xfe00, category: 'cancel' }])
  const next = await peer.receiveMessage()
  t.is(next.command.commandField, 0x0030, 'one C-CANCEL, and the next request has its turn')
  await answer(next, SUCCESS)
  await echo
})

for (const how of ['breaks', 'throws', 'returns'] as const) {
  test(`a loop that ${how} sends C-CANCEL, and what still comes is dropped`, async (t) => {
    const { association, peer, answer } = await side()
    const responses = find(association)
    const request = await peer.receiveMessage()
    await answer(request, { status: 0xff00 }, PATIENT_42)
    if (how === 'returns') {
      t.deepEqual(await responses.return(), { done: true, value: undefined })
    } else {
      try {
        for await (const { status } of responses) {
          t.is(status, 0xff00)
          if (how === 'breaks') break
          throw new Error('mine')
        }
      } catch (error) {
        t.like(error, { message: 'mine' })
      }
    }
    t.like((await peer.receiveMessage()).command, { commandField: 0x0fff, messageIdBeingRespondedTo: 1 })
    const echo = association.cEcho()
    for (let count = 0; count < 200; count++) await answer(request, { status: 0xff00 }, PATIENT_42)
    await settle()
    t.is(peer.unreadBytes, 0, 'the request is outstanding until its final response')
    await answer(request, { status: 0xfe00 })
    await answer(await peer.receiveMessage(), SUCCESS)
    t.like(await echo, SUCCESS)
    t.deepEqual(await responses.next(), { done: true, value: undefined })
  })
}

test('a generator that is returned while it waits, or before it was sent, does not wait for the peer', async (t) => {
  const { association, peer, answer } = await side()
  const responses = find(association)
  const queued = find(association)
  const request = await peer.receiveMessage()
  const pending = responses.next()
  await responses.return()
  t.deepEqual(await pending, { done: true, value: undefined })
  await queued.return()
  t.like((await peer.receiveMessage()).command, { commandField: 0x0fff })
  await answer(request, { status: 0xfe00 })
  const echo = association.cEcho()
  t.is((await peer.receiveMessage()).command.commandField, 0x0030, 'the one that waited is not sent')
  association.abort()
  await t.throwsAsync(echo, { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
})

// ── answers that cannot be ──────────────────────────────────────────────────────────────────────────────

interface Malformed {
  readonly call: (association: Association) => Promise<unknown>
  readonly answer: Partial<CommandSet>
  readonly dataSet?: Buffer
  readonly contextId?: number
  readonly message: RegExp
}

const echo = (association: Association): Promise<unknown> => association.cEcho()
const query = (association: Association): Promise<unknown> => collect(find(association))

const MALFORMED: Readonly<Record<string, Malformed>> = {
  'of another service': { call: echo, answer: { commandField: 0x8001, status: 0 }, message: /C-STORE-RSP answers it/ },
  'on another presentation context': { call: echo, answer: { status: 0 }, contextId: 3, message: /presentation context 3, not 1/ },
  'without Status': { call: echo, answer: {}, message: /no Status/ },
  'Pending, of a service that has no such status': { call: echo, answer: { status: 0xff00 }, message: /no Pending status/ },
  'C-ECHO-RSP with a data set': { call: echo, answer: { status: 0 }, dataSet: PATIENT_42, message: /a data set came with C-ECHO-RSP/ },
  'N-DELETE-RSP with a data set': {
    call: (association) => remove(association, '1.2'),
    answer: { status: 0 },
    dataSet: PATIENT_42,
    message: /a data set came with N-DELETE-RSP/,
  },
  'C-FIND Pending without an identifier': { call: query, answer: { status: 0xff00 }, message: /without an identifier/ },
  'an identifier that cannot be decoded': {
    call: query,
    answer: { status: 0xff00 },
    // (0010,0020), length 255 of 2.
    dataSet: Buffer.from('10002000ff0000003432', 'hex'),
    message: /cannot be decoded/,
  },
  'an attribute list that cannot be decoded': {
    call: (association) => association.nGet({ requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2' }),
    answer: { status: 0 },
    dataSet: Buffer.from('10002000ff0000003432', 'hex'),
    message: /cannot be decoded/,
  },
  'a failed list that cannot be decoded': {
    call: (association) => collect(association.cMove({}, { model: STUDY_ROOT_MOVE, destination: 'X' })),
    answer: { status: 0xb000 },
    dataSet: Buffer.from('08005800ff000000', 'hex'),
    message: /cannot be decoded/,
  },
}

for (const [name, { call, answer, dataSet, contextId, message }] of Object.entries(MALFORMED)) {
  test(`a response ${name}: an error for the caller, and the association is aborted`, async (t) => {
    const { association, peer, answer: respond } = await side()
    const called = call(association)
    const other = code(association.cEcho())
    called.catch(() => {})
    const request = await peer.receiveMessage()
    await respond(contextId === undefined ? request : { ...request, presentationContextId: contextId }, answer, dataSet)
    const error = await t.throwsAsync(called, { code: 'DICOMTAP_ERR_DIMSE_RESPONSE', message })
    if (name.includes('decoded')) t.like(error?.cause, { code: 'DICOMTAP_ERR_DS_MALFORMED' })
    // The request that waited may have had its turn before the data set was decoded.
    await untilAbort(t, peer)
    t.is(await other, 'DICOMTAP_ERR_ACSE_ABORTED')
    t.true(association.isAborted)
  })
}

async function untilAbort(t: ExecutionContext, peer: Scripted['peer']): Promise<void> {
  let pdu = await peer.receivePdu()
  while (pdu.type === 'P-DATA-TF') pdu = await peer.receivePdu()
  t.deepEqual<object, object>(pdu, ABORT)
}

test('a response with a message ID that was not asked, or answered already: A-ABORT', async (t) => {
  for (const messageIdBeingRespondedTo of [9, 1]) {
    const { association, peer, answer } = await side()
    const echoed = association.cEcho()
    await answer(await peer.receiveMessage(), SUCCESS)
    await echoed
    const second = code(association.cEcho())
    const request = await peer.receiveMessage()
    await answer(request, { ...SUCCESS, messageIdBeingRespondedTo })
    t.deepEqual<object, object>(await peer.receivePdu(), ABORT)
    t.is(await second, 'DICOMTAP_ERR_ACSE_ABORTED')
  }
})

test('Repository Query: the Success that some send after B001 does no harm (PS3.4 C.6.4.4)', async (t) => {
  const model = '1.2.840.10008.5.1.4.1.1.201.6'
  const { association, peer, answer } = await scripted([{ abstractSyntax: model }, { abstractSyntax: VERIFICATION }])
  const responses = association.cFind({}, { model })
  const request = await peer.receiveMessage()
  await answer(request, { status: 0xb001 })
  t.like(await collect(responses), [{ status: 0xb001, category: 'warning' }])
  await answer(request, SUCCESS)
  const echoed = association.cEcho()
  await answer(await peer.receiveMessage(), SUCCESS)
  t.like(await echoed, SUCCESS)
})

// ── the association ends ────────────────────────────────────────────────────────────────────────────────

test('the association ends while requests are outstanding, waiting and half read: each gets the reason', async (t) => {
  const endings: Readonly<Record<string, (side: Scripted) => unknown>> = {
    DICOMTAP_ERR_ACSE_ABORTED: ({ peer }) => peer.sendPdu({ type: 'A-ABORT', source: 2, reason: 0 }),
    DICOMTAP_ERR_ACSE_RELEASED: ({ peer }) => peer.sendPdu({ type: 'A-RELEASE-RQ' }),
  }
  for (const [expected, end] of Object.entries(endings)) {
    const scene = await side(2)
    const responses = find(scene.association)
    const request = await scene.peer.receiveMessage()
    const sent = remove(scene.association, '1.1')
    const waiting = remove(scene.association, '1.2')
    const codes = Promise.all([code(sent), code(waiting)])
    await scene.peer.receiveMessage()
    await scene.answer(request, { status: 0xff00 }, PATIENT_42)
    await end(scene)
    t.deepEqual(await codes, [expected, expected])
    await t.throwsAsync(sent, { message: /^N-DELETE request 2 was not answered: / })
    await t.throwsAsync(waiting, { message: /^The N-DELETE was not sent: / })
    // What came before the end is there to be read.
    t.like(await responses.next(), { value: { status: 0xff00, identifier: { PatientID: '42' } } })
    await t.throwsAsync(responses.next(), { code: expected, message: /^C-FIND request 1 was not answered: / } as never)
  }
})

test('a lost connection ends a request', async (t) => {
  const { association, peer } = await side()
  const echoed = association.cEcho()
  await peer.receiveMessage()
  peer.destroy()
  t.regex(await code(echoed), /^DICOMTAP_ERR_(ACSE_ABORTED|NET_CLOSED)$/)
  await association.closed
})

test('a data set that is cut off by the end: the reason, not a decoding error', async (t) => {
  const calls: Readonly<Record<number, (association: Association) => Promise<unknown>>> = {
    0xff00: (association) => find(association).next(),
    0x0000: (association) => association.nGet({ requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2' }),
  }
  for (const [status, call] of Object.entries(calls)) {
    const { association, peer } = await side()
    const called = call(association)
    called.catch(() => {})
    const { command, presentationContextId } = await peer.receiveMessage()
    const response = { commandField: command.commandField | 0x8000, messageIdBeingRespondedTo: command.messageId, status: Number(status) }
    await peer.sendMessage(presentationContextId, { ...response, commandDataSetType: SOME })
    await settle()
    await peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
    await t.throwsAsync(called, { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
  }
})

test('a request that nobody iterates does not reject unheard when the association ends', async (t) => {
  const { association, peer } = await side()
  find(association)
  association.cGet({}, { model: STUDY_ROOT_GET })
  await peer.receiveMessage()
  await peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  await association.closed
  await settle()
  // ava fails on an unhandled rejection.
  t.true(association.isAborted)
})

// ── C-STORE on the way ──────────────────────────────────────────────────────────────────────────────────

function object(bytes: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>, sopInstanceUid = '1.2.3') {
  return { sopClassUid: CT_IMAGE, sopInstanceUid, transferSyntaxUid: IMPLICIT_LE, bytes }
}

test('a source that fails in the middle: A-ABORT, and the caller gets its error as cause', async (t) => {
  const { association, peer } = await side()
  const stored = association.cStore(
    object(function* () {
      yield Buffer.alloc(20_000)
      yield Buffer.alloc(20_000)
      throw new RangeError('the file is shorter than it was')
    }),
  )
  const error = await t.throwsAsync(stored, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
  t.true(error?.cause instanceof RangeError)
  await untilAbort(t, peer)
})

test('an answer that comes before the data set is sent: it is sent to the end, and then resolves', async (t) => {
  const { association, peer, answer } = await side(2)
  let isClosed = false
  let drawn = 0
  const stored = association.cStore(
    object(function* () {
      try {
        for (; drawn < 60; drawn++) yield Buffer.alloc(10_000)
      } finally {
        isClosed = true
      }
    }),
  )
  let isDone = false
  void stored.then(() => (isDone = true))
  // The command, and little of what follows.
  await peer.receiveRawPdu()
  peer.pause()
  await answer({ presentationContextId: 3, command: { commandField: 0x0001, messageId: 1 }, dataSet: undefined, pduLengths: [] }, { status: 0xa700 })
  await settle(50)
  t.true(drawn < 60, `${drawn} of 60 pieces`)
  t.false(isDone)
  peer.resume()
  t.like(await stored, { status: 0xa700 })
  t.is(drawn, 60)
  t.true(isClosed)
  t.true(association.isEstablished)
})

test('an abort in the middle of a C-STORE lets the source go', async (t) => {
  const { association, peer } = await side()
  let isClosed = false
  const stored = association.cStore(
    object(function* () {
      try {
        for (;;) yield Buffer.alloc(10_000)
      } finally {
        isClosed = true
      }
    }),
  )
  let isNextClosed = false
  const waiting = association.cStore(
    object(function* () {
      try {
        yield PATIENT_42
      } finally {
        isNextClosed = true
      }
    }, '1.2.4'),
  )
  const codes = Promise.all([code(stored), code(waiting)])
  await peer.receiveRawPdu()
  await peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  t.deepEqual(await codes, ['DICOMTAP_ERR_ACSE_ABORTED', 'DICOMTAP_ERR_ACSE_ABORTED'])
  t.true(await turnsUntil(() => isClosed && isNextClosed))
})

// ── time-outs ───────────────────────────────────────────────────────────────────────────────────────────

test('no response within dimseMs: A-ABORT source 0, and the caller learns it; the others learn of the abort', async (t) => {
  const { association, peer } = await side(1, { dimseMs: 60 })
  const codes = Promise.all([code(association.cEcho()), code(association.cEcho())])
  await peer.receiveMessage()
  t.deepEqual<object, object>(await peer.receivePdu(), ABORT)
  t.deepEqual(await codes, ['DICOMTAP_ERR_DIMSE_TIMEOUT', 'DICOMTAP_ERR_ACSE_ABORTED'])
})

/** With what follows: three of them are longer than the time-out, one is much shorter. */
const DIMSE_MS = 1_500
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 600))

test('each Pending response begins the wait anew', async (t) => {
  const { association, peer, answer } = await side(1, { dimseMs: DIMSE_MS })
  const moved = collect(association.cMove({}, { model: STUDY_ROOT_MOVE, destination: 'X' }))
  const move = await peer.receiveMessage()
  for (let count = 0; count < 3; count++) {
    await pause()
    await answer(move, { status: 0xff00 })
  }
  await answer(move, SUCCESS)
  t.is((await moved).length, 4)
})

test('each sub-operation of a C-GET begins the wait anew, without any Pending response', async (t) => {
  const { association, peer, answer } = await side(1, { dimseMs: DIMSE_MS })
  const stored: string[] = []
  association.bind('cStore', ({ affectedSopInstanceUid }) => {
    stored.push(affectedSopInstanceUid)
    return 0
  })
  const got = collect(association.cGet({}, { model: STUDY_ROOT_GET }))
  const get = await peer.receiveMessage()
  for (let messageId = 1; messageId <= 3; messageId++) {
    await pause()
    const store = { commandField: 0x0001, affectedSopClassUid: CT_IMAGE, affectedSopInstanceUid: `1.${messageId}`, priority: 0, messageId, commandDataSetType: SOME }
    await peer.sendMessage(3, store, PATIENT_42)
    t.like((await peer.receiveMessage()).command, { commandField: 0x8001, status: 0 })
  }
  await answer(get, SUCCESS)
  t.is((await got).length, 1)
  t.is(stored.length, 3)
})

test('a handler that takes long keeps a C-GET waiting: the peer has to wait too', async (t) => {
  const { association, peer, answer } = await side(1, { dimseMs: 500 })
  association.bind('cStore', async ({ dataSet }) => {
    await dataSet.buffer()
    await pause()
    await pause()
    return 0
  })
  const got = collect(association.cGet({}, { model: STUDY_ROOT_GET }))
  const get = await peer.receiveMessage()
  const store = { commandField: 0x0001, affectedSopClassUid: CT_IMAGE, affectedSopInstanceUid: '1.2', priority: 0, messageId: 1, commandDataSetType: SOME }
  await peer.sendMessage(3, store, PATIENT_42)
  t.like((await peer.receiveMessage()).command, { commandField: 0x8001, status: 0 })
  await answer(get, SUCCESS)
  t.is((await got).length, 1)
})

test('silence while a response is waited for is not idleness', async (t) => {
  const { association, peer, answer } = await side(1, { dimseMs: null, networkMs: 1_000 })
  const echoed = association.cEcho()
  const request = await peer.receiveMessage()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await answer(request, SUCCESS)
  t.like(await echoed, SUCCESS)
  t.deepEqual<object, object>(await peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 }, 'and afterwards it is')
})

// ── responses that nobody reads ─────────────────────────────────────────────────────────────────────────

/** Sends matches until the peer's socket takes no more; resolves with how many were sent when all are. */
async function sendMatches(scene: Scripted, request: ReceivedMessage, total: number, sent: { count: number }, identifier = PATIENT_42): Promise<void> {
  for (; sent.count < total; sent.count++) await scene.answer(request, { status: 0xff00 }, identifier)
  await scene.answer(request, SUCCESS)
}

/** Until the peer's socket takes nothing more. */
async function untilStill(sent: { readonly count: number }): Promise<void> {
  for (let before = -1; before !== sent.count; ) {
    before = sent.count
    await settle(100)
  }
}

test('with many responses unread nothing is read any more; a reader gets them all', async (t) => {
  const scene = await side()
  const responses = find(scene.association)
  const request = await scene.peer.receiveMessage()
  const sent = { count: 0 }
  const sending = sendMatches(scene, request, 5_000, sent)
  await untilStill(sent)
  t.true(sent.count < 4_000, `${sent.count} of 5000 left the peer`)
  let count = 0
  for await (const { category } of responses) {
    count += 1
    if (category === 'success') break
  }
  t.is(count, 5_001)
  await sending
})

test('a request for each match: it waits for the peer, so the peer is read', async (t) => {
  const scene = await side()
  const responses = find(scene.association)
  const request = await scene.peer.receiveMessage()
  const sent = { count: 0 }
  const sending = sendMatches(scene, request, 3_000, sent)
  await untilStill(sent)
  t.true(sent.count < 2_500, `${sent.count} of 3000 left the peer`)
  t.like(await responses.next(), { value: { status: 0xff00 } })
  const echoed = scene.association.cEcho()
  await sending
  const next = await scene.peer.receiveMessage()
  t.is(next.command.commandField, 0x0030)
  await scene.answer(next, SUCCESS)
  t.like(await echoed, SUCCESS)
  t.is((await collect(responses)).length, 3_000)
})

test('release and leaving the loop do not wait for who does not read', async (t) => {
  for (const how of ['release', 'return'] as const) {
    const scene = await side()
    const responses = find(scene.association)
    const request = await scene.peer.receiveMessage()
    const sent = { count: 0 }
    const sending = sendMatches(scene, request, 3_000, sent)
    await untilStill(sent)
    if (how === 'return') await responses.return()
    const released = scene.association.release()
    await sending
    if (how === 'return') t.is((await scene.peer.receiveMessage()).command.commandField, 0x0fff)
    t.deepEqual<object, object>(await scene.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
    await scene.peer.sendPdu({ type: 'A-RELEASE-RP' })
    await released
    t.is((await collect(responses)).length, how === 'return' ? 0 : 3_001)
  }
})

test('large identifiers count by their bytes', async (t) => {
  const scene = await scripted(CONTEXTS, undefined, { limits: { receiveBufferBytes: 200_000 } })
  const responses = find(scene.association)
  const request = await scene.peer.receiveMessage()
  // (0010,4000) LT Patient Comments of 50 000 bytes.
  const identifier = Buffer.concat([Buffer.from('1000004050c30000', 'hex'), Buffer.alloc(50_000, 0x41)])
  const sent = { count: 0 }
  const sending = sendMatches(scene, request, 60, sent, identifier)
  await untilStill(sent)
  t.true(sent.count < 20, `${sent.count} of 60 left the peer`)
  t.is((await collect(responses)).length, 61)
  await sending
})

test('responses without end that nobody can take: A-ABORT, though a request waits for the peer, or a release for the end', async (t) => {
  // (0010,4000) LT Patient Comments of 50 000 bytes.
  const identifier = Buffer.concat([Buffer.from('1000004050c30000', 'hex'), Buffer.alloc(50_000, 0x41)])
  for (const how of ['request', 'release'] as const) {
    const scene = await scripted(CONTEXTS, undefined, { limits: { receiveBufferBytes: 1_000, maximumUnreadResponseBytes: 1_048_576 } })
    const { association, peer } = scene
    const responses = find(association)
    const request = await peer.receiveMessage()
    const waiting = how === 'request' ? code(association.cEcho()) : association.release().then(() => 'over')
    const sent = { count: 0 }
    const sending = sendMatches(scene, request, 60, sent, identifier).catch(() => {})
    t.deepEqual<object, object>(await peer.receivePdu(), ABORT)
    await sending
    // AA-3: who gets an A-ABORT closes; until then this side waits for it (Sta13).
    peer.destroy()
    t.is(await waiting, how === 'request' ? 'DICOMTAP_ERR_ACSE_ABORTED' : 'over')
    await t.throwsAsync(collect(responses), { code: 'DICOMTAP_ERR_DS_TOO_LARGE', message: /C-FIND.*1048576 bytes/ })
    t.is(association.state, 'aborted')
  }
})

test('a peer that ignores C-CANCEL and goes on is given up after the DIMSE time-out', async (t) => {
  const { association, peer, answer } = await scripted([{ abstractSyntax: STUDY_ROOT_FIND }], undefined, { timeouts: { dimseMs: 400 } })
  const responses = association.cFind({ QueryRetrieveLevel: 'STUDY' }, { model: STUDY_ROOT_FIND })
  const request = await peer.receiveMessage()
  await responses.return()
  t.is((await peer.receiveMessage()).command.commandField, 0x0fff)
  const identifier = Buffer.alloc(0)
  const trickle = setInterval(() => void answer(request, { status: 0xff00, commandDataSetType: SOME }, identifier).catch(() => {}), 50)
  t.teardown(() => clearInterval(trickle))
  t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  t.true(association.isAborted)
})
