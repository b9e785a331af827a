import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * A link with a delay: each byte, and each end of a direction, comes out `delayMs` after it went in, in order.
 * How many are under way at once is not limited.
 * @returns `{ port, close }`
 */
export async function delayedLink({ port, delayMs }) {
  const sockets = new Set()
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const target = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => [client, target].forEach((one) => one.destroy()))
    }
    delay(client, target, delayMs)
    delay(target, client, delayMs)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function delay(from, to, delayMs) {
  const waiting = []
  let timer
  const put = (chunk) => {
    waiting.push({ dueAt: performance.now() + delayMs, chunk })
    timer ??= setTimeout(deliver, delayMs)
  }
  const deliver = () => {
    timer = undefined
    while (waiting.length > 0) {
      const early = waiting[0].dueAt - performance.now()
      if (early > 0) {
        timer = setTimeout(deliver, early)
        return
      }
      const { chunk } = waiting.shift()
      if (to.destroyed) return
      if (chunk === undefined) to.end()
      else to.write(chunk)
    }
  }
  from.on('data', put)
  from.on('end', () => put(undefined))
}
