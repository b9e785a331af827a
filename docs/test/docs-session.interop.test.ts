import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { writeSampleFile } from '@dicomtap/framework/testing'
import { codeBlocks, readPage, ROOT } from './pages.js'
import { run } from './examples.js'

const isInstalled = spawnSync('echoscu', ['--version']).error === undefined
if (!isInstalled && process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error('DCMTK is not installed')
if (!isInstalled) process.stderr.write('SKIPPED: DCMTK is not installed, the sessions of the README are not tried out\n')
const interop = isInstalled ? test : test.skip

const folder = mkdtempSync(join(tmpdir(), 'dicomtap-session-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** What differs from run to run. */
function without(text: string): string {
  return text
    .replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/gm, '<time>')
    .replaceAll(/on (?:port \d+|127\.0\.0\.1:\d+)/g, 'on <port>')
    .replaceAll(/127\.0\.0\.1:\d+/g, '<peer>')
    .replaceAll(/\b\d+(?:\.\d+)? (?:ms|s)\b/g, '<duration>')
    .replaceAll(/\b\d+(?:\.\d+)? (?:B|kB|MB)\b/g, '<size>')
}

function block(page: string, isWanted: (text: string, name: string | undefined) => boolean): string {
  const found = codeBlocks(readPage(page)).find(({ code, name }) => isWanted(code, name))
  if (found === undefined) throw new Error(`${page} has no such block`)
  return found.code
}

interop('the sessions of README and getting started are what the server prints', async (t) => {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const config = block('docs/guides/getting-started.md', (_code, name) => name === 'dicomtap.config.yaml')
  writeFileSync(join(folder, 'dicomtap.config.yaml'), config.replace('port: 11112', 'port: 0\n    host: 127.0.0.1'))
  const image = await writeSampleFile(join(folder, 'image.dcm'), 'ct')

  const server = spawn(process.execPath, [join(ROOT, 'packages/cli/bin/dicomtap.js'), 'start'], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await new Promise<void>((resolve, reject) => {
    server.on('exit', () => reject(new Error(`The server ended: ${stderr}`)))
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.includes('\n')) resolve()
    })
  })
  const [, port = ''] = /127\.0\.0\.1:(\d+)/.exec(stdout) ?? []

  const scu = async (line: string): Promise<string> => {
    const [command = '', ...args] = line.replace('localhost 11112', `127.0.0.1 ${port}`).split(' ')
    const { code, stdout: out, stderr: err } = await run(command, args, { cwd: folder })
    t.is(code, 0, out + err)
    return out + err
  }
  const [echo = '', store = ''] = block('README.md', (code) => code.startsWith('echoscu')).trim().split('\n')
  t.true((await scu(echo)).includes('I: Received Echo Response (Success)'))
  await scu(store)
  const ended = new Promise((resolve) => server.on('exit', resolve))
  server.kill('SIGINT')
  t.is(await ended, 0)

  const session = block('README.md', (_code, name) => name === 'session')
  t.is(without(stdout + stderr), without(session))

  // Getting started shows parts of the same.
  const lines = new Set(without(stdout + stderr).split('\n'))
  const shown = codeBlocks(readPage('docs/guides/getting-started.md')).filter(({ language, name }) => language === 'text' && name === undefined)
  const logged = shown.map(({ code }) => without(code)).filter((code) => /^(?:<time>|ready)/.test(code))
  t.is(logged.length, 2)
  for (const line of logged.join('').trim().split('\n')) t.true(lines.has(line), line)

  const stored = readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.dcm'))
  t.deepEqual(stored.map((path) => path.split(/[/\\]/).at(-1)), [`${image.sopInstanceUid}.dcm`])
  t.is(stored[0]?.split(/[/\\]/).length, 3)
})
