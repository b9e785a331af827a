import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'

/** DCMTK as shipped waits 40 ms per message for an acknowledgement. */
export const ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, TCP_NODELAY: '1' }

const DCMTK = ['dcmdump', 'dcmftest', 'dcmqrscp', 'findscu', 'getscu', 'movescu', 'storescp', 'storescu']

export type Program = 'dcmtk' | 'postgres' | 'orthanc'

/** What is not installed of each, with the words for it. */
export const MISSING: Readonly<Record<Program, string | undefined>> = {
  dcmtk: missing(DCMTK.filter((tool) => spawnSync(tool, ['--version']).error !== undefined), 'of DCMTK'),
  postgres: missing(hasPostgres() ? [] : ['PostgreSQL'], ''),
  orthanc: missing(spawnSync('Orthanc', ['--version']).error === undefined ? [] : ['Orthanc'], ''),
}

function missing(names: readonly string[], of: string): string | undefined {
  return names.length === 0 ? undefined : `${names.join(', ')} ${of}`.trim()
}

/** Debian keeps the programs of the server out of the PATH. */
function hasPostgres(): boolean {
  if (spawnSync('postgres', ['--version']).error === undefined) return true
  const root = '/usr/lib/postgresql'
  return existsSync(root) && readdirSync(root).some((version) => existsSync(`${root}/${version}/bin/postgres`))
}

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
