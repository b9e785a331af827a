import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import test from 'ava'
import { DicomtapError, ERROR_CODES } from '@dicomtap/framework'
import type { Association, RequestedContext } from '@dicomtap/framework'
import { createTestServer, memorySocket, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import type { MemorySocket, TestServer } from '@dicomtap/framework/testing'
import { RandomAcceptor } from '../support/random-acceptor.ts'
import { Random } from '../support/random.ts'
import { IDENTIFIER, PROPOSED } from '../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE, MPPS, STORAGE_COMMITMENT, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE } from '../support/uids.ts'

// Requests of every service, many at once, to an acceptor that answers right or wrong and ends the
// association whenever it likes; and a caller that cancels, leaves loops, releases and aborts whenever it
// likes. Short by default; DICOMTAP_FUZZ_RUNS and DICOMTAP_FUZZ_SEED as of association-fuzz.test.ts.
const RUNS = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 400)
const SEED = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20240610)
/** Associations at once. */
const PARALLEL = 100
/** Longer than all time-outs together: what has not settled by then never will. */
const SETTLED_WITHIN_MS = 30_000

const CONTEXTS: RequestedContext[] = PROPOSED.map(([abstractSyntax, transferSyntax]) => ({
  abstractSyntax,
  transferSyntaxes: [transferSyntax],
  ...([CT_IMAGE, STORAGE_COMMITMENT].includes(abstractSyntax) ? { roles: { scu: true, scp: true } } : {}),
}))

interface Play {
  readonly association: Association
  readonly random: Random
  readonly signal: AbortSignal | undefined
  readonly files: readonly string[]
}

async function consumed(responses: AsyncGenerator<unknown, void, undefined>, random: Random): Promise<void> {
  const taken = random.one([Infinity, Infinity, 0, 1, 20])
  // Nobody iterates it at all, or somebody who does several things at once.
  if (random.once(8)) return
  if (random.once(8)) {
    await Promise.all([responses.next(), responses.next(), responses.return(), responses.next()])
    return
  }
  if (random.once(8)) await responses.throw(new DicomtapError('DICOMTAP_ERR_DIMSE_CANCELLED', 'thrown in')).catch(() => {})
  let count = 0
  for await (const response of responses) {
    if (response === undefined || ++count > taken) break
    if (random.once(30)) await pause(random.below(5))
  }
}

async function* pieces(random: Random, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  const failsAt = random.once(5) ? random.below(count + 1) : -1
  for (let index = 0; index < count; index++) {
    if (index === failsAt) throw new Error('the source failed')
    if (random.once(3)) await turn()
    yield Buffer.alloc(random.below(5_000))
  }
}

/** Aborted at some time, before the call too. */
function cancelling({ signal }: Play): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

function store(play: Play): Promise<unknown> {
  const { association, random } = play
  const source = {
    sopClassUid: CT_IMAGE,
    sopInstanceUid: `1.2.${random.below(100)}`,
    transferSyntaxUid: IMPLICIT_LE,
    bytes: () => random.one([() => pieces(random, random.below(40)), () => random.bytes(100), () => Buffer.alloc(300_000), () => undefined as never])(),
  }
  return association.cStore(source, { ...cancelling(play), ...(random.once(4) ? { onProgress: () => {} } : {}) })
}

