import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'

/** DCMTK as shipped waits 40 ms per message for an acknowledgement. */
export const ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, TCP_NODELAY: '1' }

/** Debian keeps it where only root looks. */
export const ORTHANC: string = existsSync('/usr/sbin/Orthanc') ? '/usr/sbin/Orthanc' : 'Orthanc'

/** What a program printed, and how it ended. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** Runs a program to its end; a failure is an outcome like any other. */
export function run(program: string, args: readonly string[], cwd?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: ENVIRONMENT, cwd, maxBuffer: 256 * 1024 * 1024, timeout: 120_000, encoding: 'latin1' as const }
    const child = execFile(program, args, options, (_, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }))
  })
}

/** Does the work for all of them, a few at once. */
export async function each<T>(all: readonly T[], atOnce: number, work: (one: T, index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < all.length) {
        const index = next++
        await work(all[index] as T, index)
      }
    }),
  )
}
