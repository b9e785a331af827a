import test from 'ava'
import { execFileSync } from 'node:child_process'

const MODULE = new URL('../dist/young-generation.js', import.meta.url).href
const SCRIPT = `
const { limitYoungGeneration } = await import(${JSON.stringify(MODULE)})
const { getHeapSpaceStatistics } = await import('node:v8')
const size = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size
limitYoungGeneration()
const before = size()
// Lives for long enough to be moved, as what makes it grow does.
let kept = []
for (let i = 0; i < 3_000_000; i++) {
  kept.push({ i })
  if (kept.length > 100_000) kept = []
}
console.log(size() / before)
`

function growth(...options: string[]): number {
  return Number(execFileSync(process.execPath, [...options, '--input-type=module', '--eval', SCRIPT], { env: { ...process.env, NODE_OPTIONS: '' } }))
}

test('the young generation stays as it is, unless its size was given', (t) => {
  const limited = growth()
  const given = growth('--max-semi-space-size=16')
  t.true(limited * 1.5 < given, `${limited} times as large, and ${given} times`)
})
