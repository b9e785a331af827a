// Runs one of the suites that `npm test` does not run, or not in full:
//   interop  the tests against DCMTK, dcmjs-dimse, PostgreSQL, Orthanc and HAProxy; what is not installed, or a skipped
//            test, is a failure here
//   commands the command line, each command in a process of its own
//   faults   the storage on disks that fail or are slow and in processes that are killed, at every call to the file system
//   hostile  bad peers of all kinds in the numbers that are promised: 10 000 connections, every service cut at every moment
//   fuzz     the fuzz and property tests with many runs (DICOMTAP_FUZZ_RUNS, default 100 000)
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './workspaces.mjs'

const DCMTK = [
  ...['echoscu', 'storescu', 'findscu', 'movescu', 'getscu', 'storescp', 'dcmqrscp', 'dcmqridx', 'wlmscpfs'],
  ...['dcmdump', 'dsrdump', 'dcmftest', 'dcmconv', 'dcmcjpeg', 'dcmdjpeg', 'dcmcjpls', 'dcmcrle', 'dcmodify', 'dump2dcm'],
  ...['dcmpsprt', 'dcmprscu'],
]
/** A program that a test starts: `run('dcmconv', ...)`. */
const STARTED = /\b(?:run|dcmtk|spawn|spawnSync|execFile|execFileSync)\(\s*'([a-z0-9]+)'/g

const suites = {
  interop: {
    files: '**/*.interop.test.js',
    env: { DICOMTAP_REQUIRE_DCMTK: '1' },
    before() {
      const unnamed = startedPrograms().filter((name) => !DCMTK.includes(name))
      if (unnamed.length > 0) fail(`interop tests start ${unnamed.join(', ')}: add it to DCMTK in scripts/test-suite.mjs`)
      const missing = DCMTK.filter((name) => spawnSync(name, ['--version']).error !== undefined)
      if (missing.length > 0) fail(`DCMTK is not installed (${missing.join(', ')}): apt-get install dcmtk, brew install dcmtk`)
      if (!hasPostgres()) fail('PostgreSQL is not installed: apt-get install postgresql, brew install postgresql, or set DICOMTAP_POSTGRES_URL')
      if (!existsSync('/usr/sbin/Orthanc') && spawnSync('Orthanc', ['--version']).error !== undefined) fail('Orthanc is not installed: apt-get install orthanc')
      if (!existsSync('/usr/sbin/haproxy') && spawnSync('haproxy', ['-v']).error !== undefined) fail('HAProxy is not installed: apt-get install haproxy, brew install haproxy')
    },
  },
  commands: {
    files: '**/*.process.test.js',
    env: {},
    before() {},
  },
  faults: {
    files: '**/*faults.test.js',
    env: { DICOMTAP_FAULTS: 'full' },
    before() {},
  },
  hostile: {
    files: '**/{hostile/*,limits/*,hostile-input,leaks}.test.js',
    env: { DICOMTAP_HOSTILE: 'full' },
    before() {},
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
  env: { ...process.env, ...suite.env, DICOMTAP_SUITE: name },
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

/** The tests start a server of their own; Debian and Homebrew keep its programs out of the PATH. */
function hasPostgres() {
  if (process.env.DICOMTAP_POSTGRES_URL !== undefined || spawnSync('postgres', ['--version']).error === undefined) return true
  return ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'].some(
    (parent) => existsSync(parent) && readdirSync(parent).some((name) => existsSync(join(parent, name, 'bin/postgres'))),
  )
}

/** What the interop tests start, and their helpers named dcmtk.ts. */
function startedPrograms() {
  const files = readdirSync(ROOT, { recursive: true })
    .filter((file) => /(\.interop\.test|[/\\]dcmtk)\.ts$/.test(file) && !/(^|[/\\])node_modules[/\\]/.test(file))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
  return [...new Set(files.flatMap((text) => [...text.matchAll(STARTED)].map(([, name]) => name)))]
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
