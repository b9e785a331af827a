/** The last C-ECHO of one peer. */
export interface LastEcho {
  readonly callingAeTitle: string
  /** IP address; IPv4 in its usual form. */
  readonly address: string
  readonly at: Date
  /** The status it was answered with; 0 unless another plugin answered. */
  readonly status: number
  /** C-ECHO requests of this peer since it is remembered. */
  readonly count: number
}

/** The last echo of each peer, up to a number of peers: the one that was silent longest is forgotten first. */
export class EchoLog {
  readonly #maximumPeers: number
  /** Least recent first: a Map keeps the order of insertion. */
  readonly #echoes = new Map<string, LastEcho>()
  #latest: string | undefined

  constructor(maximumPeers: number) {
    this.#maximumPeers = maximumPeers
  }

  add(callingAeTitle: string, address: string, status: number): LastEcho {
    // An address has no space, so that two peers never share a key.
    const key = `${address} ${callingAeTitle}`
    const echo = { callingAeTitle, address, at: new Date(), status, count: (this.#echoes.get(key)?.count ?? 0) + 1 }
    // To delete and add again remakes the Map: not for a peer that echoes again and again.
    if (key !== this.#latest) this.#echoes.delete(key)
    this.#latest = key
    this.#echoes.set(key, echo)
    if (this.#echoes.size > this.#maximumPeers) {
      for (const [oldest] of this.#echoes) {
        this.#echoes.delete(oldest)
        break
      }
    }
    return echo
  }

  /** Most recent first. */
  list(): LastEcho[] {
    return [...this.#echoes.values()].reverse()
  }

  /** The most recent one with this title, from whatever address. */
  last(callingAeTitle: string): LastEcho | undefined {
    return this.list().find((echo) => echo.callingAeTitle === callingAeTitle)
  }
}
