import { chmod, open, realpath, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { YAMLSeq, isMap, isSeq } from 'yaml'
import type { Document, Node, YAMLMap } from 'yaml'
import { parsePeersFile } from './parse.ts'
import { readPeersFile } from './read.ts'
import type { PeersFile } from './types.ts'

const NEW_FILE = `# yaml-language-server: $schema=./node_modules/@dicomtap/plugin-access/peers.schema.json
# Who may associate. A server that runs reads it again by itself.
# dicomtap peers add | remove | test
peers:
`

/**
 * Changes a peers file, made when it is not there: written beside it, flushed, and put in its place in one step, with
 * its comments. The new file is the lock: two commands cannot undo each other's change.
 *
 * @throws Error of one line
 */
export async function editPeersFile(path: string, edit: (document: Document, file: PeersFile) => void): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const draft = join(dirname(target), `.${basename(target)}.new`)
  const handle = await openDraft(draft, target)
  try {
    const isJson = extname(target).toLowerCase() === '.json'
    const read = (await readPeersFile(target)) ?? parsePeersFile(isJson ? '{"peers": []}' : NEW_FILE, basename(target))
    edit(read.document, read.file)
    const text = isJson ? `${JSON.stringify(read.document.toJS(), null, 2)}\n` : read.document.toString({ lineWidth: 0, flowCollectionPadding: false })
    // What a server could not use must not be written.
    parsePeersFile(text, basename(target))
    await keepOwner(handle, target, draft)
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
    await rename(draft, target)
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(draft, { force: true })
    throw error
  }
}

async function openDraft(draft: string, target: string): Promise<FileHandle> {
  try {
    return await open(draft, 'wx', 0o640)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new Error(`${target} is being changed; when nobody is at it, delete ${draft}`, { cause: error })
    throw new Error(`${target} cannot be written (${code ?? 'no reason given'})`, { cause: error })
  }
}

/** An administrator's change must not take the file from the account that the server runs as. */
async function keepOwner(handle: FileHandle, target: string, draft: string): Promise<void> {
  const [old, own] = await Promise.all([stat(target).catch(() => undefined), handle.stat()])
  if (old === undefined) return
  await chmod(draft, old.mode & 0o777)
  if (old.uid === own.uid && old.gid === own.gid) return
  try {
    await handle.chown(old.uid, old.gid)
  } catch (error) {
    if (old.uid === own.uid) return
    throw new Error(`${target} belongs to another account: run the command as that one`, { cause: error })
  }
}

/** The list of peers in a document, made when there is none. */
export function peersOf(document: Document): YAMLSeq<Node> {
  const peers = document.get('peers')
  if (isSeq(peers)) return peers as YAMLSeq<Node>
  const made = new YAMLSeq<Node>()
  document.set('peers', made)
  return made
}

/** A peer of the list as it is written. */
export function peerAt(document: Document, index: number): YAMLMap {
  const peer = peersOf(document).get(index, true)
  if (!isMap(peer)) throw new Error(`peers[${index}] is no map of its own: change it by hand`)
  return peer as YAMLMap
}
