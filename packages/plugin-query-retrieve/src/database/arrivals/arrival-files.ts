import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning } from '../../is-running.ts'

const OWN: unique symbol = Symbol.for('dicomtap.query-retrieve.arrivals')
const FOLDER_MODE = 0o750
const FILE_MODE = 0o640
/** Where its process is counted, the number that it has there, what tells it from others of that number, and a count. */
const NAME = /^(\d+)-(\d+)-[0-9a-f]{16}-\d+$/

/** Containers may count their processes each by itself (pid_namespaces(7)); elsewhere there is one count. */
const SPACE = namespaceOf('/proc/self/ns/pid')

function namespaceOf(link: string): string {
  try {
    return /\d+/.exec(readlinkSync(link))?.[0] ?? '0'
  } catch {
    return '0'
  }
}

/** Of this process, whichever copy of this module made them. */
const OWN_PREFIXES = ((globalThis as { [OWN]?: Set<string> })[OWN] ??= new Set<string>())

/** A file of another process as it was seen. */
export interface ForeignFile {
  readonly name: string
  readonly sizeBytes: number
  readonly ageMs: number
  /** Its process is gone. False: it lives, or nobody knows. */
  readonly isOrphan: boolean
}

/**
 * Paths of stored objects that the index does not have yet, a line of JSON each, in a folder beside the database. A file
 * is written by one process, for a moment, and removed when the index has all of it: so whoever finds none there knows
 * that nothing is missing, and after a crash they tell what is. They are not synced: what a power failure takes, the
 * comparison at the next start finds.
 *
 * All of it is made at once, by the thread of the service, and throws what the system says.
 */
export class ArrivalFiles {
  readonly #folder: string
  readonly #prefix = `${SPACE}-${process.pid}-${randomBytes(8).toString('hex')}-`
  #count = 0
  #open: { readonly name: string; readonly descriptor: number } | undefined

  constructor(folder: string) {
    this.#folder = folder
    OWN_PREFIXES.add(this.#prefix)
  }

  /** With the operating system when it returns. */
  append(path: string): void {
    this.#open ??= this.#make()
    const line = `${JSON.stringify(path)}\n`
    if (writeSync(this.#open.descriptor, line) !== Buffer.byteLength(line)) throw Object.assign(new Error('The line was cut'), { code: 'ENOSPC' })
  }

  /** The name of the file that was appended to; the next line begins a new one. */
  seal(): string | undefined {
    const open = this.#open
    if (open === undefined) return undefined
    this.#open = undefined
    try {
      closeSync(open.descriptor)
    } catch {
      // What was written is written.
    }
    return open.name
  }

  /** Also one that is gone. */
  remove(name: string): void {
    try {
      unlinkSync(join(this.#folder, name))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  /** Names of files of other processes, and of other indexes in this one. */
  foreign(): readonly string[] {
    try {
      const entries = readdirSync(this.#folder, { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isFile() && NAME.test(entry.name) && !entry.name.startsWith(this.#prefix) ? [entry.name] : []))
    } catch (error) {
      if (isGone(error)) return []
      throw error
    }
  }

  look(name: string): ForeignFile | undefined {
    try {
      const { size, mtimeMs } = statSync(join(this.#folder, name))
      return { name, sizeBytes: size, ageMs: Date.now() - mtimeMs, isOrphan: isOrphan(name) }
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }

  /** What is in one; a line that a power failure cut says nothing. */
  read(name: string): readonly string[] {
    let text: string
    try {
      text = readFileSync(join(this.#folder, name), 'utf8')
    } catch (error) {
      if (isGone(error)) return []
      throw error
    }
    return text.split('\n').flatMap((line) => pathOf(line) ?? [])
  }

  /** What is left is of nobody any more: whoever finds it sees to it. */
  close(): void {
    OWN_PREFIXES.delete(this.#prefix)
  }

  #make(): { readonly name: string; readonly descriptor: number } {
    const name = this.#prefix + String(++this.#count)
    const file = join(this.#folder, name)
    const open = (): number => openSync(file, 'ax', FILE_MODE)
    try {
      return { name, descriptor: open() }
    } catch (error) {
      if (!isGone(error)) throw error
    }
    mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE })
    return { name, descriptor: open() }
  }
}

function pathOf(line: string): string | undefined {
  try {
    const path: unknown = JSON.parse(line)
    return typeof path === 'string' ? path : undefined
  } catch {
    return undefined
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function isOrphan(name: string): boolean {
  const [, space, pid] = NAME.exec(name) ?? []
  if (space !== SPACE) return false
  // One that was started anew may have the number that it had before.
  return Number(pid) === process.pid ? ![...OWN_PREFIXES].some((prefix) => name.startsWith(prefix)) : !isRunning(Number(pid))
}
