import type { BigIntStats } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import type { UnknownPeer } from './list.ts'

const text = z.string().max(256)

/** What is read was written by a server; it may have been changed by anybody. */
const entry: z.ZodType<UnknownPeer> = z.object({
  aeTitle: text,
  address: text,
  calledAeTitle: text,
  cause: z.enum(['unknown', 'address', 'certificate']),
  wasLetIn: z.boolean(),
  firstSeen: z.iso.datetime(),
  lastSeen: z.iso.datetime(),
  count: z.int().min(1),
  contexts: z.array(text).max(64),
  implementationClassUid: text.optional(),
  implementationVersionName: text.optional(),
  certificate: z.object({ subject: text, fingerprint: text }).optional(),
}) as z.ZodType<UnknownPeer>

/** A server reads and checks the list in one turn of the event loop. */
export const MAXIMUM_UNKNOWN_PEERS = 1_000

const file = z.object({ version: z.literal(1), unknownPeers: z.array(entry).max(MAXIMUM_UNKNOWN_PEERS) })

/** Each as long as it may be, with room for who writes it otherwise. */
const MAXIMUM_BYTES = 16 * 1_048_576

/** Beside the peers file: `peers.yaml` has `peers.unknown.json`. */
export function unknownPeersPath(peersPath: string): string {
  return join(dirname(peersPath), `${basename(peersPath).replace(/\.(?:ya?ml|json)$/i, '')}.unknown.json`)
}

/** Those of the file, the one that knocked last first; none when there is no file. @throws Error of one line */
export async function readUnknownPeers(path: string): Promise<readonly UnknownPeer[]> {
  try {
    if ((await stat(path)).size > MAXIMUM_BYTES) throw new Error('it is too large')
    const parsed = file.safeParse(JSON.parse(await readFile(path, 'utf8')))
    if (!parsed.success) throw new Error('it is not a list of unknown peers')
    return parsed.data.unknownPeers
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    throw new Error(`The list of unknown peers ${path} cannot be read (${code ?? message})`, { cause })
  }
}

/** Tells whether the file was changed in between; undefined when there is none. */
export async function versionOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  return found === undefined ? undefined : versionIn(found)
}

function versionIn({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`
}

/**
 * Written beside it and put in its place, so that nobody reads half of it.
 * @returns its version
 * @throws Error of one line
 */
export async function writeUnknownPeers(path: string, unknownPeers: readonly UnknownPeer[]): Promise<string> {
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.new`)
  try {
    await rm(draft, { force: true })
    const handle = await open(draft, 'wx', 0o600)
    let version: string
    try {
      await keepOwner(handle, path)
      await handle.writeFile(`${JSON.stringify({ version: 1, unknownPeers }, null, 2)}\n`)
      version = versionIn(await handle.stat({ bigint: true }))
    } finally {
      await handle.close()
    }
    await rename(draft, path)
    return version
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw new Error(`The list of unknown peers ${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'no reason given'})`, { cause })
  }
}

/** `dicomtap peers forget` of an administrator must not take the list from the account that the server runs as. */
async function keepOwner(handle: FileHandle, path: string): Promise<void> {
  const [old, own] = await Promise.all([stat(path).catch(() => undefined), handle.stat()])
  if (old === undefined || (old.uid === own.uid && old.gid === own.gid)) return
  await handle.chown(old.uid, old.gid).catch(() => {})
}
