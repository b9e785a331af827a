import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'ava'
import { openIndex } from '../../dist/database/open-index.js'
import { compareWithBruteForce, fill } from './support/brute-force.js'
import { catalogue } from './support/queries.js'

const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20261121)
const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 400)
const log = { debug() {}, info() {}, warn() {}, error() {}, trace() {}, isEnabled: () => false } as never

test('SQLite: random queries find what looking at every instance finds', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-find-'))
  const index = openIndex({ database: { sqlite: path.join(folder, 'index.sqlite') }, resolvePath: (file) => file, log, attributes: catalogue })
  t.teardown(async () => {
    await index.close()
    await rm(folder, { recursive: true, force: true })
  })
  await index.start()
  const instances = await fill(index, seed, 80)
  await compareWithBruteForce(t, index, instances, seed, runs)
})