const INSTANCE = { requestedSopInstanceUid: '1.2.3' }
const REQUESTS: readonly ((play: Play) => Promise<unknown>)[] = [
  (play) => play.association.cEcho(cancelling(play)),
  store,
  store,
  (play) => play.association.cStore(play.random.one(play.files), cancelling(play)),
  (play) => play.association.cStore(sampleDataset('ct', { seed: play.random.below(9) }), cancelling(play)),
  async (play) => consumed(play.association.cFind({ PatientID: '1' }, { model: STUDY_ROOT_FIND, ...cancelling(play) }), play.random),
  async (play) => consumed(play.association.cFind(IDENTIFIER, { model: STUDY_ROOT_FIND, ...cancelling(play) }), play.random),
  async (play) => consumed(play.association.cGet(IDENTIFIER, { model: STUDY_ROOT_GET, ...cancelling(play) }), play.random),
  async (play) => consumed(play.association.cMove(IDENTIFIER, { model: STUDY_ROOT_MOVE, destination: 'ELSEWHERE', ...cancelling(play) }), play.random),
  (play) => {
    const attributeIdentifierList = play.random.one([[], [0x00100010], ['PatientID'], ['NoSuch']])
    return play.association.nGet({ requestedSopClassUid: MPPS, ...INSTANCE, attributeIdentifierList, ...cancelling(play) })
  },
  (play) => play.association.nSet({ requestedSopClassUid: MPPS, ...INSTANCE, modificationList: { PatientID: '1' }, ...cancelling(play) }),
  (play) => play.association.nCreate({ affectedSopClassUid: MPPS, attributeList: IDENTIFIER, ...cancelling(play) }),
  ({ association }) => association.nAction({ requestedSopClassUid: STORAGE_COMMITMENT, ...INSTANCE, actionTypeId: 1 }),
  ({ association }) => association.nEventReport({ affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: '1.2.3', eventTypeId: 1 }),
  ({ association }) => association.nDelete({ requestedSopClassUid: MPPS, ...INSTANCE }),
  async ({ association, random }) => association.cCancel(random.below(9), random.one([undefined, 5, 77])),
]

/** What the caller does meanwhile. */
const MEANWHILE: readonly ((association: Association) => unknown)[] = [
  () => {},
  () => {},
  () => {},
  (association) => association.release(),
  (association) => association.abort(),
  (association) => association[Symbol.asyncDispose](),
  (association) => association.kill(),
]

interface Fuzzed {
  readonly server: TestServer
  readonly sockets: Map<string, MemorySocket>
  readonly files: readonly string[]
  readonly codes: Map<string, number>
}

/** @throws what is wrong, in words */
async function settled<T>(what: string, promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const abort = new AbortController()
  const late = pause(SETTLED_WITHIN_MS, undefined, { signal: abort.signal }).catch(() => undefined)
  const [result] = (await Promise.race([Promise.allSettled([promise]), late])) ?? []
  abort.abort()
  if (result === undefined) throw new Error(`${what} did not settle`)
  if (result.status === 'rejected') {
    const error: unknown = result.reason
    if (!(error instanceof DicomtapError) || !Object.hasOwn(ERROR_CODES, error.code)) throw new Error(`${what} failed with ${String(error)}`, { cause: error })
  }
  return result
}

