import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startServer } from '../bench/server-process.mjs'
import { processUsage, usageSince } from '../load/process-usage.mjs'
import { startSinkProcess } from '../send/sink-process.mjs'
import { runClient } from './watched-client.mjs'

const SERVER = fileURLToPath(new URL('../server.mjs', import.meta.url))
const ARCHIVE = fileURLToPath(new URL('./archive.mjs', import.meta.url))
/** 1 MiB each 20 ms: no faster than 50 MiB/s. */
const SLOWLY = ['--pause-ms', '20', '--pause-every', '1048576']
const LARGEST_HEADER_BYTES = 4096

/**
 * What is measured, by name. `run` gets `{ object, directory, durability }` and gives the seconds of the
 * transfer and what each process took: `{ seconds, roles: [{ role, cpuSeconds, peakRssMib, rss }] }`.
 */
export const SCENARIOS = {
  store: {
    title: 'C-STORE of a file, kept on the disk',
    size: 'large',
    needsRoom: true,
    async run({ object, directory, durability }) {
      const result = await store(object, ['--directory', directory, '--durability', durability])
      checkStored(directory, object.bytes)
      return result
    },
  },
  drop: {
    title: 'C-STORE of a file, dropped by the handler',
    size: 'large',
    run: ({ object }) => store(object, ['--discard']),
  },
  'slow-handler': {
    title: 'C-STORE of a file to a handler that takes its time',
    size: 'small',
    run: ({ object }) => store(object, ['--discard', ...SLOWLY]),
  },
  'slow-peer': {
    title: 'C-STORE of a file to a peer that reads with pauses',
    size: 'small',
    run: ({ object }) => storeToSink(object),
  },
  get: {
    title: 'C-GET of an instance, dropped by the handler',
    size: 'medium',
    run: ({ object }) => retrieve('get', object),
  },
  move: {
    title: 'C-MOVE of an instance to a third process, which drops it',
    size: 'medium',
    run: ({ object }) => retrieve('move', object),
  },
}

async function store({ path }, options) {
  return withServers({ receiver: [SERVER, ...options] }, async ({ receiver }, finish) => {
    const client = await runClient(['store', '--port', String(receiver.port), '--path', path], { receiver: receiver.pid })
    return finish(client, 'sender')
  })
}

/** The data set, and before it a file header. */
function checkStored(directory, bytes) {
  const sizes = readdirSync(directory, { recursive: true }).filter((name) => !name.startsWith('.dicomtap'))
    .map((name) => statSync(join(directory, name))).filter((stats) => stats.isFile()).map(({ size }) => size)
  if (sizes.length !== 1 || !(sizes[0] > bytes && sizes[0] < bytes + LARGEST_HEADER_BYTES)) throw new Error(`${bytes} bytes were sent, stored are ${sizes.join(', ')}`)
}

async function storeToSink({ path }) {
  const sink = await startSinkProcess(['--pdu', '131072', ...SLOWLY])
  try {
    const { seconds, cpuSeconds, peakRssMib, rss } = await runClient(['store', '--port', String(sink.port), '--path', path], {})
    return { seconds, roles: [{ role: 'sender', cpuSeconds, peakRssMib, rss: rss.client }] }
  } finally {
    await sink.stop()
  }
}

async function retrieve(service, { path, offset, uid, bytes }) {
  const archive = [ARCHIVE, '--path', path, '--offset', String(offset), '--uid', uid]
  if (service === 'get') {
    return withServers({ sender: archive }, async ({ sender }, finish) => {
      const client = await runClient(['get', '--port', String(sender.port)], { sender: sender.pid })
      if (client.receivedBytes !== bytes) throw new Error(`${client.receivedBytes} of ${bytes} bytes received`)
      return finish(client, 'receiver')
    })
  }
  return withServers({ receiver: [SERVER, '--discard'] }, (destination, _, more) =>
    more({ sender: [...archive, '--destination', String(destination.receiver.port)] }, async (servers, finish) => {
      const client = await runClient(['move', '--port', String(servers.sender.port)], {
        sender: servers.sender.pid,
        receiver: servers.receiver.pid,
      })
      return finish(client, 'requestor')
    }))
}

/** Starts servers by role, has them measured, and stops them. `work` may ask for more of them. */
async function withServers(commands, work, started = {}) {
  const servers = { ...started }
  const own = []
  try {
    for (const [role, args] of Object.entries(commands)) {
      servers[role] = await startServer({ command: (port) => ({ program: process.execPath, args: [...args, '--port', String(port)] }) })
      own.push(servers[role])
    }
    const before = Object.fromEntries(Object.entries(servers).map(([role, { pid }]) => [role, processUsage(pid)]))
    const finish = ({ seconds, cpuSeconds, peakRssMib, rss }, clientRole) => ({
      seconds,
      roles: [
        { role: clientRole, cpuSeconds, peakRssMib, rss: rss.client },
        ...Object.entries(servers).map(([role, { pid }]) => ({ role, ...usageSince(before[role], processUsage(pid)), rss: rss[role] })),
      ],
    })
    return await work(servers, finish, (additional, then) => withServers(additional, then, servers))
  } finally {
    for (const server of own) await server.stop()
  }
}
