import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { CommandInvocation } from '@dicomtap/framework'
import { visit } from 'yaml'
import type { Node } from 'yaml'
import { comparableTitle } from '../patterns.ts'
import { editPeersFile, peerAt, peersOf } from '../peers-file/edit.ts'
import type { PeersFile } from '../peers-file/types.ts'
import { rightsFor } from '../rights.ts'
import { readUnknownPeers, writeUnknownPeers } from '../unknown-peers/file.ts'
import type { UnknownPeer } from '../unknown-peers/list.ts'
import { CommandError, contextOf, jsonLines, printable } from './context.ts'
import type { PeersContext } from './context.ts'

function titleOf(invocation: CommandInvocation): string {
  const [title = ''] = invocation.arguments
  const text = String(title).trim()
  if (!/^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(text)) throw new CommandError('an AE title has 1 to 16 characters and no backslash', 2)
  return text
}

function listOf(value: unknown): string[] | undefined {
  if (typeof value !== 'string') return undefined
  return value.split(',').map((one) => one.trim()).filter((one) => one !== '')
}

/** Lets a peer in, or changes one: what is given is added or takes the place of what was. */
export async function add(invocation: CommandInvocation): Promise<void> {
  const title = titleOf(invocation)
  const { options: flags, stdout } = invocation
  const context = await contextOf(invocation)
  const seen = (await unknownOf(context)).filter((peer) => same(peer.aeTitle, title))
  let isNew = true
  let hosts: readonly string[] | undefined
  let known: UnknownPeer | undefined
  let fields: Readonly<Record<string, unknown>> = {}
  await editPeersFile(context.path, (document, file) => {
    const index = indexOf(file, title)
    isNew = index === undefined
    const old = index === undefined ? undefined : (file.peers[index]?.host ?? [])
    hosts = hostsFor(title, flags, seen, old)
    known = seen.find(({ address }) => hosts === undefined || hosts.includes(address)) ?? seen[0]
    fields = givenFields(flags, known)
    if (index === undefined) {
      const peer = document.createNode({ aeTitle: title, ...(hosts === undefined ? {} : { host: single(hosts) }), ...fields })
      peersOf(document).add(inLine(peer))
      return
    }
    const peer = peerAt(document, index)
    if (hosts === undefined) peer.delete('host')
    else if (!isDeepStrictEqual(hosts, old)) peer.set('host', inLine(document.createNode(single(hosts))))
    for (const [key, value] of Object.entries(fields)) peer.set(key, inLine(document.createNode(value)))
  })
  const where = hosts === undefined ? 'from anywhere' : `at ${(hosts as readonly string[]).join(', ')}`
  if (flags['json'] === true) {
    stdout.write(jsonLines({ file: context.path, aeTitle: title, hosts: hosts ?? [], isNew, ...fields }))
    return
  }
  stdout.write(`${basename(context.path)}: ${title} ${isNew ? 'may associate' : 'was changed'}, ${where}.\n`)
  const asked = known === undefined ? [] : rightsFor(known.contexts)
  if (isNew && fields['allow'] === undefined && asked.length > 0) stdout.write(`It asked for: ${printable(asked.join(', '))}. To say what it may: dicomtap peers add ${title} --allow ${asked.join(',')}\n`)
}

/** Where it may come from; undefined: from anywhere. @param old of a peer that is there already */
function hostsFor(
  title: string,
  flags: CommandInvocation['options'],
  seen: readonly UnknownPeer[],
  old: readonly string[] | undefined,
): readonly string[] | undefined {
  if (flags['anyHost'] === true) return undefined
  const given = listOf(flags['host'])
  if (given !== undefined && given.length > 0) return given
  const addresses = [...new Set(seen.map(({ address }) => address))]
  // It came from another place than it should: now it may.
  if (old !== undefined && addresses.length <= 1) return old.length === 0 ? undefined : [...new Set([...old, ...addresses])]
  if (addresses.length === 1) return addresses
  if (addresses.length === 0) throw new CommandError(`${title} has not knocked: say where it comes from with --host, or --any-host`)
  throw new CommandError(`${title} knocked from ${addresses.join(', ')}: say which with --host`)
}