async function play({ server: { ae }, sockets, files, codes }: Fuzzed, seed: number): Promise<void> {
  const random = new Random(seed)
  const count = (result: PromiseSettledResult<unknown>): void => {
    const code = result.status === 'fulfilled' ? 'fulfilled' : (result.reason as DicomtapError).code
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  const [socket, far] = memorySocket({ bufferBytes: random.one([65_536, 65_536, 500]) })
  const calledAeTitle = `RUN${seed}`
  sockets.set(calledAeTitle, socket)
  const acceptor = new RandomAcceptor(far, new Random(seed + 1))
  const window = random.one([1, 1, 3, 8])
  const attempt = new AbortController()
  const associating = ae.associate({
    host: 'pacs',
    port: 104,
    calledAeTitle,
    contexts: CONTEXTS,
    ...(window === 1 ? {} : { asynchronousOperations: { invoked: window, performed: window } }),
    ...(random.once(5) ? { networkTimeoutAction: 'release' as const } : {}),
    signal: attempt.signal,
  })
  const givingUp = random.once(15) ? pause(random.below(10)).then(() => attempt.abort()) : undefined
  const opened = await settled('associate', associating)
  count(opened)
  await givingUp
  if (opened.status === 'rejected') {
    await acceptor.stop()
    return
  }
  const association = opened.value
  const cancel = new AbortController()
  if (random.once(20)) cancel.abort()
  const signal = random.one([undefined, undefined, cancel.signal])
  const requests = Array.from({ length: 1 + random.below(8) }, () => {
    const request = random.one(REQUESTS)
    return settled(`request of seed ${seed}`, (async () => request({ association, random, signal, files }))())
  })
  const meanwhile = random.one(MEANWHILE)
  const disturbed = (async () => {
    if (random.once(2)) await pause(random.below(30))
    cancel.abort()
    if (random.once(2)) await turn()
    await settled('meanwhile', (async () => meanwhile(association))())
  })()
  for (const result of await Promise.all(requests)) count(result)
  await disturbed
  await settled('release', association.release())
  if (association.state === 'established' || association.state === 'releasing') throw new Error(`${association.state} after its release`)
  await settled('closed', association.closed)
  await acceptor.stop()
}

test('every request settles with an answer or a code, every association ends, whatever the acceptor does', async (t) => {
  t.timeout(60_000 + RUNS * 100)
  const unhandled: unknown[] = []
  const listener = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listener)
  const directory = await mkdtemp(join(tmpdir(), 'dicomtap-fuzz-'))
  const files = await Promise.all([16, 700, 900].map(async (rows, seed) => {
    const path = join(directory, `${seed}.dcm`)
    await writeSampleFile(path, 'ct', IMPLICIT_LE, { seed, rows, columns: rows })
    return path
  }))
  const server = await createTestServer({
    logLevel: 'debug',
    // Short enough that what hangs is found, long enough for a machine that is busy.
    timeouts: { acseMs: 1_000, dimseMs: 1_000, networkMs: 1_500, handlerMs: 2_000, connectionMs: 1_000 },
    limits: { receiveBufferBytes: 20_000 },
    handlers: {
      cStore: async ({ dataSet }) => (await dataSet.buffer(), 0),
      associationAnswer: async ({ association }) => {
        const seed = Number(association.calledAeTitle.slice(3))
        if (seed % 3 === 0) await turn()
        if (seed % 40 === 0) throw new Error('a handler failed')
        return seed % 41 === 0 ? 'not good enough' : undefined
      },
    },
  })
  const { ae } = server
  // Else a failure is not told before the worker gives up waiting for what is open.
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  const sockets = new Map<string, MemorySocket>()
  ae.bind('outgoingConnection', ({ calledAeTitle }) => {
    const socket = sockets.get(calledAeTitle)!
    sockets.delete(calledAeTitle)
    setImmediate(() => socket.emit('connect'))
    return socket
  })
  const fuzzed: Fuzzed = { server, sockets, files, codes: new Map() }
  const failures: string[] = []
  let run = 0
  const worker = async (): Promise<void> => {
    while (run < RUNS && failures.length === 0) {
      const seed = SEED + run++
      try {
        await play(fuzzed, seed)
      } catch (error) {
        failures.push(`seed ${seed}: ${(error as Error).stack}\n${String(((error as Error).cause as Error | undefined)?.stack)}`)
      }
      const errors = server.logged('error').filter((message) => !message.includes('(bound)'))
      if (errors.length > 0) failures.push(`up to seed ${seed}: ${errors.join('; ')}`)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  t.deepEqual(failures, [])
  t.deepEqual(ae.activeAssociations, [])
  await ae.close()
  await rm(directory, { recursive: true })
  await turn()
  process.off('unhandledRejection', listener)
  t.deepEqual(unhandled, [])
  const left = process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
  t.true(left.length <= TIMERS_OF_AVA, `${left.length} timers are left`)
  t.log(Object.fromEntries(fuzzed.codes))
  // That it goes deep enough to be worth it.
  for (const code of ['fulfilled', 'DICOMTAP_ERR_ACSE_ABORTED', 'DICOMTAP_ERR_DIMSE_RESPONSE']) {
    t.true(fuzzed.codes.has(code), code)
  }
})

/** Those of the worker that runs this file. */
const TIMERS_OF_AVA = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length + 1
