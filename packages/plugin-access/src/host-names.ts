import { lookup as systemLookup } from 'node:dns/promises'
import type { Logger } from '@dicomtap/framework'
import { AddressSet } from './addresses.ts'

/** All addresses of a name. Rejects when it has none. */
export type Lookup = (name: string) => Promise<readonly string[]>

export interface HostNamesOptions {
  readonly log: Pick<Logger, 'warn' | 'info'>
  readonly resolveMs: number
  readonly lookup?: Lookup
  readonly now?: () => number
}

interface Resolved {
  addresses: AddressSet | undefined
  /** When it was last asked for, whatever came of it. */
  askedAtMs: number
  problem: string | undefined
}

/** How long somebody who knocks has to wait for a name that is looked up for its sake. */
const LOOKUP_DEADLINE_MS = 3_000
/** A name is not looked up for somebody who knocks more often than this. */
const SOONEST_MS = 10_000
/** Lookups of the system run in few threads, which others need too. */
const AT_ONCE = 2

/**
 * The addresses of the host names in the peers file: looked up at the start, anew every while, and sooner when
 * somebody with a known title comes from an unknown address. What a name had before holds while it cannot be resolved.
 */
export class HostNames {
  readonly #options: HostNamesOptions
  readonly #lookup: Lookup
  readonly #now: () => number
  readonly #names = new Map<string, Resolved>()
  #timer: NodeJS.Timeout | undefined
  #running = new Map<string, Promise<void>>()

  constructor(options: HostNamesOptions) {
    this.#options = options
    this.#lookup = options.lookup ?? (async (name) => (await systemLookup(name, { all: true })).map(({ address }) => address))
    this.#now = options.now ?? (() => performance.now())
  }

  readonly addressesOf = (name: string): AddressSet | undefined => this.#names.get(name)?.addresses

  /** Names that cannot be resolved, and why. */
  get problems(): readonly { readonly name: string; readonly problem: string }[] {
    return [...this.#names].flatMap(([name, { problem }]) => (problem === undefined ? [] : [{ name, problem }]))
  }

  /** From now on these. Resolves when the new ones are known, or took too long. */
  async use(names: ReadonlySet<string>): Promise<void> {
    for (const name of this.#names.keys()) if (!names.has(name)) this.#names.delete(name)
    const fresh = [...names].filter((name) => !this.#names.has(name))
    for (const name of fresh) this.#names.set(name, { addresses: undefined, askedAtMs: Number.NEGATIVE_INFINITY, problem: undefined })
    await withinDeadline(this.#resolveAll(fresh))
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#resolveAll([...this.#names.keys()]), this.#options.resolveMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Looks names up anew unless that was done a moment ago. @returns false: nothing can have changed */
  async refresh(names: readonly string[]): Promise<boolean> {
    const old = names.filter((name) => this.#now() - (this.#names.get(name)?.askedAtMs ?? Number.POSITIVE_INFINITY) >= SOONEST_MS)
    if (old.length === 0) return false
    await withinDeadline(this.#resolveAll(old))
    return true
  }

  async #resolveAll(names: readonly string[]): Promise<void> {
    const left = [...names]
    const work = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) await this.#resolve(name)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }

  #resolve(name: string): Promise<void> {
    const running = this.#running.get(name)
    if (running !== undefined) return running
    const started = this.#resolveOnce(name).finally(() => this.#running.delete(name))
    this.#running.set(name, started)
    return started
  }

  async #resolveOnce(name: string): Promise<void> {
    const entry = this.#names.get(name)
    if (entry === undefined) return
    entry.askedAtMs = this.#now()
    const { log } = this.#options
    try {
      entry.addresses = AddressSet.ofAddresses(await this.#lookup(name))
      if (entry.problem !== undefined) log.info('a host name of the peers file can be resolved again', { host: name })
      entry.problem = undefined
    } catch (error) {
      const problem = (error as NodeJS.ErrnoException).code ?? 'no address'
      if (entry.problem === undefined) {
        const holds = entry.addresses === undefined ? 'its peers are not let in' : 'its last addresses hold'
        log.warn(`a host name of the peers file cannot be resolved; ${holds}`, { host: name, problem })
      }
      entry.problem = problem
    }
  }
}

async function withinDeadline(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOOKUP_DEADLINE_MS)
  })
  await Promise.race([work, deadline])
  clearTimeout(timer)
}
