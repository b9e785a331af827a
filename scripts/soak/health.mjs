import { setTimeout as pause } from 'node:timers/promises'
import { GoodPeers } from './good-peers.mjs'

const PROBE_MS = 500
/** A healthy peer that waits longer than this has been starved, also on a machine that is busy with other things. */
const STARVED_MS = 15_000
const SLOW_MS = 1_000

/** Associates, verifies, stores, releases, again and again: what a healthy peer sees of the server. */
export class Health {
  /** From the first packet to the answer to C-ECHO. */
  #latencies
  #peer
  #tally

  constructor(options) {
    this.#latencies = options.latencies
    this.#tally = options.tally
    this.#peer = new GoodPeers({ ...options, mayStore: () => true, aeTitle: 'HEALTHY' })
  }

  async work(signal) {
    while (!signal.aborted) {
      const started = performance.now()
      try {
        const association = await this.#peer.associate()
        const { status } = await association.cEcho()
        const ms = performance.now() - started
        this.#latencies.add(ms)
        if (status !== 0) throw new Error(`C-ECHO was answered ${status}`)
        if (ms > SLOW_MS) this.#tally.add('slow probes')
        if (ms > STARVED_MS) this.#tally.problem('healthy peer', `waited for more than ${STARVED_MS} ms`)
        await this.#peer.store(association, 2_000)
        await association.release()
        this.#tally.add('probes')
      } catch (error) {
        this.#tally.problem('healthy peer', error)
      }
      await pause(PROBE_MS)
    }
  }

  close() {
    return this.#peer.close()
  }
}
