import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { TransferSyntax } from '@dicomtap/framework'
import { SAMPLE_KINDS, writeSampleFile } from '@dicomtap/framework/testing'
import { run } from './support/run.js'
import { makeSite } from './support/site.js'

const execute = promisify(execFile)

// DCMTK as the receiver and as the reader of what was sent. It must be installed: without it these are skipped.
const TOOLS = ['storescp', 'dcmdump']
const hasDcmtk = TOOLS.every((tool) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  }),
)
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write(`SKIPPED: ${TOOLS.join(', ')} of DCMTK are not installed, dicomtap store was not tried against them\n`)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A storescp that takes everything it knows; resolves when it answers an echo. */
async function storescp(t: ExecutionContext, cwd: string, ...options: readonly string[]): Promise<number> {
  const port = await freePort()
  await mkdir(join(cwd, 'received'))
  // Without TCP_NODELAY each answer of DCMTK waits for an acknowledgement.
  const child = spawn('storescp', ['-od', 'received', ...options, String(port)], { cwd, env: { ...process.env, TCP_NODELAY: '1' }, stdio: 'ignore' })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const { code } = await run(['echo', `127.0.0.1:${port}`, '--quiet'], { cwd })
    if (code === 0) return port
    await wait(50)
  }
  throw new Error('storescp does not answer')
}

/** The data set of a file in DCMTK's words. */
async function dump(file: string): Promise<string[]> {
  const { stdout } = await execute('dcmdump', ['-q', '+L', '+uc', file])
  return stdout.split('\n').filter((line) => /^\s*\((?!0002)/u.test(line))
}

interop('storescp receives what dicomtap store sends, in each transfer syntax', async (t) => {
  const cwd = await makeSite(t)
  await mkdir(join(cwd, 'study'))
  const syntaxes = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.DeflatedExplicitVRLittleEndian, TransferSyntax.JPEG2000Lossless, TransferSyntax.RLELossless]
  const sent = new Map<string, string>()
  let seed = 0
  for (const transferSyntaxUid of syntaxes) {
    for (const kind of SAMPLE_KINDS) {
      seed += 1
      const path = join(cwd, 'study', `${seed}.dcm`)
      sent.set((await writeSampleFile(path, kind, transferSyntaxUid, { seed })).sopInstanceUid, path)
    }
  }
  // +xa: every transfer syntax. Bit-preserving: the bytes that came are the bytes that are written.
  const port = await storescp(t, cwd, '+xa', '--bit-preserving')
  const { code, stdout, stderr } = await run(['store', `127.0.0.1:${port}`, 'study'], { cwd })
  t.is(stderr, '')
  t.is(code, 0)
  t.regex(stdout, /^25 stored\n/u)
  const received = await readdir(join(cwd, 'received'))
  t.is(received.length, 25)
  for (const name of received) {
    const dataSet = await dump(join(cwd, 'received', name))
    const uid = /\[([\d.]+)\]/u.exec(dataSet.find((line) => line.startsWith('(0008,0018)')) ?? '')?.[1] ?? ''
    t.deepEqual(dataSet, await dump(sent.get(uid) ?? ''), uid)
  }
})

interop('storescp that takes Implicit VR only gets converted files', async (t) => {
  const cwd = await makeSite(t)
  await mkdir(join(cwd, 'study'))
  const { sopInstanceUid } = await writeSampleFile(join(cwd, 'study/ct.dcm'), 'ct')
  const port = await storescp(t, cwd, '+xi')
  t.is((await run(['store', `127.0.0.1:${port}`, 'study'], { cwd })).code, 1)
  const { code } = await run(['store', `127.0.0.1:${port}`, 'study', '--convert'], { cwd })
  t.is(code, 0)
  const [name = ''] = await readdir(join(cwd, 'received'))
  t.true(name.includes(sopInstanceUid))
  t.deepEqual(await dump(join(cwd, 'received', name)), await dump(join(cwd, 'study/ct.dcm')))
})
