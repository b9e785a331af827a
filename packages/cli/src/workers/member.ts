import type { Worker } from 'node:cluster'
import type { Socket } from 'node:net'
import type { Problem } from '../output/report-error.ts'
import type { ReadyDetails, ToWorker } from './protocol.ts'

/** A worker, as the primary knows it. */
export class Member {
  readonly name: string
  readonly worker: Worker
  readonly startedAtMs: number = performance.now()
  /** What it answered when it was ready. */
  details: ReadyDetails | undefined
  /** Before that what it is sent is lost. */
  isHearing: boolean = false
  /** Why it did not start. */
  problems: readonly Problem[] | undefined
  /** It ends because it was told to, or of itself after an error. */
  isEnding: boolean = false
  /** The listeners whose connections it takes. */
  readonly listeners: Set<number> = new Set()
  /** When it last got a connection, in connections of all. */
  lastGot: number = 0
  #given = 0
  #received = 0
  #connections = 0

  constructor(worker: Worker) {
    this.worker = worker
    this.name = `w${worker.id}`
  }

  /** Connections that it has, those on their way included. */
  get connections(): number {
    return this.#given - this.#received + this.#connections
  }

  send(message: ToWorker): void {
    // One that is gone is heard of by its end.
    if (this.worker.isConnected()) this.worker.process.send(message, undefined, undefined, () => {})
  }

  give(listener: number, socket: Socket, number: number): void {
    this.#given += 1
    this.lastGot = number
    // It cannot be taken back: what a worker had when it ended is lost with it.
    this.worker.process.send({ type: 'connection', listener } satisfies ToWorker, socket, undefined, (error) => {
      if (error !== null) socket.destroy()
    })
  }

  /** It tells when it has fewer than before; between these lines it has what it was given. */
  has(received: number, connections: number): void {
    this.#received = received
    this.#connections = connections
  }
}

/** Of those that take connections of the listener the one with the fewest, and of these who waited longest. */
export function leastBusy(members: Iterable<Member>, listener: number): Member | undefined {
  let found: Member | undefined
  for (const member of members) {
    if (!member.listeners.has(listener) || !member.worker.isConnected()) continue
    const difference = found === undefined ? -1 : member.connections - found.connections
    if (found === undefined || difference < 0 || (difference === 0 && member.lastGot < found.lastGot)) found = member
  }
  return found
}
