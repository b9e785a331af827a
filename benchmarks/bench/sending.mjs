import { join } from 'node:path'
import { delayedLink } from '../async/delayed-link.mjs'
import { writeObject } from '../load/part10.mjs'
import { round } from '../load/process-usage.mjs'
import { sopInstanceUid } from '../load/uids.mjs'
import { runSender } from '../send/run-sender.mjs'
import { SENDERS } from '../send/senders.mjs'
import { startSinkProcess } from '../send/sink-process.mjs'
import { generator } from './generator.mjs'
import { inTurn } from './in-turns.mjs'

const FILES = 200
const SIZE_BYTES = 512 * 1024
/** There and back. */
export const DELAY_MS = 10

const RATE = { name: 'MiB/s', field: 'mibPerSecond' }
const METRICS = [RATE, { name: 'CPU s/GiB', field: 'cpuSecondsPerGib', digits: 2, isLessBetter: true }, { name: 'peak RSS MiB', field: 'peakRssMib', isLessBetter: true }]

/** Senders of each part and phase: those of the same name stand beside each other in the report. */
export const SENDING = {
  'sending': {
    title: `Sending ${FILES} files of 512 KiB to the sink, one association, one request at a time`,
    metrics: METRICS,
    senders: { cold: { dicomtap: 'dicomtap-store', storescu: 'storescu' }, warm: { dicomtap: 'script-warm', storescu: 'storescu' } },
  },
  'sending-delayed': {
    title: `The same over a link with ${DELAY_MS} ms there and back`,
    metrics: METRICS,
    delayMs: DELAY_MS,
    senders: {
      cold: { 'window-8': 'script-window', 'window-1': 'script', 'storescu': 'storescu' },
      warm: { 'window-8': 'script-window-warm', 'window-1': 'script-warm', 'storescu': 'storescu' },
    },
  },
}

/** What a sender needs: files in a folder, and a sink that takes the time from the connection to its last answer. */
export async function makeReceiver(folder) {
  const directory = folder.next()
  let bytes = 0
  for (let index = 0; index < FILES; index++) {
    bytes += writeObject(join(directory, `${String(index).padStart(6, '0')}.dcm`), { sizeBytes: SIZE_BYTES, sopInstanceUid: sopInstanceUid(0, index) })
  }
  await folder.settle()
  const { program, sink: first } = generator()
  return { directory, bytes, sink: await startSinkProcess(['--pdu', '131072', '--window', '8'], [program, ...first]) }
}

/** Sends the same files in turns to one sink. */
export async function runSending(name, part, { folder, repetitions, hasDcmtk, progress }) {
  const { directory, bytes, sink } = await makeReceiver(folder)
  const link = part.delayMs === undefined ? undefined : await delayedLink({ port: sink.port, delayMs: part.delayMs / 2 })
  const results = []
  try {
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      for (const [phase, senders] of Object.entries(part.senders)) {
        for (const server of inTurn(Object.keys(senders), repetition)) {
          const sender = SENDERS[senders[server]]
          if (sender.needsDcmtk === true && !hasDcmtk) continue
          const result = await sendOnce(sender, sink, link?.port ?? sink.port, directory, bytes)
          results.push({ workload: name, server, phase, repetition, ...result })
          progress(`${name} ${phase} ${repetition}/${repetitions} ${server} ${JSON.stringify(result)}`)
        }
      }
    }
  } finally {
    link?.close()
    await sink.stop()
  }
  return results
}

async function sendOnce({ command, environment, associations = 1, isWarm = false }, sink, port, directory, bytes) {
  try {
    const { output, ...whole } = await runSender(command(port, directory), environment)
    let seen
    for (let count = 0; count < associations; count++) seen = await sink.next()
    if (seen.messages !== FILES || seen.dataSetBytes !== bytes) return { error: `the sink got ${seen.messages} objects, ${seen.dataSetBytes} bytes` }
    // Of a program that stays: its own figures of the last association.
    const cpuSeconds = isWarm ? JSON.parse(output).cpuSeconds : whole.cpuSeconds
    return {
      messages: FILES,
      seconds: seen.seconds,
      mibPerSecond: round(bytes / 2 ** 20 / seen.seconds, 1),
      cpuSeconds,
      cpuSecondsPerGib: round((cpuSeconds * 2 ** 30) / bytes, 2),
      peakRssMib: whole.peakRssMib,
      processSeconds: whole.processSeconds,
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
