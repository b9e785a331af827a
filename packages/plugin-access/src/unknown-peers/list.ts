import type { RefusalCause } from '../rejections.ts'

/** Somebody who knocked and is not known. What it calls itself is its own word. */
export interface UnknownPeer {
  readonly aeTitle: string
  readonly address: string
  readonly calledAeTitle: string
  /** Why it is here: nobody has its title, or somebody who is elsewhere, or has another certificate. */
  readonly cause: Extract<RefusalCause, 'unknown' | 'address' | 'certificate'>
  /** It was let in, as the default has it. */
  readonly wasLetIn: boolean
  readonly firstSeen: string
  readonly lastSeen: string
  readonly count: number
  /** Abstract syntaxes of its last request. */
  readonly contexts: readonly string[]
  readonly implementationClassUid?: string | undefined
  readonly implementationVersionName?: string | undefined
  /** It came over TLS with this certificate. */
  readonly certificate?: { readonly subject: string; readonly fingerprint: string } | undefined
}

export type Knock = Omit<UnknownPeer, 'firstSeen' | 'lastSeen' | 'count'>

const MAXIMUM_CONTEXTS = 32
const MAXIMUM_PER_ADDRESS = 16
const MAXIMUM_TEXT = 128

/** Text of a peer, short enough to be kept. */
function short(text: string): string {
  return text.slice(0, MAXIMUM_TEXT)
}

export function keyOf({ aeTitle, address }: Pick<UnknownPeer, 'aeTitle' | 'address'>): string {
  return `${address} ${aeTitle}`
}

/**
 * Those that knocked and are not known, so many and no more. One address has a few places at most, and when all are
 * taken the address that has most of them makes room: a flood of made-up titles drives out itself.
 */
export class UnknownPeers {
  readonly #maximum: number
  readonly #entries = new Map<string, UnknownPeer>()
  readonly #now: () => Date

  constructor(maximum: number, now: () => Date = () => new Date()) {
    this.#maximum = maximum
    this.#now = now
  }

  /** The one that knocked last is first. */
  get all(): UnknownPeer[] {
    return [...this.#entries.values()].reverse()
  }

  get keys(): Set<string> {
    return new Set(this.#entries.keys())
  }

  note(knock: Knock): void {
    const key = keyOf(knock)
    const known = this.#entries.get(key)
    const now = this.#now().toISOString()
    if (known === undefined) this.#makeRoom(knock.address)
    this.#entries.delete(key)
    const { aeTitle, address, calledAeTitle, cause, wasLetIn, contexts, implementationClassUid, implementationVersionName, certificate } = knock
    this.#entries.set(key, {
      aeTitle,
      address,
      calledAeTitle,
      cause,
      wasLetIn,
      firstSeen: known?.firstSeen ?? now,
      lastSeen: now,
      count: Math.min((known?.count ?? 0) + 1, Number.MAX_SAFE_INTEGER),
      contexts: [...new Set(contexts)].slice(0, MAXIMUM_CONTEXTS),
      ...(implementationClassUid === undefined ? {} : { implementationClassUid: short(implementationClassUid) }),
      ...(implementationVersionName === undefined ? {} : { implementationVersionName: short(implementationVersionName) }),
      ...(certificate === undefined ? {} : { certificate: { subject: short(certificate.subject), fingerprint: certificate.fingerprint } }),
    })
  }

  /** One that was kept before; one that is here already stays as it is. */
  restore(peer: UnknownPeer): void {
    const key = keyOf(peer)
    if (this.#entries.has(key) || this.#entries.size >= this.#maximum) return
    this.#entries.set(key, peer)
  }

  delete(key: string): boolean {
    return this.#entries.delete(key)
  }

  #makeRoom(address: string): void {
    const counts = new Map<string, number>()
    for (const entry of this.#entries.values()) counts.set(entry.address, (counts.get(entry.address) ?? 0) + 1)
    if ((counts.get(address) ?? 0) >= Math.min(MAXIMUM_PER_ADDRESS, this.#maximum)) this.#dropOldestOf(address)
    else if (this.#entries.size >= this.#maximum) {
      const [most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))
      this.#dropOldestOf(most)
    }
  }

  #dropOldestOf(address: string): void {
    for (const [key, entry] of this.#entries) {
      if (entry.address !== address) continue
      this.#entries.delete(key)
      return
    }
  }
}
