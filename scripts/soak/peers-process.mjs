import { fork } from 'node:child_process'

/**
 * Peers in a process of their own, see load.mjs.
 *
 * @param {{ port: number, seed: number, minutes: number, good: number, bad: number, healthy: number, mibPerMinute: number, secure?: { port: number, cert: string, key: string, ca: string } }} plan
 * `secure`: every third of the good and the bad peers comes over TLS
 */
export class PeersProcess {
  /** What it told last. */
  report
  /** Resolves when it has ended. */
  ended
  #child

  constructor(plan) {
    this.#child = fork(new URL('load.mjs', import.meta.url), [JSON.stringify(plan)])
    this.#child.on('message', (message) => (this.report = message))
    this.ended = new Promise((resolve) => this.#child.on('exit', resolve))
  }

  /** Did it come to its end, and tell all? */
  get isComplete() {
    return this.report?.kind === 'over'
  }

  stop() {
    if (this.#child.connected) this.#child.send('stop')
  }
}

/** What several tell, as if they were one. */
export function joined(load, health) {
  return {
    ...load,
    health: health.health,
    latencies: health.latencies,
    acknowledged: load.acknowledged + health.acknowledged,
    ledger: [...(load.ledger ?? []), ...(health.ledger ?? [])],
  }
}
