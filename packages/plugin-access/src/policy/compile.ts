import { AddressSet, parseHost } from '../addresses.ts'
import type { HostSpec } from '../addresses.ts'
import { comparableTitle, hasWildcard, titleMatcher } from '../patterns.ts'
import type { TitleComparison } from '../patterns.ts'
import type { PeerEntry, PeersFile, Profile, RuleEntry } from '../peers-file/types.ts'
import type { RefusalCause, RejectionTriple } from '../rejections.ts'
import { Rights } from '../rights.ts'
import { certificateMatcher, ruleMatcher } from './conditions.ts'
import type { Condition, Fit } from './conditions.ts'
import type { Facts } from './facts.ts'

/** Rights of a peer, and of those that no peer fits, when nothing is said of them. */
export const DEFAULT_RIGHTS: readonly string[] = ['echo', 'store']

/** A profile ready for use. */
export interface CompiledProfile {
  /** What its limits are counted under. */
  readonly key: string
  readonly profile: Profile
  readonly rights: Rights
  readonly mayCall: ((calledAeTitle: string) => boolean) | undefined
}

export interface CompiledPeer extends CompiledProfile {
  readonly entry: PeerEntry
  readonly name: string
  readonly hosts: readonly HostSpec[]
  isAt(address: string, addressesOf: NameAddresses): boolean
  readonly hasCertificate: Condition | undefined
}

export interface CompiledRule {
  readonly entry: RuleEntry
  /** From 1, as people count. */
  readonly number: number
  fit(facts: Facts, group: string | undefined): Fit
  /** Undefined: it decides on the association. */
  readonly services: Rights | undefined
}

/** The addresses that a host name has now. */
export type NameAddresses = (name: string) => AddressSet | undefined

export interface PolicySettings {
  readonly default: 'deny' | 'allow'
  readonly comparison: TitleComparison
  readonly calledAeTitles: readonly string[] | undefined
  readonly rejections: Readonly<Record<RefusalCause, RejectionTriple>>
}

/** The peers file with the options, ready to decide. It never changes: an association keeps the one it came in by. */
export interface Policy {
  readonly settings: PolicySettings
  readonly mayBeCalled: ((calledAeTitle: string) => boolean) | undefined
  readonly rules: readonly CompiledRule[]
  readonly peers: readonly CompiledPeer[]
  readonly unknown: CompiledProfile
  readonly hostNames: ReadonlySet<string>
  /** Peers that a calling AE title may be; those that name it before those with wildcards. */
  candidates(callingAeTitle: string): readonly CompiledPeer[]
}

/** What limits of unknown ones are counted under; no name of a peer has a space in front. */
const UNKNOWN_KEY = ' unknown'

export function compilePolicy(file: PeersFile, settings: PolicySettings): Policy {
  const { comparison, calledAeTitles } = settings
  const used = new Set<string>()
  const peers = file.peers.map((entry) => {
    const groupProfile = entry.group === undefined ? undefined : file.groups?.[entry.group]
    return compilePeer(entry, merged(file.defaults, groupProfile, entry), uniqueName(entry, used), comparison)
  })
  const byTitle = new Map<string, CompiledPeer[]>()
  const patterns: { readonly peer: CompiledPeer; readonly matches: (title: string) => boolean }[] = []
  for (const peer of peers) {
    for (const title of peer.entry.aeTitle) {
      if (hasWildcard(title)) patterns.push({ peer, matches: titleMatcher([title], comparison) })
      else {
        const key = comparableTitle(title, comparison)
        byTitle.set(key, [...(byTitle.get(key) ?? []), peer])
      }
    }
  }
  return {
    settings,
    mayBeCalled: calledAeTitles === undefined ? undefined : titleMatcher(calledAeTitles, comparison),
    rules: file.rules.map((entry, index) => ({
      entry,
      number: index + 1,
      fit: ruleMatcher(entry, comparison),
      services: entry.services === undefined ? undefined : new Rights(entry.services),
    })),
    peers,
    unknown: compileProfile(UNKNOWN_KEY, file.unknown ?? {}, comparison),
    hostNames: new Set(peers.flatMap(({ hosts }) => hosts.flatMap((host) => (host.kind === 'name' ? [host.name] : [])))),
    candidates(callingAeTitle) {
      const named = byTitle.get(comparableTitle(callingAeTitle, comparison)) ?? []
      const fitting = patterns.filter(({ matches }) => matches(callingAeTitle)).map(({ peer }) => peer)
      return [...new Set([...named, ...fitting])]
    },
  }
}

/** The later one holds; what is kept by key is so key by key. */
export function merged(...profiles: readonly (Profile | undefined)[]): Profile {
  const result: Record<string, unknown> = {}
  for (const profile of profiles) {
    for (const [key, value] of Object.entries(profile ?? {})) {
      if (value === undefined) continue
      const isByKey = key === 'limits' || key === 'timeouts' || key === 'quirks'
      result[key] = isByKey ? { ...(result[key] as object | undefined), ...(value as object) } : value
    }
  }
  return result as Profile
}

function uniqueName({ name, aeTitle }: PeerEntry, used: Set<string>): string {
  const wanted = (name ?? aeTitle[0] ?? '').trim()
  let unique = wanted
  for (let number = 2; used.has(unique); number++) unique = `${wanted} (${number})`
  used.add(unique)
  return unique
}

function compileProfile(key: string, profile: Profile, comparison: TitleComparison): CompiledProfile {
  const { allow = DEFAULT_RIGHTS, calledAeTitles } = profile
  return {
    key,
    profile,
    rights: new Rights(allow),
    mayCall: calledAeTitles === undefined ? undefined : titleMatcher(calledAeTitles, comparison),
  }
}

function compilePeer(entry: PeerEntry, profile: Profile, name: string, comparison: TitleComparison): CompiledPeer {
  const hosts = (entry.host ?? []).flatMap((text) => parseHost(text) ?? [])
  const addresses = AddressSet.of(hosts)
  return {
    ...compileProfile(name, profile, comparison),
    entry,
    name,
    hosts,
    isAt(address, addressesOf) {
      if (hosts.length === 0 || addresses.has(address)) return true
      return hosts.some((host) => host.kind === 'name' && addressesOf(host.name)?.has(address) === true)
    },
    hasCertificate: entry.certificate === undefined ? undefined : certificateMatcher(entry.certificate, comparison),
  }
}
