// Coverage-guided fuzzing of everything that reads what a peer sent: the targets of
// packages/framework/test/fuzz/targets. An input for which something does not hold is kept in
// packages/framework/test/fuzz/findings, and `npm test` tries it out from then on.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from '../workspaces.mjs'
import { readInputs, writeInput } from './inputs.mjs'
import { instrument } from './instrument.mjs'
import { fuzzInThread } from './thread.mjs'

const FINDINGS = join(ROOT, 'packages/framework/test/fuzz/findings')
const WORK = join(ROOT, '.fuzz')
const CANARY_RUNS = 2_000_000

/**
 * @param {{ seed: number, runs?: number, minutes?: number, targets?: string[], jobs?: number }} options `runs`
 * of each target, or `minutes` for all of them; in minutes, what reaches new code is kept in .fuzz/corpus
 * @returns {Promise<number>} findings
 */
export async function fuzzByCoverage({ seed, runs, minutes, targets, jobs = 2 }) {
  const build = { ...instrument(join(WORK, 'build')), folder: join(WORK, 'build'), seed }
  const { FUZZ_TARGETS } = await fromTests('fuzz/targets/index.js')
  const names = targets ?? FUZZ_TARGETS.map(({ name }) => name)
  console.log(`coverage-guided: ${names.length} targets, ${build.counters} blocks of code, seed ${seed}`)
  const findings = [await findsTheCanary(build)]
  const msEach = minutes === undefined ? undefined : (minutes * 60_000 * Math.min(jobs, names.length)) / names.length
  const queue = [...names]
  const fuzzNext = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) findings.push(await fuzzTarget(name, build, runs, msEach))
  }
  await Promise.all(Array.from({ length: jobs }, fuzzNext))
  const total = findings.reduce((sum, count) => sum + count, 0)
  console.log(`coverage-guided: ${names.length} targets, ${total} findings`)
  return total
}

async function fuzzTarget(name, build, runs, ms) {
  const corpus = join(WORK, 'corpus', name)
  const started = Date.now()
  let findings = 0
  const onFinding = (input, what) => {
    findings++
    console.log(`not ok fuzz ${name}: ${what}\n  input: ${writeInput(join(FINDINGS, name), input)} (${input.length} bytes)`)
  }
  const data = {
    ...build,
    name,
    corpus: [...readInputs(join(FINDINGS, name)), ...(ms === undefined ? [] : readInputs(corpus))],
    maximumRuns: runs ?? Number.POSITIVE_INFINITY,
    deadline: ms === undefined ? Number.POSITIVE_INFINITY : started + ms,
  }
  const onKept = ms === undefined ? undefined : (input) => void writeInput(corpus, input)
  const summary = await fuzzInThread({ data, onFinding, onKept })
  if (summary !== undefined && findings === 0) console.log(`ok fuzz ${name}: ${inWords(summary, Date.now() - started)}`)
  return findings
}

function inWords({ runs, seeds, inputs, reached, most }, ms) {
  const cost = `${most.blocksPerByte.toFixed(0)} blocks and ${most.memoryPerByte.toFixed(0)} bytes of memory per byte`
  return `${runs} runs in ${(ms / 1000).toFixed(1)} s, ${reached} blocks reached, ${inputs} inputs kept (${seeds} seeds), at most ${cost}`
}

/** A fuzzer that finds nothing must show that it would. */
async function findsTheCanary(build) {
  const { canary } = await fromTests('fuzz/targets/canary.js')
  const found = []
  const data = { ...build, name: canary.name, corpus: [], maximumRuns: CANARY_RUNS, deadline: Number.POSITIVE_INFINITY, findings: canary.flaws.length }
  await fuzzInThread({ data, onFinding: (_input, what) => void found.push(what) })
  const missed = canary.flaws.filter((flaw) => !found.some((what) => flaw.test(what)))
  console.log(missed.length === 0 ? `ok fuzz canary: ${found.length} flaws found` : `not ok fuzz canary: not found: ${missed.join(', ')}`)
  return missed.length
}

/** Of the original: code that counts runs in threads that have counters. */
function fromTests(path) {
  return import(pathToFileURL(join(ROOT, 'packages/framework/dist-test', path)).href)
}
