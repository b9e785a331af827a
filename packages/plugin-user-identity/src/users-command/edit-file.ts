import { chmod, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Document } from 'yaml'
import { parseUsersYaml, usersOf } from '../users/users-document.ts'

const NEW_FILE = '# Users of dicomtap: dicomtap users add | list | remove | verify\nusers:\n'

/** The document in a file of users; undefined when there is no file. @throws an Error of one line. */
export async function readUsers(path: string): Promise<Document | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be read (${code ?? 'unreadable'})`, { cause: error })
  }
  return parse(text, path)
}

function parse(text: string, path: string): Document {
  try {
    const document = parseUsersYaml(text)
    usersOf(document)
    return document
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Changes a file of users, made when it is not there: written beside it with mode 0600, flushed, and put in its
 * place in one step. The new file is the lock: two commands cannot undo each other's change.
 */
export async function editUsers(path: string, edit: (document: Document) => void): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const draft = join(dirname(target), `.${basename(target)}.new`)
  const handle = await openDraft(draft, target)
  try {
    const document = (await readUsers(target)) ?? parse(NEW_FILE, target)
    edit(document)
    const text = document.toString({ lineWidth: 0 })
    // What would stop a server must not be written.
    parse(text, target)
    await keepOwner(handle, target)
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
    await chmod(draft, 0o600)
    await rename(draft, target)
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(draft, { force: true })
    throw error
  }
}

async function openDraft(draft: string, target: string): Promise<FileHandle> {
  try {
    return await open(draft, 'wx', 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new Error(`${target} is being changed; when nobody is at it, delete ${draft}`, { cause: error })
    throw new Error(`${target} cannot be written (${code ?? 'no reason given'})`, { cause: error })
  }
}

/** An administrator's change must not take the file from the account that the server runs as. */
async function keepOwner(handle: FileHandle, target: string): Promise<void> {
  const [old, own] = await Promise.all([stat(target).catch(() => undefined), handle.stat()])
  if (old === undefined || (old.uid === own.uid && old.gid === own.gid)) return
  try {
    await handle.chown(old.uid, old.gid)
  } catch (error) {
    if (old.uid === own.uid) return
    throw new Error(`${target} belongs to another account: run the command as that one`, { cause: error })
  }
}
