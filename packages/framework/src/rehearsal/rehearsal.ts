import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { SupportedContext } from '../acse/types.ts'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import { definePlugin } from '../define.ts'
import { SOCKET_OPTIONS } from '../dul/connect.ts'
import { runLifecycle } from '../hooks/run.ts'
import { Stage } from '../hooks/stages.ts'
import { LOOPBACK, RehearsalPeer } from './rehearsal-peer.ts'

const CALLING_AE_TITLE = 'REHEARSAL'

/** A private ApplicationEntity, and the connections to it. */
export class Rehearsal {
  readonly #private: ApplicationEntity
  readonly #peers = new Set<RehearsalPeer>()
  #listener: Server | undefined
  #port = 0

  /** @param rehearsal nothing is tapped in it, and it does not listen. */
  constructor(rehearsal: ApplicationEntity) {
    this.#private = rehearsal
  }

  get contexts(): readonly SupportedContext[] {
    return this.#private.supportedContexts
  }

  get calledAeTitle(): string {
    return this.#private.aeTitle
  }

  /** One that is let in. */
  get callingAeTitle(): string {
    return this.#private.config.requireCallingAeTitles?.[0] ?? CALLING_AE_TITLE
  }

  /** The largest P-DATA-TF that it takes; 0: any. */
  get maximumPduBytes(): number {
    return this.#private.limits.maximumPduBytes
  }

  /**
   * Has the plugins of the real one add what they rehearse, and lets connections in.
   * @throws what a handler of `warmUp` throws, or a plugin that it added.
   */
  async open(applicationEntity: ApplicationEntity, signal: AbortSignal): Promise<void> {
    const rehearsal = this.#private
    await runLifecycle(applicationEntity.hooks.warmUp, { applicationEntity, rehearsal, signal })
    await rehearsal.use(stopgap())
    rehearsal.supportedContexts = applicationEntity.supportedContexts
    const server = await rehearsal.unboundServer()
    this.#listener = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (socket) => this.#arrived(socket, server))
    // In a process of a cluster the port is its own, too.
    this.#listener.listen({ port: 0, host: LOOPBACK, exclusive: true })
    await once(this.#listener, 'listening')
    this.#port = (this.#listener.address() as AddressInfo).port
    // A connection that cannot be accepted fails on its other side, too.
    this.#listener.on('error', () => {})
  }

  connect(): RehearsalPeer {
    const peer: RehearsalPeer = new RehearsalPeer(this.#port, () => this.#peers.delete(peer))
    this.#peers.add(peer)
    return peer
  }

  /** Cuts the connections: whoever waits for an answer on one gets an error. */
  hangUp(): void {
    for (const peer of this.#peers) peer.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    this.#listener?.close()
    await this.#private.close({ deadlineMs: 0 })
  }

  /** Connections of others are cut unheard. Another user may have the same port, of another address. */
  #arrived(socket: Socket, server: AssociationServer): void {
    for (const { port } of this.#peers) {
      if (port !== undefined && port === socket.remotePort && socket.remoteAddress === LOOPBACK) return server.accept(socket)
    }
    socket.destroy()
  }
}

/** Answers what no plugin rehearses. */
const stopgap = definePlugin({
  name: 'rehearsal',
  apply({ applicationEntity, hooks }) {
    if (applicationEntity.hooks.cEcho.taps.length === 0) hooks.cEcho.tap({ stage: Stage.Fallback }, () => 0x0000)
    if (applicationEntity.hooks.cStore.taps.length > 0) return
    hooks.cStore.tapPromise({ stage: Stage.Fallback }, async ({ dataSet }) => {
      await dataSet.pipeTo({ write: () => undefined })
      return 0x0000
    })
  },
})
