import { addAbortListener, once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import { definePlugin } from '@dicomtap/framework'
import type { PluginApi } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { containedController } from '../../dist/hooks/contained-signal.js'
import { connected } from '../support/connections.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'

// Listeners on the signals that plugins are given. What one throws would be an exception that nobody catches: AVA
// fails when there is one.

const trap = (): never => {
  throw new Error('/var/lib/secret is full')
}

const LISTENERS: Readonly<Record<string, (signal: AbortSignal) => void>> = {
  'a function': (signal) => signal.addEventListener('abort', trap),
  'a function, once': (signal) => signal.addEventListener('abort', trap, { once: true }),
  'an async function': (signal) => signal.addEventListener('abort', (async () => trap()) as () => never),
  'an object': (signal) => signal.addEventListener('abort', { handleEvent: trap }),
  'an object that has nothing to call': (signal) => signal.addEventListener('abort', {} as never),
  'onabort': (signal) => {
    signal.onabort = trap
  },
  'addAbortListener': (signal) => void addAbortListener(signal, trap),
}

function rogue(apply: (api: PluginApi) => void) {
  return definePlugin({ name: 'rogue', version: '1.0.0', apply })()
}

for (const [name, listen] of Object.entries(LISTENERS)) {
  test(`operation.signal: ${name} that throws at C-CANCEL harms nobody and is told of by name`, async (t) => {
    const plugin = rogue((api) => {
      api.hooks.cFind.tapPromise(async (_request, { signal }) => {
        listen(signal)
        // What is added after it is called all the same.
        await once(signal, 'abort')
        return 0
      })
    })
    await using server = await createTestServer({ contexts: SUPPORTED, plugins: [plugin] })
    const peer = connected(server)
    await peer.associate({ contexts: PROPOSED })
    const { contextId, command, dataSet } = requestOf('C-FIND')
    await peer.sendMessage(contextId, command, dataSet)
    await peer.sendMessage(contextId, { commandField: 0x0fff, messageIdBeingRespondedTo: command.messageId!, commandDataSetType: 0x0101 })
    t.is((await peer.receiveMessage()).command.status, 0xfe00)
    await peer.sendMessage(1, requestOf('C-ECHO').command)
    t.is((await peer.receiveMessage()).command.status, 0)
    t.deepEqual(
      server.logged('error'),
      ["Handler of 'rogue' for the hook cFind failed: a listener on the signal threw: " + (name.includes('nothing to call') ? 'listener.handleEvent is not a function' : '/var/lib/secret is full')],
    )
    peer.destroy()
  })
}

test('incomingConnection: a listener on its signal that throws when the peer goes harms nobody', async (t) => {
  let ended!: () => void
  const over = new Promise<void>((resolve) => (ended = resolve))
  const plugin = rogue((api) => {
    api.hooks.incomingConnection.tapPromise(async (connection) => {
      connection.signal.addEventListener('abort', trap)
      connection.signal.addEventListener('abort', ended)
      connection.socket.resume()
      await over
      return connection
    })
  })
  await using server = await createTestServer({ contexts: SUPPORTED, plugins: [plugin] })
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.resetAndDestroy()
  await over
  t.true(server.logged('error').includes("Handler of 'rogue' for the hook incomingConnection failed: a listener on the signal threw: /var/lib/secret is full"))
})

test('api.signal: a listener that throws when the server closes is logged, and the others are told', async (t) => {
  const told: unknown[] = []
  const plugin = rogue(({ signal }) => {
    signal.addEventListener('abort', trap)
    signal.addEventListener('abort', () => told.push(signal.aborted))
  })
  const server = await createTestServer({ plugins: [plugin] })
  await server.ae.close()
  t.deepEqual(told, [true])
  const [error, ...more] = server.log.filter(({ level }) => level === 'error')
  t.deepEqual([error?.message, error?.fields['plugin'], more.length], ['a listener on the signal threw', 'rogue', 0])
})

test('a contained signal is an AbortSignal in everything else', (t) => {
  const controller = containedController(() => () => t.fail('nothing threw'))
  const { signal } = controller
  const events: string[] = []
  const twice = function (this: unknown, { type }: Event): void {
    events.push(`${type} ${String(this === signal)}`)
  }
  const removed = (): void => void events.push('removed')
  const object = { name: 'object', handleEvent(): void { events.push(this.name) } }
  signal.addEventListener('abort', twice)
  signal.addEventListener('abort', twice)
  signal.addEventListener('abort', removed)
  signal.removeEventListener('abort', removed)
  signal.addEventListener('abort', object, { once: true })
  signal.onabort = removed
  signal.onabort = null
  const derived = AbortSignal.any([signal, new AbortController().signal])
  derived.addEventListener('abort', () => events.push(`derived ${String(derived.reason)}`))
  t.true(signal instanceof AbortSignal)
  controller.abort('why')
  t.deepEqual(events, ['abort true', 'object', 'derived why'])
  t.throws(() => signal.throwIfAborted(), { any: true })
  t.is(controller.signal, signal)
})
