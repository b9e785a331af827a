import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createTestServer } from '@dicomtap/framework/testing'
import type { TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import type { ExecutionContext } from 'ava'
import type { Result } from './run.js'

const BIN = fileURLToPath(new URL('../../bin/dicomtap.js', import.meta.url))

/** A server that ends with the test. */
export async function peer(t: ExecutionContext, options: TestServerOptions): Promise<TestServer> {
  const server = await createTestServer({ aeTitle: 'PACS', ...options })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}

/** A command that is told to end while it runs. */
export interface Running {
  kill(signal: NodeJS.Signals): void
  /** Resolves when stdout and stderr together hold the text. */
  said(text: string): Promise<void>
  readonly ended: Promise<Result>
}

export function runUntilKilled(t: ExecutionContext, args: readonly string[], cwd: string): Running {
  const child = spawn(process.execPath, [BIN, ...args], { cwd })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    kill: (signal) => void child.kill(signal),
    async said(text) {
      while (!`${stdout}${stderr}`.includes(text)) {
        await Promise.race([
          once(child.stdout, 'data'),
          once(child.stderr, 'data'),
          ended.then(() => {
            throw new Error(`ended without "${text}": ${stdout}${stderr}`)
          }),
        ])
      }
    },
    ended,
  }
}
