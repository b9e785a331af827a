import { type FileStatus, type FileSystem, statusOf, systemCode } from './file-system.ts'
import type { StagingArea } from './staging.ts'
import { giveBack, removeOrigin, writeOrigin } from './taken-files.ts'
import { isStaged } from './undecided.ts'

export interface TakeAwayOptions {
  readonly fileSystem: FileSystem
  readonly root: string
  readonly staging: StagingArea
  /** Whether a name is given only when it is free; otherwise an object may take the place of another at any moment. */
  readonly claimsNames: boolean
}

/** What became of a file. */
export interface Taken {
  readonly outcome: 'removed' | 'gone' | 'in-use' | 'newer' | 'handler' | 'system'
  /** Of `system`, the system's name of the error. */
  readonly code?: string | undefined
  /** Handlers were told that it goes, and it is there. */
  readonly isMistold: boolean
}

/**
 * Removes the name of a file while other processes may be storing under the same one.
 *
 * @param seen what is meant: anything else that has the name meanwhile stays.
 * @param announce told just before; false calls it off.
 */
export function takeAway(file: string, seen: FileStatus, options: TakeAwayOptions, announce: () => Promise<boolean>): Promise<Taken> {
  return options.claimsNames ? takeMarked(file, seen, options, announce) : takeMoved(file, seen, options, announce)
}

/**
 * Where names are claimed, no object takes the place of another. What may happen is that a process answers 0000 for
 * the file that is there. It gives that file a second name of its own first, and then looks for marks; this one marks
 * it first, and then looks for such names: one of them sees the other (see `awaitDecision`).
 */
async function takeMarked(file: string, seen: FileStatus, { fileSystem, staging }: TakeAwayOptions, announce: () => Promise<boolean>): Promise<Taken> {
  const mark = staging.newName('removing')
  const isMarked = await placeMark(fileSystem, staging, file, mark)
  try {
    const status = await statusOf(fileSystem, isMarked ? mark : file)
    if (status === undefined) return { outcome: 'gone', isMistold: false }
    if (!isSame(status, seen)) return { outcome: 'newer', isMistold: false }
    const { partialDirectory, left } = staging
    const isLinkedElsewhere = status.links > (isMarked ? 2 : 1)
    if (isLinkedElsewhere && (await isStaged(status, { fileSystem, partialDirectory, left }, (name) => name !== mark))) {
      return { outcome: 'in-use', isMistold: false }
    }
    if (!(await announce())) return { outcome: 'handler', isMistold: true }
    return await attempt(() => fileSystem.unlink(file))
  } finally {
    if (isMarked) await fileSystem.unlink(mark).catch(() => staging.left.add(mark))
  }
}

/** False when there is no file, or the file system or the file's owner does not allow it: then there is none. */
async function placeMark(fileSystem: FileSystem, staging: StagingArea, file: string, mark: string): Promise<boolean> {
  try {
    await fileSystem.link(file, mark)
    return true
  } catch (error) {
    const code = systemCode(error)
    // What a disk that is broken, read-only or full says of this, it would say of the rest.
    if (code === 'EIO' || code === 'EROFS') throw error
    if (code !== 'ENOENT' || (await statusOf(fileSystem, file)) === undefined) return false
  }
  // Somebody tidied up under a running server.
  await staging.makeDirectory()
  await fileSystem.link(file, mark)
  return true
}

/**
 * Where a newer object takes the place by rename(2), only what was taken tells which of the two it was. Another one
 * gets its name back, by whoever comes next if this process ends before.
 */
async function takeMoved(file: string, seen: FileStatus, { fileSystem, root, staging }: TakeAwayOptions, announce: () => Promise<boolean>): Promise<Taken> {
  const taken = staging.newName('taken')
  await writeOrigin(fileSystem, taken, root, file).catch(async (error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
    // Somebody tidied up under a running server.
    await staging.makeDirectory()
    await writeOrigin(fileSystem, taken, root, file)
  })
  const isAgreed = await announce()
  const moved = isAgreed ? await attempt(() => fileSystem.rename(file, taken)) : undefined
  if (moved?.outcome !== 'removed') {
    await removeOrigin(fileSystem, taken)
    return moved ?? { outcome: 'handler', isMistold: true }
  }
  let failure: unknown
  const status = await statusOf(fileSystem, taken).catch((error: unknown) => {
    failure = error
    return undefined
  })
  const isMeant = failure === undefined && (status === undefined || isSame(status, seen))
  try {
    if (!isMeant) await giveBack(fileSystem, taken, file)
  } catch (error) {
    // What was taken and where it was stay written down, for whoever sweeps here.
    return { outcome: 'system', code: systemCode(error) ?? 'EIO', isMistold: true }
  }
  await removeOrigin(fileSystem, taken)
  await fileSystem.unlink(taken).catch(() => staging.left.add(taken))
  if (failure !== undefined) return { outcome: 'system', code: systemCode(failure) ?? 'EIO', isMistold: true }
  return isMeant ? moved : { outcome: 'newer', isMistold: true }
}

async function attempt(act: () => Promise<void>): Promise<Taken> {
  try {
    await act()
    return { outcome: 'removed', isMistold: false }
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    return code === 'ENOENT' ? { outcome: 'gone', isMistold: false } : { outcome: 'system', code, isMistold: true }
  }
}

function isSame(status: FileStatus, seen: FileStatus): boolean {
  return status.fileId === seen.fileId && status.sizeBytes === seen.sizeBytes && status.modifiedAtMs === seen.modifiedAtMs
}
