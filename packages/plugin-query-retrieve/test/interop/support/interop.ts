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

/** Set by `npm run test:interop`. These tests take minutes: `npm test` leaves them to it. */
const isWanted = process.env['DICOMTAP_REQUIRE_DCMTK'] === '1'
let isTold = false

/** Registers a test that needs these programs. In the interop suite it is an error when one is missing. */
export function interop(needs: readonly Program[], title: string, implementation: (t: ExecutionContext) => Promise<void>): void {
  if (!isWanted) {
    if (!isTold) process.stderr.write('SKIPPED: a whole archive and its clients, which `npm run test:interop` tests\n')
    isTold = true
    test.skip(title, implementation)
    return
  }
  const lacking = needs.flatMap((program) => MISSING[program])
  if (lacking.length > 0) throw new Error(`${lacking.join(', ')} not installed: query and retrieve were not tested with it`)
  test.serial(title, async (t) => {
    t.timeout(180_000)
    await implementation(t)
  })
}
