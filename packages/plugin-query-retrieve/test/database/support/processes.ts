import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { WriterTask } from './writer.js'

export interface Writer {
  readonly process: ChildProcess
  /** What was added so far, less what was removed. */
  readonly paths: ReadonlySet<string>
  /** Resolves when so many were added, or the process ended. */
  added(count: number): Promise<void>
  readonly exited: Promise<number | null>
}

/** A process that writes: see writer.ts. */
export function runWriter(task: WriterTask): Writer {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./writer.js', import.meta.url)), JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const paths = new Set<string>()
  let total = 0
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  const check = (hasEnded: boolean): void => {
    for (const entry of [...waiting]) {
      if (!hasEnded && total < entry.count) continue
      waiting.splice(waiting.indexOf(entry), 1)
      entry.resolve()
    }
  }
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (line.startsWith('-')) paths.delete(line.slice(1))
    else {
      paths.add(line)
      total++
    }
    check(false)
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => {
    check(true)
    resolve(code)
  }))
  return { process: child, paths, exited, added: (count) => (total >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))) }
}
