import test from 'ava'
import type { AssociateOptions } from '../../dist/association/associate-options.js'
import type { Association } from '../../dist/association/association.js'
import { AssociationPool } from '../../dist/association/pool.js'
import type { ResolvedDestination } from '../../dist/dimse/retrieve/sub-association.js'
import type { Operation } from '../../dist/dimse/types.js'
import { DicomtapError } from '../../dist/errors/index.js'
import type { ErrorCode } from '../../dist/errors/index.js'
import { deferred, settle } from '../support/connections.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSLESS, MR_IMAGE } from '../support/uids.ts'

const DESTINATION: ResolvedDestination = { host: 'ws', port: 104, calledAeTitle: 'WS', callingAeTitle: 'ARCHIVE' }
const CT = { sopClassUid: CT_IMAGE, transferSyntaxUid: IMPLICIT_LE }
const CT_EXPLICIT = { sopClassUid: CT_IMAGE, transferSyntaxUid: EXPLICIT_LE }
const MR = { sopClassUid: MR_IMAGE, transferSyntaxUid: IMPLICIT_LE }

/** What the pool needs of an association, without a network. */
class FakeAssociation {
  isEstablished = true
  readonly options: AssociateOptions
  readonly closed: Promise<void>
  readonly acceptedContexts
  readonly rejectedContexts
  readonly proposedContexts
  asynchronousOperations = { invoked: 1, performed: 1 }
  readonly settings = { limits: { maximumInvokedOperations: 64 } }
  readonly #closed = deferred()

  constructor(options: AssociateOptions, isAccepted: (abstractSyntax: string) => boolean) {
    this.options = options
    this.closed = this.#closed.promise
    const contexts = (options.contexts ?? []).map(({ abstractSyntax, transferSyntaxes = [] }, index) => ({ id: 2 * index + 1, abstractSyntax, transferSyntaxes }))
    this.proposedContexts = contexts
    this.acceptedContexts = contexts
      .filter(({ abstractSyntax }) => isAccepted(abstractSyntax))
      .map(({ id, abstractSyntax, transferSyntaxes }) => ({ id, abstractSyntax, transferSyntax: transferSyntaxes[0]!, asScu: true, asScp: false }))
    this.rejectedContexts = contexts.filter(({ abstractSyntax }) => !isAccepted(abstractSyntax)).map(({ id, abstractSyntax }) => ({ id, abstractSyntax, result: 3 }))
  }

  async release(): Promise<void> {
    this.isEstablished = false
    this.#closed.resolve()
    await this.closed
  }
}

interface Fixture extends AsyncDisposable {
  readonly pool: AssociationPool
  readonly made: FakeAssociation[]
}

interface FixtureOptions {
  readonly idleMs?: number
  readonly isAccepted?: (abstractSyntax: string) => boolean
  readonly refuse?: () => Error | undefined
}

function fixture({ idleMs = 60_000, isAccepted = () => true, refuse = () => undefined }: FixtureOptions = {}): Fixture {
  const made: FakeAssociation[] = []
  const pool = new AssociationPool({
    idleMs,
    associate: async (options) => {
      const error = refuse()
      if (error !== undefined) throw error
      const association = new FakeAssociation(options, isAccepted)
      made.push(association)
      return association as unknown as Association
    },
  })
  return { pool, made, [Symbol.asyncDispose]: () => pool.close() }
}

function operation(from: { aeTitle?: string; address?: string; userInformation?: unknown[] } = {}): Operation {
  const { aeTitle = 'WORKSTATION', address = '10.0.0.1', userInformation = [] } = from
  const association = { role: 'acceptor', callingAeTitle: aeTitle, calledAeTitle: 'ARCHIVE', remoteAddress: address, request: { userInformation } }
  return { association, signal: new AbortController().signal } as unknown as Operation
}

