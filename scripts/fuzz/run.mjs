// `npm run fuzz`. Without --minutes: the fuzz and property tests with DICOMTAP_FUZZ_RUNS runs each (default
// 100 000), then as many inputs for each target of the coverage-guided fuzzer, then a fifth as many whole
// associations against a server in a process of its own. With --minutes: the last two, half of the time each.
//   --minutes <n>    --target <name> (several; `associations` is one)    --seed <n>    --jobs <n>
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../workspaces.mjs'
import { fuzzAssociations } from './associations.mjs'
import { fuzzByCoverage } from './coverage.mjs'

const ASSOCIATIONS = 'associations'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
})
const minutes = values.minutes === undefined ? undefined : number('--minutes', values.minutes)
const runs = number('DICOMTAP_FUZZ_RUNS', process.env.DICOMTAP_FUZZ_RUNS ?? '100000')
const seed = number('--seed', values.seed ?? process.env.DICOMTAP_FUZZ_SEED ?? (minutes === undefined ? '20240607' : String(Date.now() % 2 ** 31)))
const targets = values.target
const jobs = number('--jobs', values.jobs)

const isWanted = (name) => targets === undefined || targets.includes(name)
const coverageTargets = targets?.filter((name) => name !== ASSOCIATIONS)

let failures = 0
if (minutes === undefined && targets === undefined) {
  const suite = spawnSync(process.execPath, [join(ROOT, 'scripts/test-suite.mjs'), 'fuzz'], { stdio: 'inherit' })
  failures += suite.status === 0 ? 0 : 1
}
const share = minutes === undefined ? undefined : targets === undefined ? minutes / 2 : minutes
if (coverageTargets === undefined || coverageTargets.length > 0) {
  failures += await fuzzByCoverage({ seed, runs: minutes === undefined ? runs : undefined, minutes: share, targets: coverageTargets, jobs })
}
if (isWanted(ASSOCIATIONS)) {
  failures += await fuzzAssociations({ seed, ...(minutes === undefined ? { runs: Math.ceil(runs / 5) } : { minutes: share }) })
}
console.log(`fuzz: ${failures} failures`)
process.exitCode = failures === 0 ? 0 : 1

function number(name, text) {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  console.error(`${name}: ${text} is no number above 0`)
  process.exit(2)
}
