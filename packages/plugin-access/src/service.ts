import type { Association, MoveDestination } from '@dicomtap/framework'
import type { CompiledPeer } from './policy/compile.ts'

/** A peer of the peers file, for other plugins. */
export interface AccessPeer {
  readonly name: string
  readonly aeTitles: readonly string[]
  readonly hosts: readonly string[]
  readonly port: number | undefined
  readonly group: string | undefined
  readonly rights: readonly string[]
}

/** What the plugin offers to others: `api.inject('access')`. */
export interface AccessService {
  /** The peer that an association is with; undefined for one that no peer of the file fits. */
  peerOf(association: Association): AccessPeer | undefined
  peers(): readonly AccessPeer[]
  /** Address and TLS of a peer by AE title; undefined when the file has no port and host for it. */
  destinationOf(aeTitle: string): MoveDestination | undefined
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    access: AccessService
  }
}

export function publicPeer({ name, entry, profile, rights }: CompiledPeer): AccessPeer {
  return {
    name,
    aeTitles: entry.aeTitle,
    hosts: entry.host ?? [],
    port: profile.port,
    group: entry.group,
    rights: rights.names,
  }
}
