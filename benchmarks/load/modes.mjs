import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { echoMessage, storeMessage } from './messages.mjs'
import { PeerError, connect } from './peer.mjs'
import { associateRequest } from './pdus.mjs'
import { processUsage, round, usageSince } from './process-usage.mjs'
import { Tally } from './tally.mjs'
import { CT_IMAGE_STORAGE, STUDY_INSTANCE_UID, TRANSFER_SYNTAXES, VERIFICATION } from './uids.mjs'

const CONTEXT_ID = 1
const MIB = 1_048_576

/** `n` C-ECHO requests on each of `associations` associations. */
export async function echo(options) {
  const request = echoAssociation(options)
  return measure(options, 0, async (tally) => {
    await inParallel(options.associations, async () => {
      const peer = await associate(options, request)
      const message = echoMessage(CONTEXT_ID)
      for (let count = 0; count < options.n; count++) await tally.time(() => peer.exchange(message))
      await peer.release()
    })
  })
}

/** `n` times connect, associate, C-ECHO, release and close; `associations` of them at a time. */
export async function assoc(options) {
  const request = echoAssociation(options)
  return measure(options, 0, async (tally) => {
    await inParallel(options.associations, async () => {
      const message = echoMessage(CONTEXT_ID)
      for (let count = 0; count < options.n; count++) {
        await tally.time(async () => {
          const peer = await associate(options, request)
          const status = await peer.exchange(message)
          await peer.release()
          return status
        })
      }
    })
  })
}

/** `n` C-STORE requests of `size` bytes on each of `associations` associations. */
export async function store(options) {
  const transferSyntax = TRANSFER_SYNTAXES[options.syntax]
  const request = associateRequest({ ...options, contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntax }] })
  return measure(options, options.n * options.associations * options.size, async (tally) => {
    await inParallel(options.associations, async (association) => {
      const { peer, maximumLength } = await associateWithLength(options, request)
      const message = storeMessage({
        presentationContextId: CONTEXT_ID,
        transferSyntax,
        sizeBytes: options.size,
        association,
        maximumLength,
        pduBytes: options.pdu,
      })
      for (let count = 0; count < options.n; count++) await tally.time(() => peer.exchange(message))
      await peer.release()
    })
  })
}

/** Asks for all associations at once, holds them, then sends one C-ECHO on each. */
export async function idle(options) {
  const request = echoAssociation(options)
  const before = processUsage(options.pid)
  const startedAt = performance.now()
  const opened = []
  const peers = []
  const failures = {}
  let lastAcceptMs = 0
  const attempts = Array.from({ length: options.associations }, async () => {
    try {
      peers.push(await associate(options, request, (peer) => opened.push(peer)))
      lastAcceptMs = performance.now() - startedAt
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      failures[error.message] = (failures[error.message] ?? 0) + 1
    }
  })
  await Promise.race([Promise.all(attempts), delay(options.wait * 1000, undefined, { ref: false })])
  const accepted = peers.length
  const refused = Object.values(failures).reduce((sum, count) => sum + count, 0)
  const held = processUsage(options.pid)
  const message = echoMessage(CONTEXT_ID)
  const deadline = delay(options.wait * 1000, undefined, { ref: false })
  const answers = peers.slice(0, accepted).map((peer) => peer.exchange(message).then((status) => status === 0, () => false))
  const answered = await Promise.all(answers.map((answer) => Promise.race([answer, deadline])))
  const after = processUsage(options.pid)
  for (const peer of opened) peer.destroy()
  return {
    mode: 'idle',
    associations: options.associations,
    accepted,
    refused,
    unanswered: options.associations - accepted - refused,
    echoed: answered.filter((isSuccess) => isSuccess === true).length,
    lastAcceptMs: round(lastAcceptMs, 1),
    ...(refused > 0 ? { failures } : {}),
    ...(held === undefined || before === undefined || accepted === 0
      ? {}
      : { pssMib: round(held.pssMib, 1), kibPerAssociation: round(((held.pssMib - before.pssMib) * 1024) / accepted, 1) }),
    ...usageSince(before, after),
  }
}

/** Spawns `command`, which must listen on the port, and waits for its first C-ECHO answer. Ends it again. */
export async function start(options) {
  const [program, ...args] = options.command
  const startedAt = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const failed = new Promise((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code} before it answered`)))
  })
  failed.catch(() => {})
  try {
    await Promise.race([waitForEcho(options), failed])
    const startMs = round(performance.now() - startedAt, 1)
    return { mode: 'start', startMs, ...usageSince({ cpuSeconds: 0 }, processUsage(child.pid)) }
  } finally {
    child.kill('SIGTERM')
  }
}

/** Resolves when the server answers a C-ECHO; tries again each millisecond until then, or until `signal` aborts. */
export async function waitForEcho(options) {
  const request = echoAssociation(options)
  while (options.signal?.aborted !== true) {
    try {
      const peer = await associate(options, request)
      await peer.exchange(echoMessage(CONTEXT_ID))
      await peer.release()
      return
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      await delay(1)
    }
  }
}

async function measure(options, bytes, work) {
  const tally = new Tally()
  const before = processUsage(options.pid)
  const ownBefore = process.cpuUsage()
  const startedAt = performance.now()
  await work(tally)
  const seconds = (performance.now() - startedAt) / 1000
  const own = process.cpuUsage(ownBefore)
  const after = processUsage(options.pid)
  return {
    mode: options.mode,
    associations: options.associations,
    messages: tally.count,
    ...(bytes > 0 ? { size: options.size, syntax: options.syntax, studyInstanceUid: STUDY_INSTANCE_UID } : {}),
    seconds: round(seconds, 3),
    messagesPerSecond: round(tally.count / seconds, 1),
    ...(bytes > 0 ? { mibPerSecond: round(bytes / MIB / seconds, 1) } : {}),
    ...tally.latencies(),
    ...tally.failures(),
    ...usageSince(before, after, bytes),
    generatorCpuSeconds: round((own.user + own.system) / 1e6, 3),
  }
}

function echoAssociation(options) {
  return associateRequest({
    ...options,
    contexts: [{ abstractSyntax: VERIFICATION, transferSyntax: TRANSFER_SYNTAXES.implicit }],
  })
}

async function associate(options, request, onConnected) {
  return (await associateWithLength(options, request, onConnected)).peer
}

async function associateWithLength(options, request, onConnected) {
  const peer = await connect(options)
  onConnected?.(peer)
  const { results, maximumLength } = await peer.associate(request)
  if (results.get(CONTEXT_ID) !== 0) throw new PeerError(`the presentation context was refused (${results.get(CONTEXT_ID)})`)
  return { peer, maximumLength }
}

function inParallel(count, work) {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}
