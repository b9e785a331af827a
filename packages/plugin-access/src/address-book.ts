import type { MoveDestination, OutgoingAssociationOptions } from '@dicomtap/framework'
import { plainAddress } from './addresses.ts'
import { comparableTitle, hasWildcard, matchesPattern } from './patterns.ts'
import type { CompiledPeer, CompiledProfile, Policy } from './policy/compile.ts'

/** Where a peer listens; undefined when the file does not say. */
export function hostOf(peer: CompiledPeer): string | undefined {
  for (const host of peer.hosts) {
    if (host.kind === 'name') return host.name
    if (host.prefix === undefined) return host.address
  }
  return undefined
}

function titlesOf(peer: CompiledPeer): string[] {
  return peer.entry.aeTitle.filter((title) => !hasWildcard(title)).map((title) => title.trim())
}

function calledAs(policy: Policy, aeTitle: string): { readonly peer: CompiledPeer; readonly title: string; readonly host: string; readonly port: number } | undefined {
  const { comparison } = policy.settings
  const wanted = comparableTitle(aeTitle, comparison)
  for (const peer of policy.candidates(aeTitle)) {
    const title = titlesOf(peer).find((one) => comparableTitle(one, comparison) === wanted)
    const host = hostOf(peer)
    const { port } = peer.profile
    if (title !== undefined && host !== undefined && port !== undefined) return { peer, title, host, port }
  }
  return undefined
}

/** The Move Destination of that AE title (PS3.4 C.4.2); undefined when no peer of that title has host and port. */
export function destinationOf(policy: Policy, aeTitle: string): MoveDestination | undefined {
  const found = calledAs(policy, aeTitle)
  if (found === undefined) return undefined
  const { peer, title, host, port } = found
  const { tls, callingAeTitle, limits, timeouts } = peer.profile
  return {
    host,
    port,
    calledAeTitle: title,
    ...(tls === undefined ? {} : { tls }),
    ...(callingAeTitle === undefined ? {} : { callingAeTitle }),
    ...(limits === undefined ? {} : { limits: withoutUndefined(limits) }),
    ...(timeouts === undefined ? {} : { timeouts: withoutUndefined(timeouts) }),
  }
}

/** In `moveTo`: the title that the peer itself calls by. */
export const SELF = 'self'

/** May somebody have objects moved there? Without `moveTo`: to every peer that can be reached. */
export function mayMoveTo(policy: Policy, { profile }: CompiledProfile, callingAeTitle: string, destination: string): boolean {
  const { comparison } = policy.settings
  const { moveTo } = profile
  const wanted = comparableTitle(destination, comparison)
  const own = comparableTitle(callingAeTitle, comparison)
  return (
    moveTo === undefined ||
    moveTo.some((pattern) => (pattern === SELF && wanted === own) || matchesPattern(comparableTitle(pattern, comparison), wanted))
  )
}

/** With the TLS that the file asks for, unless the caller said something of TLS. */
export function secured(policy: Policy, outgoing: OutgoingAssociationOptions): OutgoingAssociationOptions {
  const tls = outgoing.tls === undefined ? calledPeer(policy, outgoing)?.profile.tls : undefined
  return tls === undefined ? outgoing : { ...outgoing, tls }
}

/** Without the items that the peer cannot bear, whoever added them. */
export function bearable(policy: Policy, outgoing: OutgoingAssociationOptions): OutgoingAssociationOptions {
  const cannot = outgoing.asynchronousOperations !== undefined && calledPeer(policy, outgoing)?.profile.quirks?.noAsynchronousOperations === true
  return cannot ? { ...outgoing, asynchronousOperations: undefined } : outgoing
}

/** The peer that this side is about to associate with. */
function calledPeer(policy: Policy, outgoing: OutgoingAssociationOptions): CompiledPeer | undefined {
  return policy.candidates(outgoing.calledAeTitle).find((one) => isThere(one, outgoing))
}

function isThere(peer: CompiledPeer, { host, port }: OutgoingAssociationOptions): boolean {
  if (peer.profile.port !== port) return false
  const wanted = plainAddress(host).toLowerCase()
  return peer.hosts.some((one) => (one.kind === 'name' ? one.name === wanted : one.prefix === undefined && one.address.toLowerCase() === wanted))
}

function withoutUndefined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}
