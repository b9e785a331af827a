import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { ApplicationEntity, DicomtapError, SopClass, StudyRoot } from '@dicomtap/framework'
import type { AssociateOptions, Association, LogRecord } from '@dicomtap/framework'
import { createTestServer, memorySocket } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { IMPLICIT_LE } from '../support/uids.ts'

// What thousands of associations leave behind: nothing. Time-outs are long, so that no timer ends by itself.

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

const CONTEXTS = [SopClass.Verification, StudyRoot.Find].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))
const TIMEOUTS = { acseMs: 600_000, dimseMs: 600_000, networkMs: 600_000, connectionMs: 600_000, handlerMs: 600_000 }

/** How an association goes and ends. */
const CYCLES: readonly ((association: Association) => Promise<unknown>)[] = [
  async (association) => {
    await association.cEcho()
    await association.release()
  },
  async (association) => {
    await association.cEcho()
    association.abort()
  },
  async (association) => {
    await Promise.all([association.cEcho(), association.cEcho(), association.release()])
  },
  async (association) => {
    for await (const { status } of association.cFind({ PatientID: '' }, { model: StudyRoot.Find })) if (status === 0xff00) break
    await association.release()
  },
  async (association) => {
    // Never iterated.
    association.cFind({ PatientID: '' }, { model: StudyRoot.Find })
    association.abort()
  },
  (association) => association.kill(),
]

async function serving(): Promise<TestServer> {
  return createTestServer({
    contexts: CONTEXTS,
    timeouts: TIMEOUTS,
    handlers: { cFind: () => Array.from({ length: 5 }, (_, index) => ({ PatientID: String(index) })) },
  })
}

/** Timers and sockets. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'TCPSocketWrap')
}

/** Associations that were made, by role and ID, without holding them. */
class Seen {
  #references = new Map<string, WeakRef<Association>>()

  get size(): number {
    return this.#references.size
  }

  add(association: Association): void {
    this.#references.set(`${association.role} ${association.id}`, new WeakRef(association))
  }

  /** How many were not collected. */
  alive(): number {
    return [...this.#references.values()].filter((reference) => reference.deref() !== undefined).length
  }

  clear(): void {
    this.#references.clear()
  }
}

async function garbageCollected({ log }: TestServer): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await turn()
  // The test server keeps every line.
  ;(log as LogRecord[]).length = 0
  collectGarbage()
  await turn()
  collectGarbage()
}

test.serial('2 000 associations in memory, ended in every way: no association, timer, listener or heap is left', async (t) => {
  t.timeout(60_000)
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  const server = await serving()
  t.teardown(() => server[Symbol.asyncDispose]())
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent', timeouts: TIMEOUTS })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  ae.bind('outgoingConnection', () => {
    const [socket, far] = memorySocket()
    server.server.inject(far)
    setImmediate(() => socket.emit('connect'))
    return socket
  })
  const seen = new Seen()
  server.ae.bind('associationRequested', ({ association }) => seen.add(association))
  const signal = new AbortController().signal
  const before = resources()
  const cycle = async (index: number): Promise<void> => {
    const association = await ae.associate({ host: 'pacs', port: 104, contexts: CONTEXTS, signal, handlers: { pduSent: () => {} } })
    seen.add(association)
    await CYCLES[index % CYCLES.length]!(association)
    await association.closed
  }
  const heapBytes: number[] = []
  for (const cycles of [1_000, 1_000]) {
    for (let index = 0; index < cycles; index++) await cycle(index)
    await garbageCollected(server)
    t.is(seen.size, 2 * cycles)
    // What V8 still has in hand.
    t.true(seen.alive() < 20, `${seen.alive()} associations are held`)
    seen.clear()
    t.deepEqual(resources(), before)
    heapBytes.push(process.memoryUsage().heapUsed)
  }
  // What the first ones needed, the others did not need again.
  const grownBytes = heapBytes[1]! - heapBytes[0]!
  t.true(grownBytes < 1_000_000, `${grownBytes} bytes of heap more`)
  t.deepEqual(getEventListeners(signal, 'abort'), [])
  t.deepEqual([...ae.activeAssociations, ...server.ae.activeAssociations], [])
  t.is(server.server.connections, 0)
  process.off('warning', warned)
  t.deepEqual(warnings, [])
})

test.serial('attempts that come to nothing leave nothing', async (t) => {
  const server = await serving()
  t.teardown(() => server[Symbol.asyncDispose]())
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent', timeouts: TIMEOUTS })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  // Nobody listens on it: it takes a privilege, and is nobody's.
  const port = 1
  const options: readonly (() => AssociateOptions)[] = [
    () => ({ host: '127.0.0.1', port, contexts: CONTEXTS }),
    () => ({ host: '127.0.0.1', port: server.port, contexts: [{ abstractSyntax: '1.2.3.4' }] }),
    () => ({ host: '127.0.0.1', port: server.port, contexts: CONTEXTS, handlers: { stateChanged: ({ association }) => association.abort() } }),
    () => ({ host: '127.0.0.1', port: server.port, contexts: CONTEXTS, handlers: { associationAnswer: () => 'no' } }),
    () => {
      const abort = new AbortController()
      return { host: '127.0.0.1', port: server.port, contexts: CONTEXTS, signal: abort.signal, handlers: { connectionOpened: () => abort.abort() } }
    },
    () => ({ host: '127.0.0.1', port: server.port, contexts: CONTEXTS, localAddress: 'none' }),
  ]
  const seen = new Seen()
  for (const side of [ae, server.ae]) side.bind('stateChanged', ({ association }) => seen.add(association))
  const before = resources()
  for (let index = 0; index < 240; index++) await t.throwsAsync(ae.associate(options[index % options.length]!()), { instanceOf: DicomtapError })
  const deadline = Date.now() + 5_000
  while (server.server.connections > 0 && Date.now() < deadline) await turn()
  await garbageCollected(server)
  // Of some only this side knew.
  t.true(seen.size > 300)
  t.true(seen.alive() < 20, `${seen.alive()} associations are held`)
  t.deepEqual(resources(), before)
  t.deepEqual([...ae.activeAssociations, ...server.ae.activeAssociations], [])
})
