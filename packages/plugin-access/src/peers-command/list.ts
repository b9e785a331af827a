import { basename } from 'node:path'
import type { CommandInvocation } from '@dicomtap/framework'
import { CAUSE_WORDS } from '../rejections.ts'
import { rightsFor } from '../rights.ts'
import { readUnknownPeers } from '../unknown-peers/file.ts'
import type { UnknownPeer } from '../unknown-peers/list.ts'
import type { CompiledPeer } from '../policy/compile.ts'
import { contextOf, jsonLines, readPolicy, table } from './context.ts'

export async function list(invocation: CommandInvocation): Promise<void> {
  const { options: flags, stdout } = invocation
  const context = await contextOf(invocation)
  const { policy, isMissing, file } = await readPolicy(context)
  let unreadable: Error | undefined
  const unknown = await unknownPeersOf(context.unknownPath).catch((error: unknown) => {
    // The peers are shown all the same: another account may read those and not the list.
    if (flags['json'] === true) throw error
    unreadable = error as Error
    return []
  })
  if (flags['json'] === true) {
    const answer = {
      file: context.path,
      default: context.options.default,
      peers: policy.peers.map(peerAsJson),
      rules: file.rules,
      unknown: unknown.map((peer) => ({ ...peer, rights: rightsFor(peer.contexts) })),
    }
    stdout.write(jsonLines(answer))
    return
  }
  const name = basename(context.path)
  if (isMissing) stdout.write(`There is no ${name} yet.\n`)
  else if (policy.peers.length === 0) stdout.write(`${name} has no peers.\n`)
  else stdout.write(table([['PEER', 'AE TITLE', 'HOST', 'PORT', 'GROUP', 'MAY'], ...policy.peers.map(peerRow)]))
  if (policy.rules.length > 0) stdout.write(`${policy.rules.length} rule${policy.rules.length === 1 ? '' : 's'} go${policy.rules.length === 1 ? 'es' : ''} before.\n`)
  stdout.write(context.options.default === 'deny' ? 'Everybody else is refused.\n' : 'Everybody else is let in, as the default has it.\n')
  if (unreadable !== undefined) throw unreadable
  if (unknown.length === 0) return
  stdout.write(`\nUnknown, and knocked:\n${table([['AE TITLE', 'ADDRESS', 'LAST SEEN', 'TIMES', 'ASKED FOR', 'IMPLEMENTATION', ''], ...unknown.map(unknownRow)])}`)
  stdout.write('\nTo let one in: dicomtap peers add <AE title>\n')
}

async function unknownPeersOf(path: string | undefined): Promise<readonly UnknownPeer[]> {
  return path === undefined ? [] : readUnknownPeers(path)
}

function peerRow({ name, entry, profile, rights }: CompiledPeer): string[] {
  return [
    name,
    entry.aeTitle.join(', '),
    [...(entry.host ?? (entry.certificate === undefined ? ['anywhere'] : [])), ...(entry.certificate === undefined ? [] : ['by certificate'])].join(', '),
    profile.port === undefined ? '' : String(profile.port),
    entry.group ?? '',
    rights.names.join(', ') || 'nothing',
  ]
}

function unknownRow(peer: UnknownPeer): string[] {
  return [
    peer.aeTitle,
    peer.address,
    peer.lastSeen.replace('T', ' ').replace(/\..*/, ''),
    String(peer.count),
    rightsFor(peer.contexts).join(', '),
    peer.implementationVersionName ?? '',
    peer.wasLetIn ? 'let in by the default' : peer.cause === 'unknown' ? '' : CAUSE_WORDS[peer.cause],
  ]
}

export function peerAsJson({ name, entry, profile, rights }: CompiledPeer): Record<string, unknown> {
  return { name, aeTitles: entry.aeTitle, hosts: entry.host ?? [], port: profile.port, group: entry.group, rights: rights.names, description: entry.description }
}
