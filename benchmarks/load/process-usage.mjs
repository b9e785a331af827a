import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

const MIB = 1_048_576
const FIELD_PPID = 1
const FIELD_UTIME = 11

let ticksPerSecond

/** CPU seconds and memory of a process and its descendants, from /proc; undefined where there is none. */
export function processUsage(pid) {
  if (process.platform !== 'linux' || pid === undefined) return undefined
  ticksPerSecond ??= clockTicks()
  const tree = processTree(pid)
  if (tree.length === 0) return undefined
  let ticks = 0
  // Own time and that of children that have ended, each user and system.
  for (const { fields } of tree) for (let offset = 0; offset < 4; offset++) ticks += Number(fields[FIELD_UTIME + offset])
  return {
    cpuSeconds: ticks / ticksPerSecond,
    processes: tree.length,
    /** The largest process: pages that a forked one shares are not counted twice. */
    peakRssMib: Math.max(...tree.map((one) => statusKib(one.pid, 'VmHWM'))) / 1024,
    /** All processes, shared pages shared out. */
    pssMib: tree.reduce((sum, one) => sum + pssKib(one.pid), 0) / 1024,
  }
}

/** CPU seconds of the children of this process that have ended, theirs included; undefined without /proc. */
export function endedChildrenCpuSeconds() {
  const own = process.platform === 'linux' ? statOf(process.pid) : undefined
  if (own === undefined) return undefined
  ticksPerSecond ??= clockTicks()
  return (Number(own.fields[FIELD_UTIME + 2]) + Number(own.fields[FIELD_UTIME + 3])) / ticksPerSecond
}

/** Peak RSS of a process itself; 0 when it is not there. */
export function peakRssMib(pid) {
  return statusKib(pid, 'VmHWM') / 1024
}

/** RSS of a process itself, now. */
export function rssMib(pid) {
  return statusKib(pid, 'VmRSS') / 1024
}

/** What was used between two calls of {@link processUsage}. */
export function usageSince(before, after, bytes = 0) {
  if (before === undefined || after === undefined) return {}
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds
  return {
    cpuSeconds: round(cpuSeconds, 3),
    ...(bytes > 0 ? { cpuSecondsPerGib: round((cpuSeconds * 1024 * MIB) / bytes, 2) } : {}),
    peakRssMib: round(after.peakRssMib, 1),
  }
}

export function round(value, digits) {
  return value === undefined ? undefined : Number(value.toFixed(digits))
}

/** The unit of CPU times in /proc; 100 on every common Linux. */
function clockTicks() {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  } catch {
    return 100
  }
}

function processTree(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => statOf(Number(name)) ?? [])
  const tree = all.filter((one) => one.pid === pid)
  for (let index = 0; index < tree.length; index++) {
    const parent = String(tree[index].pid)
    tree.push(...all.filter((one) => one.fields[FIELD_PPID] === parent))
  }
  return tree
}

/** Fields from the process state on: the name before them may hold spaces and brackets. */
function statOf(pid) {
  const line = readOrUndefined(`/proc/${pid}/stat`)
  return line === undefined ? undefined : { pid, fields: line.slice(line.lastIndexOf(')') + 2).split(' ') }
}

function statusKib(pid, name) {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readOrUndefined(`/proc/${pid}/status`) ?? '')
  return Number(match?.[1] ?? 0)
}

function pssKib(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readOrUndefined(`/proc/${pid}/smaps_rollup`) ?? '')?.[1] ?? 0)
}

function readOrUndefined(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
