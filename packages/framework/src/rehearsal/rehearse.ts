import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import { definePlugin } from '../define.ts'
import { SOCKET_OPTIONS } from '../dul/connect.ts'
import { messageOf } from '../errors/index.ts'
import { runLifecycle } from '../hooks/run.ts'
import { Stage as TapStage } from '../hooks/stages.ts'
import { Pace } from './pace.ts'
import { RehearsalPeer } from './rehearsal-peer.ts'
import { rehearseRound, ROUNDS } from './script.ts'

const DEFAULT_BUDGET_MS = 1500
const PATIENCE_MS = 60_000
const CALLING_AE_TITLE = 'REHEARSAL'

/** What `ApplicationEntity.warmUp` takes. */
export interface WarmUpOptions {
  /** Processor time that it may use, in milliseconds, of all threads together. Default 1500. */
  readonly budgetMs?: number
}

/** What a warm-up came to. */
export interface WarmUpResult {
  readonly associations: number
  readonly echoes: number
  readonly objects: number
  /** Processor time that it used, in milliseconds. */
  readonly spentMs: number
  /** Why there was not more of it; undefined when it ended as meant. */
  readonly error: Error | undefined
}

export interface RehearsalParts {
  /** The one that is warmed up. */
  readonly applicationEntity: ApplicationEntity
  /** One like it that nobody knows of: nothing is tapped, nothing listens, nothing is logged. */
  readonly createRehearsal: () => ApplicationEntity
  readonly isIdle: () => boolean
  /** Aborted when the ApplicationEntity closes. */
  readonly signal: AbortSignal
}

/**
 * Has a private ApplicationEntity do what the real one will have to do, so that V8 compiles the code that both run
 * before anybody waits for it: the first thousands of messages cost five times as much as the later ones otherwise.
 * Nothing of the real one is touched; what plugins want rehearsed they add to the private one, in the hook `warmUp`.
 * It never rejects.
 */
export async function rehearse(parts: RehearsalParts, { budgetMs = DEFAULT_BUDGET_MS }: WarmUpOptions): Promise<WarmUpResult> {
  const { isIdle, signal, applicationEntity } = parts
  const pace = new Pace({ isIdle, budgetMs, patienceMs: PATIENCE_MS, signal })
  const done = { associations: 0, echoes: 0, objects: 0 }
  let error: Error | undefined
  try {
    // The first peer of a new server is not to wait for this.
    await pace.untilIdle()
    if (!pace.isOver) await perform(parts, pace, done)
  } catch (thrown) {
    if (!signal.aborted) {
      error = new Error(messageOf(thrown), { cause: thrown })
      applicationEntity.log.debug('the warm-up ended early', { error })
    }
  }
  return { ...done, spentMs: pace.spentMs, error }
}

async function perform(parts: RehearsalParts, pace: Pace, done: { associations: number; echoes: number; objects: number }): Promise<void> {
  const { applicationEntity, createRehearsal, signal } = parts
  const rehearsal = createRehearsal()
  const peers = new Set<RehearsalPeer>()
  const hangUp = (): void => {
    for (const peer of peers) peer.destroy()
  }
  signal.addEventListener('abort', hangUp, { once: true })
  let listener: Server | undefined
  try {
    await runLifecycle(applicationEntity.hooks.warmUp, { applicationEntity, rehearsal, signal })
    await rehearsal.use(stopgap())
    rehearsal.supportedContexts = applicationEntity.supportedContexts
    listener = await listenFor(peers, await rehearsal.unboundServer())
    const { port } = listener.address() as AddressInfo
    const connect = (): RehearsalPeer => {
      const peer = new RehearsalPeer(port, () => peers.delete(peer))
      peers.add(peer)
      return peer
    }
    const [callingAeTitle = CALLING_AE_TITLE] = applicationEntity.config.requireCallingAeTitles ?? []
    const { aeTitle: calledAeTitle, limits, supportedContexts: contexts } = rehearsal
    const stage = { pace, connect, contexts, calledAeTitle, callingAeTitle, maximumPduBytes: limits.maximumPduBytes, done }
    for (let round = 0; round < ROUNDS && !pace.isOver; round++) await rehearseRound(stage, round)
  } finally {
    signal.removeEventListener('abort', hangUp)
    hangUp()
    listener?.close()
    await rehearsal.close({ deadlineMs: 0 })
  }
}

/** Answers what no plugin rehearses. */
const stopgap = definePlugin({
  name: 'rehearsal',
  apply({ applicationEntity, hooks }) {
    if (applicationEntity.hooks.cEcho.taps.length === 0) hooks.cEcho.tap({ stage: TapStage.Fallback }, () => 0x0000)
    if (applicationEntity.hooks.cStore.taps.length > 0) return
    hooks.cStore.tapPromise({ stage: TapStage.Fallback }, async ({ dataSet }) => {
      await dataSet.pipeTo({ write: () => undefined })
      return 0x0000
    })
  },
})

/** A port on the loopback interface that lets in who was let out: connections of others are cut unheard. */
async function listenFor(peers: ReadonlySet<RehearsalPeer>, server: AssociationServer): Promise<Server> {
  const listener = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (socket: Socket) => {
    const isOurs = [...peers].some(({ port }) => port !== undefined && port === socket.remotePort)
    if (isOurs) server.accept(socket)
    else socket.destroy()
  })
  // In a process of a cluster the port is its own, too.
  listener.listen({ port: 0, host: '127.0.0.1', exclusive: true })
  await once(listener, 'listening')
  // A connection that cannot be accepted fails on its other side, too.
  listener.on('error', () => {})
  return listener
}
