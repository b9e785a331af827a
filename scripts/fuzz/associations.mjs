// Whole associations, mutated by a seed, at `dicomtap start` in a process of its own; healthy peers verify and store
// all the while. In the end nothing of them may be left: neither connections nor memory, and of what the healthy
// peers stored everything.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PeersProcess } from '../soak/peers-process.mjs'
import { verifyStored } from '../soak/ledger.mjs'
import { startServer } from '../soak/server.mjs'
import { failuresOf } from '../soak/verdict.mjs'
import { ROOT } from '../workspaces.mjs'

/** Associations at once. */
const PARALLEL = 24
const LONGEST_MINUTES = 24 * 60

/**
 * @param {{ seed: number, runs?: number, minutes?: number }} options association `n` is made by seed + n: what
 * fails is found again with the seed that is printed and one run
 * @returns {Promise<number>} failures
 */
export async function fuzzAssociations({ seed, runs = Number.POSITIVE_INFINITY, minutes = LONGEST_MINUTES }) {
  const { playMutated } = await fromTests('fuzz/mutated-association.js')
  const { Random } = await fromTests('support/random.js')
  const folder = mkdtempSync(join(tmpdir(), 'dicomtap-fuzz-'))
  const server = await startServer({ folder, durability: 'close' })
  const before = await server.collect()
  const healthy = new PeersProcess({ port: server.port, seed, minutes: LONGEST_MINUTES, good: 0, bad: 0, healthy: 2, mibPerMinute: 0 })
  const started = Date.now()
  const deadline = started + minutes * 60_000
  let next = 0
  const collected = []
  const work = async () => {
    while (next < runs && Date.now() < deadline && server.isRunning) {
      const number = next++
      await playMutated(server.port, new Random(seed + number))
      if (number % 500 === 0) collected.push(await server.collect())
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  healthy.stop()
  await healthy.ended

  const isServerAlive = server.isRunning
  const after = isServerAlive ? await server.settled() : undefined
  const exitCode = await server.stop()
  if (!healthy.isComplete) throw new Error('the healthy peers did not come to their end')
  const stored = verifyStored(join(folder, 'data'), healthy.report.ledger)
  const samples = collected.filter((sample) => sample !== undefined)
  const failures = failuresOf({ server, collected: samples, load: healthy.report, stored, before, after, exitCode, isServerAlive })
  const seeds = `seeds ${seed} to ${seed + next - 1}`
  for (const failure of failures) console.log(`not ok fuzz associations: ${failure} (${seeds})`)
  const { p50, p99 } = healthy.report.latencies
  const seconds = ((Date.now() - started) / 1000).toFixed(0)
  const health = `${healthy.report.health.counts.probes} healthy, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms`
  const memory = `heap ${before?.heapMib.toFixed(1)} and ${after?.heapMib.toFixed(1)} MiB, descriptors ${before?.descriptors} and ${after?.descriptors} before and after`
  if (failures.length === 0) console.log(`ok fuzz associations: ${next} in ${seconds} s, ${seeds}; ${health}; ${stored.acknowledged} stored, none lost; ${memory}`)
  if (failures.length === 0) rmSync(folder, { recursive: true })
  else console.log(`  data and log: ${folder}`)
  return failures.length
}

function fromTests(path) {
  return import(pathToFileURL(join(ROOT, 'packages/framework/dist-test', path)).href)
}
