import test, { type TestFn } from 'ava'
import { execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { decodePart10Header } from '@dicomtap/framework'
import { readFile } from 'node:fs/promises'

export const run = promisify(execFile)

/** DCMTK as shipped waits 40 ms per message for an acknowledgement. */
export const dcmtkEnvironment = { ...process.env, TCP_NODELAY: '1' }

/** `test` when every tool is installed; else a test that is skipped, which is said once. */
export function testWithTools(...tools: string[]): TestFn | typeof test.skip {
  const missing = tools.filter(
    (tool) =>
      !(process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
        try {
          accessSync(path.join(folder, tool), constants.X_OK)
          return true
        } catch {
          return false
        }
      }),
  )
  if (missing.length === 0) return test
  process.stderr.write(`SKIPPED: ${missing.join(', ')} of DCMTK not installed\n`)
  return test.skip
}

/** The data set of a Part 10 file, as bytes. */
export async function dataSetBytes(file: string): Promise<Buffer> {
  const bytes = await readFile(file)
  return bytes.subarray(decodePart10Header(bytes).dataSetOffset)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** DCMTK's storescp in bit preserving mode: writes down what arrived, without a look at it. */
export async function bitPreservingScp(folder: string): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort()
  const child = spawn('storescp', ['+B', '+xa', '-od', folder, String(port)], { env: dcmtkEnvironment, stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for (let attempt = 0; !(await isOpen(port)); attempt++) {
    if (attempt > 100) throw new Error('storescp does not listen')
    await delay(50)
  }
  return {
    port,
    async stop() {
      child.kill()
      await exited
    },
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
