import { spawnSync } from 'node:child_process'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { hasPostgres } from '../../support/postgres.js'
import { ORTHANC } from './programs.js'

export type Program = 'dcmtk' | 'postgres' | 'orthanc'

const DCMTK = ['dcmdump', 'dcmftest', 'dcmqrscp', 'findscu', 'getscu', 'movescu', 'storescp', 'storescu']
const isMissing = (program: string): boolean => spawnSync(program, ['--version']).error !== undefined

/** What is not installed of each. */
const MISSING: Readonly<Record<Program, readonly string[]>> = {
  dcmtk: DCMTK.filter(isMissing),
  postgres: hasPostgres ? [] : ['PostgreSQL'],
  orthanc: isMissing(ORTHANC) ? ['Orthanc'] : [],
}

const told = new Set<string>()

/** Registers a test that needs these programs; without them it is skipped, which `npm run test:interop` takes for a failure. */
export function interop(needs: readonly Program[], title: string, implementation: (t: ExecutionContext) => Promise<void>): void {
  const lacking = needs.flatMap((program) => MISSING[program])
  if (lacking.length === 0) {
    test.serial(title, async (t) => {
      t.timeout(180_000)
      await implementation(t)
    })
    return
  }
  const message = `${lacking.join(', ')} not installed: query and retrieve were not tried with it`
  if (process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error(message)
  if (!told.has(message)) process.stderr.write(`SKIPPED: ${message}\n`)
  told.add(message)
  test.skip(title, implementation)
}
