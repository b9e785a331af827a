import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { createTestServer } from '@dicomtap/framework/testing'
import { verification } from '@dicomtap/plugin-verification'

const hasDcmtk = spawnSync('echoscu', ['--version']).error === undefined
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write('SKIPPED: echoscu of DCMTK is not installed, C-ECHO was not tried with it\n')

interop('echoscu of DCMTK: one, many on one association, every transfer syntax it has, an abort', async (t) => {
  await using server = await createTestServer({ plugins: [verification()] })
  const runs = [[], ['--repeat', '20'], ['--propose-ts', '38'], ['--propose-pc', '128'], ['--abort']]
  for (const options of runs) {
    const arguments_ = ['--verbose', '--aetitle', 'DCMTK', ...options, '127.0.0.1', String(server.port)]
    const { stdout, stderr } = await promisify(execFile)('echoscu', arguments_)
    const successes = (stdout + stderr).match(/Received Echo Response \(Success\)/g)?.length
    t.is(successes, options[0] === '--repeat' ? 20 : 1, `echoscu ${arguments_.join(' ')}\n${stdout}${stderr}`)
  }
})
