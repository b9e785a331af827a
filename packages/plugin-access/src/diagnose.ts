import type { Finding, ResolvedConfig } from '@dicomtap/framework'
import type { ResolvedAccessOptions } from './options.ts'
import { hasWildcard } from './patterns.ts'
import { readPeersFile } from './peers-file/read.ts'
import type { CertificateCondition } from './peers-file/types.ts'
import { SELF, hostOf } from './address-book.ts'
import type { CompiledPeer, Policy } from './policy/compile.ts'

export interface Diagnosis {
  readonly path: string
  readonly options: ResolvedAccessOptions
  readonly policy: Policy
  readonly isMissing: boolean
  readonly unresolved: readonly { readonly name: string; readonly problem: string }[]
  readonly config: ResolvedConfig
  readonly hasTls: boolean
  readonly hasUserIdentity: boolean
}

type Found = Omit<Finding, 'plugin'>

/** What an operator should know of the peers file. */
export async function diagnosePeers(diagnosis: Diagnosis): Promise<readonly Found[]> {
  const { path, options, policy, isMissing, unresolved } = diagnosis
  const findings: Found[] = []
  const error = (message: string): number => findings.push({ level: 'error', message })
  const warn = (message: string): number => findings.push({ level: 'warning', message })

  try {
    await readPeersFile(path)
  } catch (cause) {
    for (const line of (cause as Error).message.split('\n')) error(line)
  }
  if (policy.peers.length === 0 && policy.rules.length === 0) {
    const state = isMissing ? `${path} is not there` : `${path} names no peer`
    if (options.default === 'deny') error(`nobody may associate: ${state}; let somebody in: dicomtap peers add <AE title> --host <address>`)
    else warn(`everybody may associate: ${state}, and the default is to allow; they may ${policy.unknown.rights.names.join(', ') || 'nothing'}`)
  }
  for (const { name, problem } of unresolved) warn(`the host name ${name} in ${path} cannot be resolved (${problem}): its peers are not let in`)
  for (const message of duplicates(policy.peers)) warn(`${path}: ${message}`)
  for (const message of openPeers(policy)) warn(`${path}: ${message}`)
  for (const message of unmetConditions(diagnosis)) error(`${path}: ${message}`)
  for (const message of deadDestinations(policy)) warn(`${path}: ${message}`)
  if (policy.peers.some(({ profile }) => profile.quirks?.anyCalledAeTitle === true) && requiresCalledAeTitle(diagnosis.config)) {
    warn('requireCalledAeTitle of the configuration goes before the quirk anyCalledAeTitle: use calledAeTitles of this plugin instead')
  }
  return findings
}

function requiresCalledAeTitle({ requireCalledAeTitle, listen }: ResolvedConfig): boolean {
  return listen.length > 0 ? listen.some((one) => one.requireCalledAeTitle ?? requireCalledAeTitle ?? false) : requireCalledAeTitle === true
}

/** Two of the same title from the same place: the second is never met. */
function duplicates(peers: readonly CompiledPeer[]): string[] {
  const messages: string[] = []
  const seen = new Map<string, CompiledPeer[]>()
  for (const peer of peers) {
    for (const title of peer.entry.aeTitle) {
      for (const earlier of seen.get(title) ?? []) {
        const same = sharedHost(earlier, peer)
        if (earlier !== peer && same !== undefined && earlier.entry.certificate === undefined) {
          messages.push(`the peers ${earlier.name} and ${peer.name} have the AE title ${title} ${same}: the first is always taken`)
        }
      }
      seen.set(title, [...(seen.get(title) ?? []), peer])
    }
  }
  return [...new Set(messages)]
}

function sharedHost(a: CompiledPeer, b: CompiledPeer): string | undefined {
  if (a.hosts.length === 0) return 'from anywhere'
  const hosts = new Set(a.entry.host)
  const shared = b.entry.host?.find((host) => hosts.has(host))
  return shared === undefined ? undefined : `at ${shared}`
}

function openPeers({ peers }: Policy): string[] {
  return peers
    .filter(({ hosts, entry }) => hosts.length === 0 && entry.certificate === undefined)
    .map(({ name }) => `peer ${name} has neither host nor certificate: anybody may call himself so`)
}

/** What nobody can fulfil, because the plugin that would tell is missing. */
function unmetConditions({ policy, hasTls, hasUserIdentity }: Diagnosis): string[] {
  const asksForTitle = (condition: CertificateCondition | undefined): boolean => condition?.aeTitle === true
  const messages: string[] = []
  for (const { name, entry, profile } of policy.peers) {
    if (!hasTls && (entry.certificate !== undefined || profile.requireTls === true)) {
      messages.push(`peer ${name} must come over TLS, and @dicomtap/plugin-tls is not loaded: it is never let in`)
    }
    if (!hasTls && profile.tls !== undefined && profile.tls !== false) {
      messages.push(`peer ${name} is to be reached over TLS, and @dicomtap/plugin-tls is not loaded: nothing can be sent to it`)
    }
    if (!hasUserIdentity && profile.requireUserIdentity === true) {
      messages.push(`peer ${name} must identify its user, and @dicomtap/plugin-user-identity is not loaded: it is never let in`)
    }
  }
  for (const { number, entry } of policy.rules) {
    if (!hasTls && (entry.certificate !== undefined || entry.secured === true || asksForTitle(entry.certificate))) {
      messages.push(`rule ${number} asks for TLS, and @dicomtap/plugin-tls is not loaded: it never fits`)
    }
    if (!hasUserIdentity && entry.user !== undefined) {
      messages.push(`rule ${number} asks for a user, and @dicomtap/plugin-user-identity is not loaded: it never fits`)
    }
  }
  return messages
}

function deadDestinations({ peers }: Policy): string[] {
  const reachable = new Set(peers.filter((peer) => hostOf(peer) !== undefined && peer.profile.port !== undefined).flatMap(({ entry }) => entry.aeTitle))
  return peers.flatMap(({ name, entry, profile }) => {
    const dead = (entry.moveTo ?? profile.moveTo ?? []).filter((title) => !hasWildcard(title) && title !== SELF && !reachable.has(title))
    return dead.map((title) => `peer ${name} may have objects moved to ${title}, which no peer with host and port has for a title`)
  })
}
