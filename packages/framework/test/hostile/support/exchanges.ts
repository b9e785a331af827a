import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { ApplicationEntity } from '@dicomtap/framework'
import type { Association, HookHandlers, InstanceToSend, Operation, StoreBytes } from '@dicomtap/framework'
import { createTestServer, memorySocket } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { IDENTIFIER, SUPPORTED } from '../../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE, MPPS, STORAGE_COMMITMENT, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, VERIFICATION } from '../../support/uids.ts'
import { ENDINGS_FROM_OUTSIDE, Wire } from './wire.ts'
import type { Ending, Moment } from './wire.ts'

/** One service, from the association to its release, with the places in its handlers and sources. */
export interface Exchange {
  readonly name: string
  readonly places: readonly string[]
  /** Operations that may be outstanding at once; default: none negotiated, one. */
  readonly window?: number
  run(scu: Association, scp: Association): Promise<unknown>
}

const ON_INSTANCE = { requestedSopInstanceUid: '1.2.3' } as const
const MPPS_INSTANCE = { ...ON_INSTANCE, requestedSopClassUid: MPPS }

async function all(responses: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of responses);
}

export function exchangesOf(sides: Sides): readonly Exchange[] {
  return [
    { name: 'C-ECHO', places: ['C-ECHO'], run: (scu) => scu.cEcho() },
    { name: 'C-STORE', places: ['store: before reading', 'store: reading', 'store: read', 'source'], run: (scu) => scu.cStore(sides.source()) },
    { name: 'C-FIND', places: ['find: pulling', 'find: over'], run: (scu) => all(scu.cFind(IDENTIFIER, { model: STUDY_ROOT_FIND })) },
    {
      name: 'C-FIND, left after a match',
      places: ['find: over'],
      run: async (scu) => {
        for await (const { status } of scu.cFind(IDENTIFIER, { model: STUDY_ROOT_FIND })) if (status === 0xff00) break
      },
    },
    { name: 'C-GET', places: ['retrieve: pulling', 'retrieve: bytes', 'store: reading'], run: (scu) => all(scu.cGet(IDENTIFIER, { model: STUDY_ROOT_GET })) },
    { name: 'C-MOVE', places: ['retrieve: pulling', 'retrieve: bytes', 'destination: stored'], run: (scu) => all(scu.cMove(IDENTIFIER, { model: STUDY_ROOT_MOVE, destination: 'ELSEWHERE' })) },
    {
      name: 'N-EVENT-REPORT',
      places: ['N-EVENT-REPORT'],
      run: (_scu, scp) => scp.nEventReport({ affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: '1.2.3', eventTypeId: 1, eventInformation: IDENTIFIER }),
    },
    { name: 'N-GET', places: ['N-GET'], run: (scu) => scu.nGet(MPPS_INSTANCE) },
    { name: 'N-SET', places: ['N-SET'], run: (scu) => scu.nSet({ ...MPPS_INSTANCE, modificationList: IDENTIFIER }) },
    { name: 'N-ACTION', places: ['N-ACTION'], run: (scu) => scu.nAction({ ...ON_INSTANCE, requestedSopClassUid: STORAGE_COMMITMENT, actionTypeId: 1, actionInformation: IDENTIFIER }) },
    { name: 'N-CREATE', places: ['N-CREATE'], run: (scu) => scu.nCreate({ affectedSopClassUid: MPPS, attributeList: IDENTIFIER }) },
    { name: 'N-DELETE', places: ['N-DELETE'], run: (scu) => scu.nDelete(MPPS_INSTANCE) },
    {
      name: 'five requests at once in a window of three, and one of the other side',
      places: ['store: reading', 'source', 'find: pulling', 'N-GET', 'N-EVENT-REPORT'],
      window: 3,
      run: (scu, scp) =>
        Promise.all([
          scu.cEcho(),
          scu.cStore(sides.source()),
          all(scu.cFind(IDENTIFIER, { model: STUDY_ROOT_FIND })),
          scu.nGet(MPPS_INSTANCE),
          scu.nDelete(MPPS_INSTANCE),
          scp.nEventReport({ affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: '1.2.3', eventTypeId: 1 }),
        ]),
    },
  ]
}

/** Endings by this side, on both sides at once. */
export function endingsFromInside(sides: Sides): readonly Ending[] {
  const each = (end: (association: Association) => unknown) => (): void => sides.associations.forEach((association) => void end(association))
  return [
    { name: 'abort()', goesOn: true, apply: each((association) => association.abort()) },
    { name: 'release()', goesOn: true, apply: each((association) => association.release()) },
    { name: 'kill()', goesOn: true, apply: each((association) => association.kill()) },
  ]
}

