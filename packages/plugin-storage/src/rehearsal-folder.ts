import fs from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { RESERVED_FOLDER } from './path-template.ts'

const MEMORY_FOLDER = '/dev/shm'
/** `f_type` of tmpfs, statfs(2). */
const TMPFS = 0x01021994
const NEEDED_BYTES = 24 * 1024 * 1024
const NAME = /^dicomtap-rehearsal-(\d+)-/

/** Where a rehearsal stores. */
export interface RehearsalFolder {
  readonly path: string
  /** Removes the objects that are in it. */
  tidy(): void
  remove(): Promise<void>
}

/**
 * A folder of this process alone, in memory where the system has some: on ext4 a folder is slow for minutes after many
 * files in it were removed. Undefined where there is none.
 */
export async function makeRehearsalFolder(): Promise<RehearsalFolder | undefined> {
  const parent = await memoryFolder()
  if (parent === undefined) return undefined
  await removeLeftovers(parent)
  const root = await mkdtemp(path.join(parent, `dicomtap-rehearsal-${process.pid}-`))
  // With it the store takes the folder for one that it knows, and syncs nothing above it.
  await mkdir(path.join(root, RESERVED_FOLDER))
  return {
    path: root,
    tidy: () => removeFiles(root),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}

async function memoryFolder(): Promise<string | undefined> {
  if (process.platform !== 'linux') return tmpdir()
  try {
    const { type, bavail, bsize } = await statfs(MEMORY_FOLDER)
    return type === TMPFS && bavail * bsize > NEEDED_BYTES ? MEMORY_FOLDER : undefined
  } catch {
    return undefined
  }
}

/** Of processes that were killed while they rehearsed. */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(NAME.exec(name)?.[1])
    if (!Number.isInteger(pid) || isAlive(pid)) continue
    const folder = path.join(parent, name)
    if (await isOurs(folder)) await rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}

/**
 * Everybody may make such a name there: in a folder of somebody else a folder could become a link to another place while
 * it is being removed.
 */
async function isOurs(folder: string): Promise<boolean> {
  const status = await lstat(folder).catch(() => undefined)
  return status?.isDirectory() === true && (process.geteuid === undefined || status.uid === process.geteuid())
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** At once: a few hundred files at most, in memory. What cannot be removed goes with the folder. */
function removeFiles(root: string): void {
  const walk = (folder: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name)
      if (!entry.isDirectory()) fs.unlinkSync(file)
      else if (entry.name !== RESERVED_FOLDER) walk(file)
    }
  }
  try {
    walk(root)
  } catch {
    // The folder is being removed, or an object is just on its way into it.
  }
}
