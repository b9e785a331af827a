import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Limits, Timeouts } from '../config/types.ts'
import { DicomtapError } from '../errors/index.ts'
import { lastAsked, pendingHandler } from '../hooks/asked.ts'
import { containedController, listenerFailed } from '../hooks/contained-signal.ts'
import { transform } from '../hooks/run.ts'
import type { HookTable, IncomingConnection, ListeningEvent } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { IncomingOrigin } from './origin.ts'
import { localEndpoint, remoteEndpoint } from './endpoint.ts'
import type { ArrivingConnection, AssociationRegistry } from './registry.ts'

export interface IncomingContext {
  readonly hooks: HookTable
  readonly log: Logger
  readonly registry: AssociationRegistry
  readonly limits: Pick<Limits, 'maximumPendingAssociations'>
  readonly timeouts: Pick<Timeouts, 'acseMs'>
}

/**
 * Asks the handlers of `incomingConnection` about a connection that a peer opened, within the time that an
 * association request may take. It counts as one that has sent no request yet.
 *
 * @param accepted paused.
 * @returns undefined when there is nobody to talk to any more; the socket is gone then.
 */
export async function prepareConnection(
  accepted: Socket,
  event: ListeningEvent,
  { hooks, log, registry, limits, timeouts }: IncomingContext,
): Promise<IncomingOrigin | undefined> {
  const remote = remoteEndpoint(accepted)
  const local = localEndpoint(accepted)
  const ended: AbortController = containedController(() => listenerFailed(lastAsked(ended.signal), log))
  const ignore = (): void => {}
  // Who waits for it hears that it is gone by the signal.
  accepted.on('error', ignore)
  const gone = (): void => {
    ended.abort(new DicomtapError('DICOMTAP_ERR_NET_CLOSED', 'The connection was closed'))
  }
  accepted.once('close', gone)
  const arriving: ArrivingConnection = {
    cut(why) {
      log.debug('a connection was cut before an association request', { why, remoteAddress: remote.address })
      ended.abort(new DicomtapError('DICOMTAP_ERR_NET_CLOSED', `The connection was cut: ${why}`))
      accepted.destroy()
    },
  }
  const late = (): void => {
    const asked = pendingHandler(ended.signal)
    arriving.cut(`it was not ready in time${asked === undefined ? '' : `, '${asked.plugin}' had it in hand`}`)
  }
  const deadline = timeouts.acseMs === null ? undefined : setTimeout(late, timeouts.acseMs)
  registry.addArriving(arriving, limits.maximumPendingAssociations)
  const given: IncomingConnection = {
    socket: accepted,
    remoteAddress: remote.address,
    remotePort: remote.port,
    localAddress: local.address,
    localPort: local.port,
    signal: ended.signal,
  }
  try {
    const answer = await untilAborted(transform(hooks.incomingConnection, given, event), ended.signal)
    const { socket, remoteAddress: address, remotePort: port, localAddress, localPort } = checkedConnection(answer)
    if (socket.destroyed || accepted.destroyed) {
      socket.destroy()
      return undefined
    }
    return { socket, remote: { address, port }, local: { address: localAddress, port: localPort } }
  } catch {
    // What a handler threw or gave has been logged.
    accepted.destroy()
    return undefined
  } finally {
    clearTimeout(deadline)
    registry.removeArriving(arriving)
    accepted.off('close', gone)
    if (accepted.destroyed) accepted.off('error', ignore)
  }
}

/** A handler that does not hear the signal does not keep the connection. */
function untilAborted(answer: Promise<IncomingConnection>, signal: AbortSignal): Promise<IncomingConnection> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      reject(signal.reason as Error)
      // Too late: what a handler made of it goes the way of the connection.
      answer.then(({ socket }) => socket.destroy()).catch(() => {})
    }
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    answer.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', aborted)
    })
  })
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER */
export function checkedConnection(answer: IncomingConnection): IncomingConnection {
  const { socket, remoteAddress, remotePort, localAddress, localPort } = answer
  const hasAddresses = [remoteAddress, localAddress].every((address) => typeof address === 'string')
  const hasPorts = [remotePort, localPort].every((port) => Number.isInteger(port))
  if (socket instanceof Duplex && hasAddresses && hasPorts) return answer
  throw new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', 'A handler of incomingConnection must return a connection: socket, addresses and ports')
}
