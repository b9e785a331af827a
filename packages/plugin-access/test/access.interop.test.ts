import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { writeSampleFile } from '@dicomtap/framework/testing'
import { verification } from '@dicomtap/plugin-verification'
import { accessServer } from './support/server.js'

const hasDcmtk = spawnSync('echoscu', ['--version']).error === undefined
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write('SKIPPED: echoscu and storescu of DCMTK are not installed, access was not tried with them\n')

interface Ended {
  readonly isFine: boolean
  readonly output: string
}

function dcmtk(program: 'echoscu' | 'storescu', args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout, stderr) => resolve({ isFine: error === null, output: stdout + stderr }))
  })
}

interop('echoscu is told why it is not let in', async (t) => {
  const server = await accessServer(
    t,
    `
peers:
  - { aeTitle: CT1, host: 127.0.0.1, calledAeTitles: ARCHIVE, allow: [echo] }
  - { aeTitle: CT2, host: 10.0.0.1 }
  - { aeTitle: CT3, host: 127.0.0.1, associationsPerMinute: 1 }
  - { aeTitle: MR1, host: 127.0.0.1, allow: [find] }
`,
    {},
    { plugins: [verification()] },
  )
  const echo = (calling: string, called = 'ARCHIVE'): Promise<Ended> => dcmtk('echoscu', ['-v', '-aet', calling, '-aec', called, '127.0.0.1', String(server.port)])
  const fine = await echo('CT1')
  t.true(fine.isFine, fine.output)
  t.regex((await echo('XX')).output, /Result: Rejected Permanent, Source: Service User\s[\s\S]*Reason: Calling AE Title Not Recognized/)
  t.regex((await echo('CT1', 'OTHER')).output, /Result: Rejected Permanent, Source: Service User\s[\s\S]*Reason: Called AE Title Not Recognized/)
  t.regex((await echo('CT2')).output, /Result: Rejected Permanent, Source: Service User\s[\s\S]*Reason: No Reason/)
  t.true((await echo('CT3')).isFine)
  t.regex((await echo('CT3')).output, /Result: Rejected Transient, Source: Service Provider \(Presentation Related\)\s[\s\S]*Reason: Temporary Congestion/)
  t.regex((await echo('MR1')).output, /No Acceptable Presentation Contexts/)
})

interop('storescu may store what its peer may', async (t) => {
  const server = await accessServer(t, 'peers:\n  - { aeTitle: CT1, host: 127.0.0.1, allow: [CTImageStorage] }\n  - { aeTitle: MR1, host: 127.0.0.1, allow: [echo] }\n')
  const file = join(server.folder, 'ct.dcm')
  await writeSampleFile(file, 'ct')
  const store = (calling: string): Promise<Ended> => dcmtk('storescu', ['-v', '-aet', calling, '127.0.0.1', String(server.port), file])
  const stored = await store('CT1')
  t.true(stored.isFine, stored.output)
  t.regex(stored.output, /Received Store Response \(Success\)/)
  t.regex((await store('MR1')).output, /No Acceptable Presentation Contexts/)
})
