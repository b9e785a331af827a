import { Worker } from 'node:worker_threads'

/** One input may take so long. */
const HANG_MS = 20_000
const LARGEST_INPUT_BYTES = 1_000_000

/**
 * Fuzzes one target in a thread. A thread that hangs, or runs out of memory, has a finding too: the input it
 * was at.
 *
 * @param {{ data: object, onFinding(input: Uint8Array, what: string): void, onKept?(input: Uint8Array): void }} options
 * `data` is what worker.mjs reads
 * @returns {Promise<object | undefined>} what the thread says at its end
 */
export function fuzzInThread({ data, onFinding, onKept = () => {} }) {
  const shared = new SharedArrayBuffer(8 + LARGEST_INPUT_BYTES)
  const progress = new Int32Array(shared, 0, 2)
  const worker = new Worker(new URL('worker.mjs', import.meta.url), {
    workerData: { ...data, shared },
    resourceLimits: { maxOldGenerationSizeMb: 768 },
  })
  return new Promise((resolve) => {
    let isOver = false
    let runsBefore = -1
    const watch = setInterval(() => {
      const runs = Atomics.load(progress, 0)
      if (runs === runsBefore) end(undefined, `no end of it within ${HANG_MS / 1000} s`)
      runsBefore = runs
    }, HANG_MS)
    const end = (summary, what) => {
      if (isOver) return
      isOver = true
      clearInterval(watch)
      if (what !== undefined) onFinding(Uint8Array.from(Buffer.from(shared, 8, progress[1])), what)
      void worker.terminate().then(() => resolve(summary))
    }
    worker.on('message', (message) => {
      if (message.kind === 'finding') onFinding(message.input, message.what)
      else if (message.kind === 'kept') onKept(message.input)
      else end(message, undefined)
    })
    worker.on('error', (error) => end(undefined, String(error.stack ?? error)))
    worker.on('exit', (code) => end(undefined, `the thread ended with ${code}`))
  })
}
