// `npm run fuzz`. Without --minutes: the fuzz and property tests with DICOMTAP_FUZZ_RUNS runs each (default
// 100 000), then as many inputs for each target of the coverage-guided fuzzer, then whole associations against
// a server in a process of its own. With --minutes: the last two, for so long.
//   --minutes <n>    --target <name> (several)    --seed <n>    --jobs <n>
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../workspaces.mjs'
import { fuzzByCoverage } from './coverage.mjs'

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

let isFailed = false
if (minutes === undefined && targets === undefined) {
  isFailed = spawnSync(process.execPath, [join(ROOT, 'scripts/test-suite.mjs'), 'fuzz'], { stdio: 'inherit' }).status !== 0
}
if ((await fuzzByCoverage({ seed, runs: minutes === undefined ? runs : undefined, minutes, targets, jobs })) > 0) isFailed = true
process.exitCode = isFailed ? 1 : 0

function number(name, text) {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  console.error(`${name}: ${text} is no number above 0`)
  process.exit(2)
}
