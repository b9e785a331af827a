import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { canary } from './targets/canary.ts'
import { FUZZ_TARGETS } from './targets/index.ts'

// What fuzzing found once stays found: the inputs in findings/<target>, and the seeds, run through the targets
// of `npm run fuzz`, which measures what they cost too.
const FINDINGS = fileURLToPath(new URL('../../test/fuzz/findings/', import.meta.url))

test('the folders of findings are those of targets', async (t) => {
  const names = FUZZ_TARGETS.map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  t.deepEqual((await readdir(FINDINGS)).filter((name) => !names.includes(name)), [])
})

for (const target of FUZZ_TARGETS) {
  test(`fuzz target ${target.name}: seeds and former findings`, async (t) => {
    for (const seed of await target.seeds()) {
      t.true(seed.length <= target.limits.maximumInputBytes)
      await t.notThrowsAsync(async () => target.run(seed))
    }
    const folder = `${FINDINGS}${target.name}`
    for (const file of existsSync(folder) ? await readdir(folder) : []) {
      const input = Buffer.from((await readFile(`${folder}/${file}`, 'utf8')).replaceAll(/\s/g, ''), 'hex')
      await t.notThrowsAsync(async () => target.run(input), file)
    }
  })
}

test('the canary is alive', (t) => {
  t.throws(() => canary.run(Buffer.from('d13c7ea1', 'hex')), { instanceOf: TypeError })
})
