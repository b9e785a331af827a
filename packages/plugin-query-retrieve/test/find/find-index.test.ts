import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Logger } from '@dicomtap/framework'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { openIndex } from '../../dist/database/open-index.js'
import { compareWithBruteForce, fill } from './support/brute-force.js'
import { SELECTIVE, explain, fillSynthetic, run } from './support/plans.js'
import { silentLog } from './support/silent-log.js'

const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20261121)
const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 250)

async function sqliteIndex(t: ExecutionContext): Promise<InstanceIndex> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-find-'))
  const index = openIndex({ database: { sqlite: path.join(folder, 'index.sqlite') }, resolvePath: (file) => file, log: silentLog as Logger })
  t.teardown(async () => {
    await index.close()
    await rm(folder, { recursive: true, force: true })
  })
  await index.start()
  return index
}

test('SQLite: random queries find what looking at every instance finds', async (t) => {
  const index = await sqliteIndex(t)
  await compareWithBruteForce(t, index, await fill(index, seed, 80), seed, runs)
})

test('SQLite: queries by what few have are found by an index, with and without statistics', async (t) => {
  const index = await sqliteIndex(t)
  await fillSynthetic(index, 1500)
  for (const statistics of [false, true]) {
    if (statistics) await run(index, 'analyze')
    for (const [name, query] of SELECTIVE) {
      const plan = await explain(index, query)
      t.true(plan.includes(name), `${name} in\n${plan}`)
      t.notRegex(plan, /^SCAN/m)
    }
  }
})
