// Loaded into a server before all else (`--import`): takes CPU profiles when it is told to through its channel,
// `{ profile: 'start' }` and `{ profile: 'stop', file }`.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

const SAMPLE_US = 250
const session = new Session()

if (process.send !== undefined) {
  process.on('message', (message) => void obey(message))
  process.channel.unref()
}

async function obey({ profile, file }) {
  if (profile === 'start') {
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
    await session.post('Profiler.start')
  } else {
    const { profile: taken } = await session.post('Profiler.stop')
    session.disconnect()
    writeFileSync(file, JSON.stringify(taken))
  }
  process.send({ profile })
}
