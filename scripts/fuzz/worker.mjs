// Fuzzes one target in a thread of its own, guided by the blocks of code that an input reaches: an input that
// reaches a new one, or one much more often than before, is kept and changed further.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { meter, newAllocations } from './allocations.mjs'
import { makeMutator } from './mutate.mjs'

const { folder, counters: counterCount, words, name, corpus: kept, maximumRuns, deadline, seed, shared, findings = Infinity } = workerData
const counters = new Uint32Array(counterCount)
globalThis.__fuzzCounters = counters

const load = (path) => import(pathToFileURL(join(folder, 'dist-test', path)).href)
const { FUZZ_TARGETS } = await load('fuzz/targets/index.js')
const { canary } = await load('fuzz/targets/canary.js')
const { Random } = await load('support/random.js')
const target = [canary, ...FUZZ_TARGETS].find((one) => one.name === name)
meter()

/** What the main thread sees when this one hangs: how many runs, and the input of the last. */
const progress = new Int32Array(shared, 0, 2)
const current = Buffer.from(shared, 8)

const { maximumInputBytes, freeBytes, blocksPerByte, memoryPerByte } = target.limits
const FREE_BLOCKS = 1_000

/** Of each block: which numbers of executions have been seen, a bit for each power of two. */
const seen = new Uint32Array(counterCount)
const most = { blocksPerByte: 0, memoryPerByte: 0 }
let reached = 0
let runs = 0

/** Runs an input. Resolves with the violation, if any. */
async function execute(input) {
  input.copy(current)
  progress[1] = input.length
  Atomics.add(progress, 0, 1)
  counters.fill(0)
  const before = newAllocations()
  let violation
  try {
    await target.run(Buffer.from(input))
  } catch (error) {
    violation = error
  }
  runs++
  const bytes = newAllocations() - before
  return violation ?? overLimit(input, bytes)
}

function overLimit(input, bytes) {
  let blocks = 0
  for (let index = 0; index < counterCount; index++) blocks += counters[index]
  const length = Math.max(1, input.length)
  const perByte = {
    blocksPerByte: Math.max(0, blocks - FREE_BLOCKS) / length,
    memoryPerByte: Math.max(0, bytes - freeBytes) / length,
  }
  most.blocksPerByte = Math.max(most.blocksPerByte, perByte.blocksPerByte)
  most.memoryPerByte = Math.max(most.memoryPerByte, perByte.memoryPerByte)
  if (perByte.blocksPerByte > blocksPerByte) return new Error(`${blocks} blocks were executed for ${input.length} bytes`)
  if (perByte.memoryPerByte > memoryPerByte) return new Error(`buffers of ${bytes} bytes were made for ${input.length} bytes`)
  return undefined
}

/** Did the last run reach something new? */
function isNew() {
  let found = false
  for (let index = 0; index < counterCount; index++) {
    const count = counters[index]
    if (count === 0) continue
    const bit = 1 << (32 - Math.clz32(count) - 1)
    if ((seen[index] & bit) !== 0) continue
    if (seen[index] === 0) reached++
    seen[index] |= bit
    found = true
  }
  return found
}

const reported = new Set()

/** Tells the main thread of a violation, with the smallest input that shows it. */
async function report(input, violation) {
  const key = keyOf(violation)
  if (reported.has(key)) return
  reported.add(key)
  const shows = async (bytes) => {
    const found = await execute(bytes)
    return found !== undefined && keyOf(found) === key
  }
  let smallest = input
  for (let step = input.length >> 1, left = 1_500; step > 0; step >>= 1) {
    for (let at = 0; at < smallest.length && left > 0; left--) {
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + step)])
      if (await shows(shorter)) smallest = shorter
      else at += step
    }
  }
  parentPort.postMessage({ kind: 'finding', input: Uint8Array.from(smallest), what: describe(violation) })
}

function describe(error) {
  const lines = [String(error?.stack ?? error)]
  for (let cause = error?.cause; cause !== undefined; cause = cause.cause) lines.push(`caused by ${cause?.stack ?? cause}`)
  return lines.join('\n')
}

/** Two violations are one when they differ in numbers only. */
function keyOf(error) {
  return describe(error).split('\n').slice(0, 4).join('\n').replaceAll(/\d+/g, '#').slice(0, 600)
}

const random = new Random(seed)
const mutate = makeMutator(random, words.map((word) => Buffer.from(word, 'hex')))
const corpus = []
const first = [...(await target.seeds()), ...kept.map((bytes) => Buffer.from(bytes))]
for (const input of first) {
  const violation = await execute(input)
  if (violation !== undefined) await report(input, violation)
  else if (isNew()) corpus.push(input)
}
const seeds = corpus.length
if (seeds === 0) corpus.push(first[0] ?? Buffer.alloc(1))

while (runs < maximumRuns && Date.now() < deadline && reported.size < findings) {
  // Half of the time something found lately: it is where the frontier is.
  const recent = Math.max(1, Math.min(corpus.length, 40))
  const base = random.below(2) === 0 ? corpus[corpus.length - 1 - random.below(recent)] : random.one(corpus)
  const input = mutate(base, random.one(corpus), maximumInputBytes)
  const violation = await execute(input)
  if (violation !== undefined) {
    await report(input, violation)
  } else if (isNew()) {
    corpus.push(Buffer.from(input))
    parentPort.postMessage({ kind: 'kept', input: Uint8Array.from(input) })
  }
}
parentPort.postMessage({ kind: 'done', runs, seeds, inputs: corpus.length, reached, most })
