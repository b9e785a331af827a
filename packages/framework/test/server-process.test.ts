import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, DicomtapError, LocalStates, createLogger } from '@dicomtap/framework'
import type { LogRecord, ServerProcess, SharedState } from '@dicomtap/framework'
import { SharedPlaces } from '../dist/association/shared-places.js'

const VERIFICATION = '1.2.840.10008.1.1'

/** What leads the processes of a test: here they are all one. */
class Leader {
  readonly places = new SharedPlaces()
  readonly left = new Map<string, number>()
  isSilent = false
  #server: Server | undefined
  readonly #takers: ((socket: Socket) => void)[] = []
  #given = 0

  process(name: string, processes: number): ServerProcess {
    const call = async (method: 'take' | 'give', ...args: never[]): Promise<unknown> => {
      if (this.isSilent) throw new DicomtapError('DICOMTAP_ERR_NET_PROCESS', 'no answer')
      return method === 'take' ? this.places.take(name, ...(args as unknown as [number])) : this.places.give(name)
    }
    return {
      name,
      processes,
      openState: async () => ({ call, tell: (...args: Parameters<typeof call>) => void call(...args) }) as unknown as SharedState<never>,
      listen: async (_options, connected) => {
        this.#takers.push(connected)
        this.#server ??= await this.#listening()
        return { address: this.#server.address() as AddressInfo, close: () => {} }
      },
      connectionsLeft: (count) => this.left.set(name, count()),
    }
  }

  close(): void {
    this.#server?.close()
  }

  #listening(): Promise<Server> {
    return new Promise((resolve) => {
      const server = createServer({ pauseOnConnect: true }, (socket) => this.#takers[this.#given++ % this.#takers.length]?.(socket))
      server.listen(0, '127.0.0.1', () => resolve(server))
    })
  }
}

async function processes(t: ExecutionContext, leader: Leader, maximumAssociations: number): Promise<{ readonly port: number; readonly aes: readonly ApplicationEntity[] }> {
  const aes = ['w1', 'w2'].map(
    (name) =>
      new ApplicationEntity(
        { logLevel: 'silent', limits: { maximumAssociations }, contexts: [{ abstractSyntax: VERIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'] }] },
        leader.process(name, 2),
      ),
  )
  let port = 0
  for (const ae of aes) port = (await ae.listen({ port: 0, host: '127.0.0.1' })).port
  t.teardown(async () => {
    await Promise.all(aes.map((ae) => ae.close({ deadlineMs: 0 })))
    leader.close()
  })
  return { port, aes }
}

async function client(t: ExecutionContext, port: number): Promise<() => ReturnType<ApplicationEntity['associate']>> {
  const ae = new ApplicationEntity({ aeTitle: 'CLIENT', logLevel: 'silent' })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  return () => ae.associate({ host: '127.0.0.1', port, calledAeTitle: 'ANY', contexts: [{ abstractSyntax: VERIFICATION }] })
}

test('processes of one server share maximumAssociations: 2,3,2 beyond the sum, and places come back', async (t) => {
  const leader = new Leader()
  const { port, aes } = await processes(t, leader, 3)
  const associate = await client(t, port)
  const [first, ...others] = [await associate(), await associate(), await associate()]
  t.deepEqual(aes.map(({ activeAssociations }) => activeAssociations.length), [2, 1])
  // PS3.8 9.3.4: transient, service-provider (presentation), local limit exceeded.
  t.like(await t.throwsAsync(associate(), { code: 'DICOMTAP_ERR_ACSE_REJECTED' }), { result: 2, source: 3, reason: 2 })
  await first?.release()
  const again = await associate()
  t.is(again.state, 'established')
  await Promise.all([...others, again].map((association) => association.release()))
  t.deepEqual([...leader.left.values()], [0, 0])
  // What a process had when it ended is free.
  t.true(leader.places.take('w1', 1))
  t.false(leader.places.take('w2', 1))
  leader.places.left('w1')
  t.true(leader.places.take('w2', 1))
})

test('a process that gets no answer about a place refuses with temporary congestion', async (t) => {
  const leader = new Leader()
  const { port } = await processes(t, leader, 3)
  const associate = await client(t, port)
  leader.isSilent = true
  // PS3.8 9.3.4: transient, service-provider (presentation), temporary congestion.
  const error = await t.throwsAsync(associate(), { code: 'DICOMTAP_ERR_ACSE_REJECTED' })
  t.like(error, { result: 2, source: 3, reason: 1 })
  leader.isSilent = false
  t.is((await associate()).state, 'established')
})

test('ids of associations and lines of the log have the name of the process', async (t) => {
  const leader = new Leader()
  const { port, aes } = await processes(t, leader, 3)
  const associate = await client(t, port)
  await associate()
  await associate()
  t.deepEqual(aes.map(({ worker, activeAssociations }) => [worker, activeAssociations[0]?.id]), [['w1', 'w1-a1'], ['w2', 'w2-a1']])
  const records: LogRecord[] = []
  const log = createLogger({ common: { worker: 'w1' }, sink: (record) => records.push(record) })
  log.child({ plugin: 'test' }).info('a line', { more: 1 })
  t.deepEqual(records[0]?.fields, { worker: 'w1', plugin: 'test', more: 1 })
})

test('shared state in a server of one process: made once, called at once, disposed with it', async (t) => {
  const module = `data:text/javascript,${encodeURIComponent(`
    export const createSharedState = ({ start }) => {
      let sum = start
      return { add(_caller, more) { if (more < 0) throw new RangeError('less'); sum += more; return sum }, dispose() { globalThis.disposedSum = sum } }
    }`)}`
  interface Sum {
    add(caller: string, more: number): number
  }
  const states = new LocalStates(createLogger({ level: 'silent' }))
  const first = await states.open<Sum>('sum', module, { start: 1 })
  const second = await states.open<Sum>('sum', module, { start: 100 })
  first.tell('add', 1)
  t.is(await second.call('add', 1), 3)
  await t.throwsAsync(first.call('add', -1), { instanceOf: RangeError })
  await states.dispose()
  t.is((globalThis as { disposedSum?: number }).disposedSum, 3)
})
