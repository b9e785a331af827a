// The journey of a site engineer and of a plugin author, with what a registry would give them:
// pack all packages -> create -> install -> start -> C-ECHO -> C-STORE -> compare bytes -> C-FIND -> stop; and the
// plugin template's own test. Fails when anything is missing, DCMTK included.
//
//   node create-app/test-e2e/scaffold.mjs          after `npm run build`
//   KEEP=1 node create-app/test-e2e/scaffold.mjs   keeps the folder
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const START_TIMEOUT_MS = 60_000

const work = mkdtempSync(join(tmpdir(), 'dicomtap-e2e-'))
console.log(`in ${work}`)
try {
  for (const tool of ['echoscu', 'storescu', 'findscu', 'dump2dcm', 'dcmdump']) step(`${tool} is installed`, () => run(tool, ['--version'], work))

  const packed = join(work, 'packed')
  step('pack all packages', () => run(process.execPath, [join(ROOT, 'scripts/pack-all.mjs'), packed], ROOT))
  const create = step('install create-dicomtap from its tarball', () => installCreate(packed))
  const object = step('make an object', makeObject)

  for (const language of ['ts', 'yaml']) {
    const folder = join(work, `scp-${language}`)
    const port = await freePort()
    step(`${language}: create`, () => {
      const output = run(create, [folder, '--query-retrieve', '--language', language, '--ae-title', 'E2E', '--port', String(port), '--packages', packed, '--yes'], work)
      assert.match(output, new RegExp(`Next:\\n {2}cd ${folder}\\n {2}npm start\\n$`))
    })
    step(`${language}: check and plugins`, () => checkCommands(folder, port))
    if (language === 'ts') step('ts: the config passes the type checker', () => run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], folder))
    await stepAsync(`${language}: npm start, C-ECHO, C-STORE, C-FIND, stop`, () => serve(folder, port, object, ['npm', 'start'], 'SIGINT'))
    await stepAsync(`${language}: dicomtap start, a second C-STORE of the same object, SIGTERM gives 0`, () =>
      serve(folder, port, object, [join(folder, 'node_modules/.bin/dicomtap'), 'start'], 'SIGTERM'))
  }

  await stepAsync('TLS and access: create, certificates, start, C-ECHO and C-STORE over TLS, who has no certificate is refused', () => secureServer(create, packed, object))

  step('plugin: create, install, build, test, pack', () => {
    const folder = join(work, 'dicomtap-plugin-quarantine')
    run(create, [folder, '--template', 'plugin', '--packages', packed, '--yes'], work)
    assert.match(run('npm', ['test'], folder), /^(?:# |ℹ )pass 3$/mu)
    const [{ files }] = JSON.parse(run('npm', ['pack', '--json', '--dry-run'], folder))
    const names = files.map(({ path }) => path)
    for (const name of ['dist/index.js', 'dist/index.d.ts', 'schema.json', 'README.md', 'package.json']) assert.ok(names.includes(name), `${name} is not packed: ${names}`)
    assert.ok(!names.some((name) => name.includes('test') || name.endsWith('.tsbuildinfo')), `packed too much: ${names}`)
  })

  step('plugin: a server loads it by its name', () => {
    const folder = join(work, 'scp-yaml')
    run('npm', ['install', join(work, 'dicomtap-plugin-quarantine')], folder)
    writeFileSync(join(folder, 'other.yaml'), 'plugins: [{ use: dicomtap-plugin-quarantine, options: { senders: [CT01] } }]\n')
    const hooks = JSON.parse(run(join(folder, 'node_modules/.bin/dicomtap'), ['hooks', 'cStore', '--json', '--config', 'other.yaml'], folder))
    assert.deepEqual(hooks.taps, [{ plugin: 'dicomtap-plugin-quarantine', stage: -1000 }])
  })
  console.log('all steps passed')
} finally {
  if (process.env.KEEP === undefined) rmSync(work, { recursive: true, force: true })
}

function installCreate(packed) {
  const tarball = readdirSync(packed).find((name) => /^create-dicomtap-\d.*\.tgz$/u.test(name))
  assert.ok(tarball, 'create-dicomtap was not packed')
  const tool = join(work, 'tool')
  mkdirSync(tool)
  writeFileSync(join(tool, 'package.json'), '{"private":true}')
  run('npm', ['install', join(packed, tarball)], tool)
  return join(tool, 'node_modules/.bin/create-dicomtap')
}

/** A Part 10 file of about 2 MB in Explicit VR Little Endian, made by DCMTK, and its data set's bytes. */
function makeObject() {
  const pixels = join(work, 'pixels.raw')
  writeFileSync(pixels, Buffer.from(Uint16Array.from({ length: 1024 * 1024 }, (_, index) => (index * 2654435761) >>> 16).buffer))
  const dump = join(work, 'object.dump')
  writeFileSync(
    dump,
    `(0008,0016) UI =CTImageStorage
(0008,0018) UI [1.2.826.0.1.3680043.8.498.1]
(0008,0020) DA [20261121]
(0008,0060) CS [CT]
(0009,0010) LO [E2E PRIVATE]
(0009,1001) UN 01\\02\\03\\04
(0010,0010) PN [Made^Up]
(0010,0020) LO [ODD]
(0020,000d) UI [1.2.826.0.1.3680043.8.498.2]
(0020,000e) UI [1.2.826.0.1.3680043.8.498.3]
(0028,0002) US 1
(0028,0004) CS [MONOCHROME2]
(0028,0010) US 1024
(0028,0011) US 1024
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US 0
(7fe0,0010) OW =${pixels}
`,
  )
  const file = join(work, 'object.dcm')
  run('dump2dcm', ['--write-xfer-little', dump, file], work)
  const { dataSet } = part10(readFileSync(file))
  assert.ok(dataSet.length > 2_000_000)
  return { file, dataSet }
}

/** PS3.10 7.1: 128 bytes, DICM, then group 0002 whose length is its first element. */
function part10(bytes) {
  assert.equal(bytes.toString('latin1', 128, 132), 'DICM')
  assert.equal(bytes.toString('latin1', 132, 140), '\x02\x00\x00\x00UL\x04\x00')
  return { dataSet: bytes.subarray(144 + bytes.readUInt32LE(140)) }
}

function checkCommands(folder, port) {
  const dicomtap = join(folder, 'node_modules/.bin/dicomtap')
  const report = JSON.parse(run(dicomtap, ['check', '--json', '--ports'], folder))
  assert.equal(report.ok, true)
  assert.deepEqual(report.listeners, [{ host: null, port, aeTitle: 'E2E' }])
  assert.deepEqual(report.plugins.map(({ name }) => name), ['logging', 'access', 'verification', 'storage', 'query-retrieve'])
  assert.deepEqual(JSON.parse(run(dicomtap, ['plugins', '--json'], folder)).installed, [])
  assert.match(run('npm', ['run', 'check'], folder), /The configuration is right\./u)
}

async function serve(folder, port, { file, dataSet }, [command, ...args], signal) {
  const log = []
  // A group of its own, so that the signal reaches npm and the server as Ctrl-C at a terminal does.
  const server = spawn(command, args, { cwd: folder, detached: true, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  const killAll = (name) => server.pid !== undefined && process.kill(-server.pid, name)
  const ended = once(server, 'close')
  try {
    const ready = new Promise((resolve) => createInterface(server.stdout).on('line', (line) => line.startsWith('ready ') && resolve(line)))
    createInterface(server.stderr).on('line', (line) => log.push(line))
    const late = setTimeout(() => killAll('SIGKILL'), START_TIMEOUT_MS)
    const line = await Promise.race([ready, ended.then(([code]) => assert.fail(`ended with ${code} before it was ready:\n${log.join('\n')}`))])
    clearTimeout(late)
    assert.match(line, new RegExp(`^ready E2E on port ${port} \\(5 plugins, `, 'u'))
    run('echoscu', ['-aec', 'E2E', '127.0.0.1', String(port)], folder)
    run('storescu', ['-aec', 'E2E', '127.0.0.1', String(port), file], folder)
    const stored = readdirSync(join(folder, 'data'), { recursive: true }).filter((name) => name.endsWith('.dcm'))
    assert.equal(stored.length, 1, `stored: ${stored.join(', ')}`)
    const path = join(folder, 'data', stored[0])
    assert.match(run('dcmdump', [path], folder), /MediaStorageSOPClassUID/u)
    assert.ok(part10(readFileSync(path)).dataSet.equals(dataSet), 'the stored data set differs from what was sent')
    const query = ['-k', 'QueryRetrieveLevel=STUDY', '-k', 'PatientID=ODD', '-k', 'PatientName', '-k', 'StudyInstanceUID']
    const matches = join(folder, 'matches')
    mkdirSync(matches)
    run('findscu', ['-S', '-X', '-od', matches, '-aec', 'E2E', '127.0.0.1', String(port), ...query], folder)
    const found = readdirSync(matches).map((name) => run('dcmdump', [join(matches, name)], folder))
    rmSync(matches, { recursive: true })
    assert.equal(found.length, 1, `found: ${found.join('\n')}`)
    assert.match(found[0], /\[1\.2\.826\.0\.1\.3680043\.8\.498\.2[\0 ]?\]/u)
    assert.match(found[0], /\[Made\^Up\]/u)
    assert.match(run(join(folder, 'node_modules/.bin/dicomtap'), ['find', `E2E@127.0.0.1:${port}`, 'PatientID=ODD', '--json'], folder), /1\.2\.826\.0\.1\.3680043\.8\.498\.2"/u)
  } finally {
    if (server.exitCode === null) killAll(signal)
  }
  const [code] = await ended
  assert.match(log.join('\n'), new RegExp(`${signal}: closing`, 'u'))
  if (signal === 'SIGTERM') assert.equal(code, 0)
  await assert.rejects(reach(port), { code: 'ECONNREFUSED' })
}

async function secureServer(create, packed, { file }) {
  const folder = join(work, 'scp-secure')
  const [port, tlsPort] = [await freePort(), await freePort()]
  run(create, [folder, '--tls', '--access', 'deny', '--language', 'yaml', '--ae-title', 'E2E', '--port', String(port), '--packages', packed, '--yes'], work)
  const config = join(folder, 'dicomtap.config.yaml')
  writeFileSync(config, readFileSync(config, 'utf8').replace('port: 2762', `port: ${tlsPort}`))
  const dicomtap = join(folder, 'node_modules/.bin/dicomtap')
  assert.equal(JSON.parse(run(dicomtap, ['check', '--json', '--ports'], folder)).ok, true)
  const server = spawn(dicomtap, ['start'], { cwd: folder, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  const log = []
  createInterface(server.stderr).on('line', (line) => log.push(line))
  const ended = once(server, 'close')
  const late = setTimeout(() => server.kill('SIGKILL'), START_TIMEOUT_MS)
  try {
    const ready = new Promise((resolve) => createInterface(server.stdout).on('line', (line) => line.startsWith('ready ') && resolve()))
    await Promise.race([ready, ended.then(([code]) => assert.fail(`ended with ${code} before it was ready:\n${log.join('\n')}`))])
    const secured = ['-aet', 'TESTER', '-aec', 'E2E', '+tls', 'pki/TESTER.key', 'pki/TESTER.pem', '+cf', 'pki/ca.pem', 'localhost', String(tlsPort)]
    run('echoscu', secured, folder)
    run('storescu', [...secured, file], folder)
    run('echoscu', ['-aec', 'E2E', '127.0.0.1', String(port)], folder)
    run(dicomtap, ['echo', `E2E@localhost:${tlsPort}`, '--aet', 'TESTER', '--tls-ca', 'pki/ca.pem', '--tls-cert', 'pki/TESTER.pem', '--tls-key', 'pki/TESTER.key'], folder)
    assert.throws(() => run(dicomtap, ['echo', `E2E@localhost:${tlsPort}`, '--tls-ca', 'pki/ca.pem'], folder), /failed/u)
    assert.throws(() => run(dicomtap, ['echo', `E2E@localhost:${tlsPort}`], folder), /failed/u)
    assert.match(run(dicomtap, ['peers'], folder), /this machine/u)
    assert.match(run(dicomtap, ['verify'], folder), /./u)
  } finally {
    clearTimeout(late)
    server.kill('SIGTERM')
  }
  const [code] = await ended
  assert.equal(code, 0, log.join('\n'))
}

async function reach(port) {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.destroy()
}

/** Below the ports that systems give to outgoing connections: one of those may be taken again at any moment. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer().listen(port)
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

/** As in a shell of its own: nothing of the npm that may run this script. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(?:registry|cache|userconfig)$)|^INIT_CWD$|^NODE_OPTIONS$/iu.test(name)))
}

function run(command, args, cwd) {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', env: environment(), stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000 })
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')} failed: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`, { cause: error })
  }
}

function step(title, action) {
  const result = action()
  console.log(`ok ${title}`)
  return result
}

async function stepAsync(title, action) {
  await action()
  console.log(`ok ${title}`)
}
