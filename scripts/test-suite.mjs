// Runs one of the suites that `npm test` does not run in full:
//   interop  the tests against DCMTK and dcmjs-dimse; a missing DCMTK or a skipped test is a failure here
//   fuzz     the fuzz and property tests with many runs (DICOMTAP_FUZZ_RUNS, default 100 000)
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './workspaces.mjs'

const DCMTK = [
  ...['echoscu', 'storescu', 'findscu', 'movescu', 'getscu', 'storescp', 'dcmqrscp', 'dcmqridx', 'wlmscpfs'],
  ...['dcmdump', 'dcmftest', 'dcmconv', 'dcmcjpeg', 'dcmcjpls', 'dcmcrle', 'dump2dcm'],
]

const suites = {
  interop: {
    files: '**/*.interop.test.js',
    env: { DICOMTAP_REQUIRE_DCMTK: '1' },
    before() {
      const missing = DCMTK.filter((name) => spawnSync(name, ['--version']).error !== undefined)
      if (missing.length > 0) fail(`DCMTK is not installed (${missing.join(', ')}): apt-get install dcmtk, brew install dcmtk`)
    },
  },
  fuzz: {
    files: '**/*fuzz*.test.js',
    env: { DICOMTAP_FUZZ_RUNS: process.env.DICOMTAP_FUZZ_RUNS ?? '100000' },
    before() {},
  },
}

const [name, ...rest] = process.argv.slice(2)
const suite = suites[name]
if (suite === undefined) fail(`usage: test-suite.mjs ${Object.keys(suites).join('|')} [ava options]`)
suite.before()

const ava = spawn(process.execPath, [join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'), '--timeout=20m', suite.files, ...rest], {
  cwd: ROOT,
  env: { ...process.env, ...suite.env },
  stdio: ['inherit', 'pipe', 'inherit'],
})
let output = ''
ava.stdout.setEncoding('utf8').on('data', (text) => {
  output += text
  process.stdout.write(text)
})
ava.on('close', (code) => {
  if (code !== 0) process.exit(code ?? 1)
  const skipped = /(\d+) tests? skipped/.exec(output)?.[1]
  if (name === 'interop' && skipped !== undefined) fail(`${skipped} interop test(s) were skipped`)
  if (!/\d+ tests? passed/.test(output)) fail(`the ${name} suite ran no test`)
})

function fail(message) {
  console.error(message)
  process.exit(1)
}
