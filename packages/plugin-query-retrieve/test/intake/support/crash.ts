import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { client, image, store } from './archive.js'

const SERVER = fileURLToPath(new URL('index-server.js', import.meta.url))

export interface ServerProcess {
  readonly child: ChildProcess
  readonly port: number
}

/** @param args folder, durability, duplicates, URL of PostgreSQL */
export async function startServer(t: ExecutionContext, ...args: readonly string[]): Promise<ServerProcess> {
  const child = fork(SERVER, args)
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}

/** Stores until the server is gone; instance number by SOP Instance UID of what was answered 0000. */
export async function storeUntilKilled(t: ExecutionContext, port: number, sender: number, { round, isReplacing }: { readonly round: number; readonly isReplacing: boolean }, acknowledged: Map<string, string>, onAcknowledged: () => void): Promise<void> {
  try {
    const association = await client(t, port)
    for (let seed = 1; ; seed++) {
      // Every third comes again with other attributes, and replaces.
      const sopInstanceUid = isReplacing ? `2.25.3.${sender}.${seed % 3 === 0 ? seed - 1 : seed}` : `2.25.3.${sender}.${round}.${seed}`
      const number = round * 10_000 + seed
      if ((await store(association, image(seed, { sopInstanceUid }, { InstanceNumber: number }))) !== 0) continue
      acknowledged.set(sopInstanceUid, String(number))
      onAcknowledged()
    }
  } catch {
    // It was killed.
  }
}

/** Kills it, and waits until it is gone. */
export async function kill({ child }: ServerProcess): Promise<void> {
  child.kill('SIGKILL')
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit')
}