export const allEndings = (sides: Sides): readonly Ending[] => [...ENDINGS_FROM_OUTSIDE, ...endingsFromInside(sides)]

/** What a handler or an iterator was doing when the exchange was cut, and how it ended. */
interface Running {
  readonly place: string
  readonly signal: AbortSignal | undefined
}

const CONTEXTS = [
  ...[VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, MPPS].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] })),
  ...[CT_IMAGE, STORAGE_COMMITMENT].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: true } })),
]
/** No timer ends anything. */
const TIMEOUTS = { acseMs: 600_000, dimseMs: 600_000, networkMs: 600_000, connectionMs: 600_000, handlerMs: 600_000 }

/** An SCU and an SCP with a wire between them, and a destination of C-MOVE. */
export class Sides {
  readonly scp: TestServer
  readonly destination: TestServer
  readonly scu: ApplicationEntity
  /** Of the exchange that runs. */
  associations: Association[] = []
  wire: Wire | undefined
  /** Handlers and iterators that have begun and not ended. */
  readonly running = new Set<Running>()
  /** What was at its place when the cut came. */
  caught: Running | undefined
  #moment: Moment | undefined
  #ending: Ending | undefined
  #open: () => void = () => {}
  #gate: Promise<void> = Promise.resolve()

  private constructor(scp: TestServer, destination: TestServer) {
    this.scp = scp
    this.destination = destination
    this.scu = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent', timeouts: TIMEOUTS })
  }

  static async make(): Promise<Sides> {
    const contexts = SUPPORTED.map((context) => ({ ...context, roles: { scu: true, scp: true } }))
    const scp = await createTestServer({ aeTitle: 'SCP', contexts, timeouts: TIMEOUTS, limits: { maximumAssociations: 10_000, maximumPendingAssociations: 10_000 } })
    const destination = await createTestServer({ aeTitle: 'ELSEWHERE', contexts, timeouts: TIMEOUTS })
    const sides = new Sides(scp, destination)
    sides.#bind()
    return sides
  }

  /** Runs one exchange, which is cut at the moment; resolves when it has settled, with the PDUs that passed. */
  async run(exchange: Exchange, moment?: Moment, ending?: Ending): Promise<readonly number[]> {
    this.#moment = moment
    this.#ending = ending
    this.associations = []
    this.caught = undefined
    this.wire = undefined
    this.#gate = new Promise((resolve) => (this.#open = resolve))
    if (moment === undefined) this.#open()
    const work = this.#exchange(exchange)
    const settled = work.then(
      () => {},
      () => {},
    )
    // Handlers that were caught wait for this, unless their signal goes before.
    await Promise.all([settled, moment === undefined ? undefined : this.#openAfterCut()])
    return (this.wire as Wire | undefined)?.passed ?? []
  }

  async close(): Promise<void> {
    await this.scu.close({ deadlineMs: 0 })
    await this.scp[Symbol.asyncDispose]()
    await this.destination[Symbol.asyncDispose]()
  }

  /** A data set of four pieces, drawn slowly. */
  source(): StoreBytes {
    return { sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => this.#pieces('source') }
  }

  async #exchange({ run, window }: Exchange): Promise<void> {
    const asynchronousOperations = window === undefined ? {} : { asynchronousOperations: { invoked: window, performed: window } }
    const association = await this.scu.associate({ host: 'scp', port: 104, contexts: CONTEXTS, ...asynchronousOperations })
    try {
      const scp = this.associations.find(({ role }) => role === 'acceptor') as Association
      await run(association, scp)
    } finally {
      await association.release()
    }
  }

  async #openAfterCut(): Promise<void> {
    for (let turns = 0; turns < 5_000 && this.wire?.isDone !== true; turns++) await turn()
    for (let turns = 0; turns < 10; turns++) await turn()
    this.#open()
  }

  /** A place in a handler or an iterator: cut here when it is the moment, and wait for the signal or for a while. */
  async #at(place: string, operation?: Operation): Promise<void> {
    const running: Running = { place, signal: operation?.signal }
    if (this.wire?.reached(place) !== true) return
    this.caught = running
    const { signal } = running
    if (signal === undefined || signal.aborted) await this.#gate
    else await Promise.race([this.#gate, once(signal, 'abort')])
  }

  async #tracked<T>(place: string, operation: Operation | undefined, work: () => Promise<T>): Promise<T> {
    const running = { place, signal: operation?.signal }
    this.running.add(running)
    try {
      return await work()
    } finally {
      this.running.delete(running)
    }
  }

  async *#iterated<T>(place: string, operation: Operation | undefined, items: readonly T[]): AsyncGenerator<T, void, undefined> {
    const running = { place, signal: operation?.signal }
    this.running.add(running)
    try {
      for (const item of items) {
        await this.#at(place, operation)
        yield item
      }
    } finally {
      this.running.delete(running)
    }
  }

