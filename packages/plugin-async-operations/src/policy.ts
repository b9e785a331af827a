import type { PeerRule, ResolvedAsyncOperationsOptions, Window } from './options.ts'

/** Who is at the other end of an association. */
export interface Peer {
  readonly aeTitle: string
  /** IP address, or the host name that this side calls. */
  readonly host: string
}

/** The window for a peer, as this side sees it; undefined when nothing is to be negotiated. */
export function windowFor(options: ResolvedAsyncOperationsOptions, role: 'acceptor' | 'requestor', peer: Peer): Window | undefined {
  const settings = options[role]
  const rule = options.peers.find((candidate) => isFor(candidate, peer))
  if (rule?.off ?? settings.off) return undefined
  return { performed: rule?.performed ?? settings.performed, invoked: rule?.invoked ?? settings.invoked }
}

function isFor(rule: PeerRule, peer: Peer): boolean {
  return (
    (rule.aeTitle === undefined || isTitleLike(rule.aeTitle, peer.aeTitle)) &&
    (rule.host === undefined || rule.host.toLowerCase() === peer.host.toLowerCase())
  )
}

/** AE titles are compared without the spaces around them (PS3.5 6.2), and with their case. */
function isTitleLike(pattern: string, aeTitle: string): boolean {
  const title = aeTitle.trim()
  return pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1).trimStart()) : title === pattern.trim()
}
