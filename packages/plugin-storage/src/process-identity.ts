import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'

/** Which process a staging folder belongs to, as it stands in the folder's name. */
export interface ProcessIdentity {
  /** Stands for the machine since its last start and, in a container, for the container. */
  readonly hostKey: string
  readonly pid: number
  /** Start of the process in ticks since the machine's start; 0 where the system does not tell. */
  readonly startTicks: number
}

const FOLDER_NAME = /^([0-9a-f]{12})-(\d{1,10})-(\d{1,16})-[0-9a-f]{8}$/

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readPidNamespace(): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** Linux only, proc(5): field 22, counted behind the name, which may hold spaces and parentheses. */
function readStartTicks(pid: number): number {
  const text = readText(`/proc/${pid}/stat`)
  const ticks = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19])
  return Number.isSafeInteger(ticks) ? ticks : 0
}

/** This process. */
export function currentProcess(): ProcessIdentity {
  const bootId = readText('/proc/sys/kernel/random/boot_id').trim()
  const host = JSON.stringify([os.hostname(), bootId, readPidNamespace()])
  return {
    hostKey: createHash('sha256').update(host).digest('hex').slice(0, 12),
    pid: process.pid,
    startTicks: readStartTicks(process.pid),
  }
}

/** A new name for a staging folder of that process: it may have several. */
export function stagingFolderName({ hostKey, pid, startTicks }: ProcessIdentity): string {
  return `${hostKey}-${pid}-${startTicks}-${randomBytes(4).toString('hex')}`
}

/** Undefined for a name that this plugin never gives. */
export function parseStagingFolderName(name: string): ProcessIdentity | undefined {
  const [, hostKey, pid, startTicks] = FOLDER_NAME.exec(name) ?? []
  if (hostKey === undefined) return undefined
  return { hostKey, pid: Number(pid), startTicks: Number(startTicks) }
}

/**
 * Whether the process still runs; undefined when it cannot be told from here: another machine or
 * container, or a system that does not say when a process started, so that its number may be in use again.
 */
export function isRunning(owner: ProcessIdentity, here: ProcessIdentity): boolean | undefined {
  if (owner.hostKey !== here.hostKey) return undefined
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it runs, under another user.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  if (owner.pid === here.pid && owner.startTicks === here.startTicks) return true
  const startTicks = readStartTicks(owner.pid)
  if (startTicks === 0 || owner.startTicks === 0) return undefined
  return startTicks === owner.startTicks
}