  #pieces(place: string): AsyncGenerator<Uint8Array, void, undefined> {
    // (7FE0,0010) OW of 60 000 bytes in Implicit VR Little Endian: header, then pieces of more than a PDU.
    return this.#iterated(place, undefined, [Buffer.from('e07f100060ea0000', 'hex'), ...Array.from({ length: 3 }, () => Buffer.alloc(20_000))])
  }

  #instance(number: number): InstanceToSend {
    return { sopClassUid: CT_IMAGE, sopInstanceUid: `1.2.${number}`, transferSyntaxUid: IMPLICIT_LE, bytes: () => this.#pieces('retrieve: bytes') }
  }

  #bind(): void {
    const { scp, scu, destination } = this
    const store = (name: string): HookHandlers['cStore'] => (request, operation) =>
      this.#tracked(name, operation, async () => {
        await this.#at(`${name}: before reading`, operation)
        for await (const _ of request.dataSet.bytes()) await this.#at(`${name}: reading`, operation)
        await this.#at(`${name}: read`, operation)
        return 0
      })
    const simple = (place: string) => (_request: unknown, operation: Operation) =>
      this.#tracked(place, operation, async () => {
        await this.#at(place, operation)
        return 0
      })
    const matches = async function* (this: Sides, operation: Operation): AsyncGenerator<Uint8Array, void, undefined> {
      yield* this.#iterated('find: pulling', operation, [IDENTIFIER, IDENTIFIER, IDENTIFIER])
      await this.#at('find: over', operation)
    }
    const retrieve = (_request: unknown, operation: Operation) => ({ instances: this.#iterated('retrieve: pulling', operation, [this.#instance(1), this.#instance(2)]), total: 2 })
    const remember = ({ association }: { association: Association }): void => void this.associations.push(association)
    scp.ae.bind('connectionOpened', (event) => {
      if (event.association.role === 'acceptor') remember(event)
    })
    scu.bind('connectionOpened', remember)
    const storeHandler = store('store')
    if (storeHandler !== undefined) {
      scp.ae.bind('cStore', storeHandler)
      scu.bind('cStore', storeHandler)
    }
    destination.ae.bind('cStore', async (request) => {
      await request.dataSet.buffer()
      await this.#at('destination: stored')
      return 0
    })
    scp.ae.bind('asyncOperations', ({ maximumNumberOperationsInvoked: invoked, maximumNumberOperationsPerformed: performed }) => ({ invoked, performed }))
    scp.ae.bind('cEcho', simple('C-ECHO'))
    scp.ae.bind('cFind', (_request, operation) => matches.call(this, operation))
    scp.ae.bind('cGet', retrieve)
    scp.ae.bind('cMove', retrieve)
    scp.ae.bind('moveDestination', () => ({ host: 'elsewhere', port: 104 }))
    scu.bind('nEventReport', simple('N-EVENT-REPORT'))
    scp.ae.bind('nGet', simple('N-GET'))
    scp.ae.bind('nSet', simple('N-SET'))
    scp.ae.bind('nAction', simple('N-ACTION'))
    scp.ae.bind('nCreate', simple('N-CREATE'))
    scp.ae.bind('nDelete', simple('N-DELETE'))
    // The SCU's connection ends at the wire, and another one goes from there to the SCP.
    scu.bind('outgoingConnection', () => {
      const [near, far] = memorySocket()
      const [toScp, accepted] = memorySocket()
      this.wire = new Wire([far, toScp], this.#moment, this.#ending)
      scp.server.inject(accepted)
      setImmediate(() => near.emit('connect'))
      return near
    })
    scp.ae.bind('outgoingConnection', () => {
      const [near, far] = memorySocket()
      destination.server.inject(far)
      setImmediate(() => near.emit('connect'))
      return near
    })
  }
}