test('one context for each pair of class and transfer syntax, one for what an uncompressed pair can be converted to', async (t) => {
  await using side = fixture({ isAccepted: (uid) => uid === CT_IMAGE })
  const how = {
    tls: { ca: 'x' },
    timeouts: { dimseMs: 1_000 },
    limits: { maximumPduBytes: 20_000 },
    localAddress: '10.0.0.9',
    localPort: 1_104,
    asynchronousOperations: { invoked: 4, performed: 1 },
    userIdentity: { type: 2, primaryField: 'archive', secondaryField: 'secret' },
  } as const
  const lent = await side.pool.open({ ...DESTINATION, ...how, remark: 'of the handler' } as ResolvedDestination, [CT, MR, CT_EXPLICIT], operation())
  const { signal, ...options } = side.made[0]!.options
  t.deepEqual(options, {
    host: 'ws',
    port: 104,
    calledAeTitle: 'WS',
    callingAeTitle: 'ARCHIVE',
    ...how,
    contexts: [
      { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
      { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
      { abstractSyntax: MR_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
      { abstractSyntax: MR_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
    ],
  })
  t.false(signal?.aborted)
  t.deepEqual([CT, MR, CT_EXPLICIT].map((context) => lent.contextFor(context)?.id), [1, undefined, 3])
  t.deepEqual([CT, MR, CT_EXPLICIT].map((context) => lent.refuses(context)), [false, true, false])
  t.false(lent.refuses({ sopClassUid: MR_IMAGE, transferSyntaxUid: JPEG_LOSSLESS }), 'it was not proposed')
  lent.giveBack()
})

test('the window is that of the requestor; unlimited is bounded', async (t) => {
  await using side = fixture()
  const lent = await side.pool.open(DESTINATION, [CT], operation())
  t.is(lent.window, 1)
  side.made[0]!.asynchronousOperations = { invoked: 5, performed: 2 }
  t.is(lent.window, 5)
  side.made[0]!.asynchronousOperations = { invoked: 0, performed: 2 }
  t.is(lent.window, 64)
  lent.giveBack()
})

test('what is given back is lent again, to one at a time', async (t) => {
  await using side = fixture()
  const first = await side.pool.open(DESTINATION, [CT], operation())
  const second = await side.pool.open(DESTINATION, [CT], operation())
  t.is(side.made.length, 2)
  first.giveBack()
  first.giveBack()
  t.is(side.pool.idleCount, 1)
  t.false(first.isUsable, 'it is nobody’s now')
  const third = await side.pool.open({ ...DESTINATION, remark: 'of the handler' } as ResolvedDestination, [CT], operation())
  t.is(side.made.length, 2)
  t.is(side.pool.idleCount, 0)
  t.true(third.isUsable)
  first.giveBack()
  t.is(side.pool.idleCount, 0)
  second.giveBack()
  third.giveBack()
})

test('only for the same destination, originator and first context', async (t) => {
  const identity = { type: 0x58, userIdentityType: 1, positiveResponseRequested: false, primaryField: Buffer.from('alice'), secondaryField: Buffer.alloc(0) }
  const cases: [string, ResolvedDestination, typeof CT, Operation][] = [
    ['host', { ...DESTINATION, host: 'other' }, CT, operation()],
    ['port', { ...DESTINATION, port: 105 }, CT, operation()],
    ['called title', { ...DESTINATION, calledAeTitle: 'X' }, CT, operation()],
    ['calling title', { ...DESTINATION, callingAeTitle: 'X' }, CT, operation()],
    ['tls', { ...DESTINATION, tls: true }, CT, operation()],
    ['time-outs', { ...DESTINATION, timeouts: { dimseMs: 1_000 } }, CT, operation()],
    ['limits', { ...DESTINATION, limits: { maximumPduBytes: 20_000 } }, CT, operation()],
    ['local address', { ...DESTINATION, localAddress: '10.0.0.9' }, CT, operation()],
    ['local port', { ...DESTINATION, localPort: 1_104 }, CT, operation()],
    ['window', { ...DESTINATION, asynchronousOperations: { invoked: 2, performed: 1 } }, CT, operation()],
    ['user of this side', { ...DESTINATION, userIdentity: { type: 1, primaryField: 'archive' } }, CT, operation()],
    ['originator', DESTINATION, CT, operation({ aeTitle: 'OTHER' })],
    ['address', DESTINATION, CT, operation({ address: '10.0.0.2' })],
    ['user', DESTINATION, CT, operation({ userInformation: [identity] })],
    ['context', DESTINATION, MR, operation()],
  ]
  for (const [what, destination, context, by] of cases) {
    await using side = fixture()
    const first = await side.pool.open(DESTINATION, [CT], operation())
    first.giveBack()
    const second = await side.pool.open(destination, [context], by)
    t.is(side.made.length, 2, what)
    second.giveBack()
    const third = await side.pool.open(destination, [context], by)
    t.is(side.made.length, 2, `${what}: as the second one`)
    third.giveBack()
  }
})

test('of several one that has what is needed', async (t) => {
  await using side = fixture()
  const plain = await side.pool.open(DESTINATION, [CT], operation())
  const rich = await side.pool.open(DESTINATION, [CT, MR], operation())
  plain.giveBack()
  rich.giveBack()
  const lent = await side.pool.open(DESTINATION, [CT, MR], operation())
  t.truthy(lent.contextFor(MR))
  t.is(side.made.length, 2)
  lent.giveBack()
})

test('one that lacks something is released before another is opened: the destination may take one at a time', async (t) => {
  await using side = fixture()
  const lent = await side.pool.open(DESTINATION, [CT], operation())
  lent.giveBack()
  const next = await side.pool.open(DESTINATION, [CT, MR], operation())
  t.false(side.made[0]!.isEstablished)
  t.is(side.made.length, 2)
  t.truthy(next.contextFor(MR))
  next.giveBack()
  const byAnother = await side.pool.open(DESTINATION, [CT], operation({ aeTitle: 'OTHER' }))
  t.false(side.made[1]!.isEstablished)
  byAnother.giveBack()
})

test('what nobody needs for idleMs is released', async (t) => {
  await using side = fixture({ idleMs: 5 })
  const lent = await side.pool.open(DESTINATION, [CT], operation())
  t.true(side.made[0]!.isEstablished)
  lent.giveBack()
  await side.made[0]!.closed
  t.is(side.pool.idleCount, 0)
  await using never = fixture({ idleMs: 0 })
  const unkept = await never.pool.open(DESTINATION, [CT], operation())
  unkept.giveBack()
  await never.made[0]!.closed
})

test('what has ended is not lent, nor kept', async (t) => {
  await using side = fixture()
  const lent = await side.pool.open(DESTINATION, [CT], operation())
  lent.giveBack()
  side.made[0]!.isEstablished = false
  const next = await side.pool.open(DESTINATION, [CT], operation())
  t.is(side.made.length, 2)
  side.made[1]!.isEstablished = false
  next.giveBack()
  await side.made[0]!.release()
  await settle()
  t.is(side.pool.idleCount, 0)
  await side.made[1]!.release()
})

test('where the destination takes no more, one that comes back meanwhile makes room', async (t) => {
  let refusals = 0
  let comesBack = (): void => {}
  const side = fixture({
    refuse: () => {
      if (side.made.every(({ isEstablished }) => !isEstablished)) return undefined
      refusals += 1
      comesBack()
      return new DicomtapError(code, 'local limit exceeded')
    },
  })
  let code: ErrorCode = 'DICOMTAP_ERR_ACSE_REJECTED'
  const lent = await side.pool.open(DESTINATION, [CT], operation())
  await t.throwsAsync(side.pool.open(DESTINATION, [CT], operation()), { message: 'local limit exceeded' })
  t.true(side.made[0]!.isEstablished, 'it is lent')
  comesBack = () => lent.giveBack()
  code = 'DICOMTAP_ERR_NET_CONNECT'
  await t.throwsAsync(side.pool.open(DESTINATION, [MR], operation()), { code })
  t.true(side.made[0]!.isEstablished, 'that is no reason to release it')
  const again = await side.pool.open(DESTINATION, [CT], operation())
  t.is(side.made.length, 1)
  comesBack = () => again.giveBack()
  code = 'DICOMTAP_ERR_ACSE_REJECTED'
  const next = await side.pool.open(DESTINATION, [MR], operation())
  t.is(refusals, 3)
  t.false(side.made[0]!.isEstablished)
  next.giveBack()
  await side.pool.close()
})

test('no more than 32 are kept', async (t) => {
  await using side = fixture()
  const lent = await Promise.all(Array.from({ length: 40 }, () => side.pool.open(DESTINATION, [CT], operation())))
  for (const association of lent) association.giveBack()
  t.is(side.pool.idleCount, 32)
  t.deepEqual(side.made.map(({ isEstablished }) => isEstablished), Array.from({ length: 40 }, (_, index) => index >= 8))
})

test('close: idle ones are released at once, lent ones when they come back', async (t) => {
  const { pool, made } = fixture()
  const idle = await pool.open(DESTINATION, [CT], operation())
  const lent = await pool.open(DESTINATION, [CT], operation())
  idle.giveBack()
  let isClosed = false
  const closed = pool.close().then(() => {
    isClosed = true
  })
  await settle()
  t.deepEqual(made.map(({ isEstablished }) => isEstablished), [false, true])
  t.false(isClosed)
  t.true(pool.has(made[1] as unknown as Association))
  lent.giveBack()
  await closed
  t.false(made[1]!.isEstablished)
  t.false(pool.has(made[1] as unknown as Association))
})

test('the signal of the operation ends the attempt, and not the association that came of it', async (t) => {
  const signals: AbortSignal[] = []
  const gate = deferred()
  const pool = new AssociationPool({
    associate: async (options) => {
      signals.push(options.signal!)
      if (signals.length === 1) await gate.promise
      return new FakeAssociation(options, () => true) as unknown as Association
    },
  })
  const controller = new AbortController()
  const by = { ...operation(), signal: controller.signal } as Operation
  const opening = pool.open(DESTINATION, [CT], by)
  await settle()
  t.false(signals[0]!.aborted)
  gate.resolve()
  const lent = await opening
  const reason = new Error('cancelled')
  controller.abort(reason)
  t.false(signals[0]!.aborted)
  await lent.release()
  await pool.open(DESTINATION, [CT], by).then((late) => late.release())
  t.is(signals[1]!.reason, reason)
  await pool.close()
})