function givenFields(flags: CommandInvocation['options'], known: UnknownPeer | undefined): Record<string, unknown> {
  const { port, group, name, description } = flags
  const allow = listOf(flags['allow'])
  const moveTo = listOf(flags['moveTo'])
  if (flags['pin'] === true && known?.certificate === undefined) throw new CommandError('no certificate was seen of it: it must have knocked over TLS with one')
  const number = port === undefined ? undefined : Number(port)
  if (number !== undefined && !(Number.isInteger(number) && number >= 1 && number <= 65_535)) throw new CommandError('--port must be 1 to 65535', 2)
  return {
    ...(name === undefined ? {} : { name }),
    ...(number === undefined ? {} : { port: number }),
    ...(flags['tls'] === true ? { tls: true } : {}),
    ...(group === undefined ? {} : { group }),
    ...(allow === undefined ? {} : { allow }),
    ...(moveTo === undefined ? {} : { moveTo }),
    ...(flags['pin'] === true ? { certificate: { fingerprint: known?.certificate?.fingerprint } } : {}),
    ...(description === undefined ? {} : { description }),
  }
}

/** Takes a peer out, by its name or AE title. */
export async function remove(invocation: CommandInvocation): Promise<void> {
  const title = titleOf(invocation)
  const context = await contextOf(invocation)
  await editPeersFile(context.path, (document, file) => {
    const byName = file.peers.findIndex(({ name }) => name === title)
    const byTitle = file.peers.flatMap(({ aeTitle }, index) => (aeTitle.some((one) => same(one, title)) ? [index] : []))
    if (byName === -1 && byTitle.length > 1) throw new CommandError(`${byTitle.length} peers have the AE title ${title}: give them names, and remove one by its name`)
    const index = byName === -1 ? byTitle[0] : byName
    if (index === undefined) throw new CommandError(`${basename(context.path)} has no peer ${title}`)
    const titles = file.peers[index]?.aeTitle ?? []
    if (byName === -1 && titles.length > 1) {
      peerAt(document, index).set('aeTitle', document.createNode(single(titles.filter((one) => !same(one, title)))))
    } else {
      peersOf(document).delete(index)
    }
  })
  report(invocation, { file: context.path, removed: title }, `${basename(context.path)}: ${title} is removed. Associations that it has go on.`)
}

/** Takes unknown peers off the list. */
export async function forget(invocation: CommandInvocation): Promise<void> {
  const { options: flags, arguments: [given] } = invocation
  const isAll = flags['all'] === true
  if (isAll === (given !== undefined)) throw new CommandError('name an AE title, or --all', 2)
  const context = await contextOf(invocation)
  if (context.unknownPath === undefined) throw new CommandError('the configuration has unknownPeers: false: no list is kept')
  const unknown = await unknownOf(context)
  const { address } = flags
  const kept = isAll ? [] : unknown.filter((peer) => !same(peer.aeTitle, String(given)) || (address !== undefined && peer.address !== address))
  const forgotten = unknown.length - kept.length
  if (forgotten === 0 && !isAll) throw new CommandError(`${printable(String(given))} is not on the list`)
  if (forgotten > 0) await writeUnknownPeers(context.unknownPath, kept)
  report(invocation, { file: context.unknownPath, forgotten }, `${forgotten} forgotten.`)
}

function report({ options, stdout }: CommandInvocation, json: object, text: string): void {
  stdout.write(options['json'] === true ? jsonLines(json) : `${text}\n`)
}

async function unknownOf({ unknownPath }: PeersContext): Promise<readonly UnknownPeer[]> {
  return unknownPath === undefined ? [] : readUnknownPeers(unknownPath)
}

function same(a: string, b: string): boolean {
  return comparableTitle(a, 'exact') === comparableTitle(b, 'exact')
}

function indexOf(file: PeersFile, title: string): number | undefined {
  const found = file.peers.flatMap(({ aeTitle }, index) => (aeTitle.some((one) => same(one, title)) ? [index] : []))
  if (found.length > 1) throw new CommandError(`${found.length} peers have the AE title ${title}: change them by hand`)
  return found[0]
}

/** Lists in one line, as people write them; a peer with a line for each of its values. */
function inLine<Made extends Node>(node: Made): Made {
  visit(node, { Seq: (_key, list) => void (list.flow = true) })
  return node
}

function single(values: readonly string[]): string | readonly string[] {
  return values.length === 1 ? (values[0] as string) : values
}
