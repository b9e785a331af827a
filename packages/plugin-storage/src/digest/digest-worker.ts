import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { DigestFailure, DigestMessage, DigestTask } from './digest-thread.ts'
import { READ_BYTES, ReadBack } from './read-back.ts'

const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
const files = new Map<number, ReadBack>()

parentPort?.on('message', (task: DigestTask) => {
  if (task.kind === 'abandon') {
    files.delete(task.id)
    return
  }
  try {
    const file = readTo(task)
    if (task.kind === 'end') tell({ kind: 'answer', id: task.id, sha256: file.end(task.received) })
  } catch (error) {
    files.delete(task.id)
    if (task.kind === 'end') tell({ kind: 'answer', id: task.id, failure: failureOf(error as NodeJS.ErrnoException) })
  }
  if (task.kind === 'end') files.delete(task.id)
})
// Not `online`: that comes before preloads of Node's options have run, which may end the thread.
tell({ kind: 'ready' })

/** Reads on to where the file is complete, which is in the page cache still. */
function readTo(task: Exclude<DigestTask, { kind: 'abandon' }>): ReadBack {
  const toBytes = task.kind === 'end' ? task.received.sizeBytes : task.toBytes
  const file = files.get(task.id) ?? new ReadBack()
  files.set(task.id, file)
  while (file.positionBytes < toBytes) {
    const readBytes = readSync(task.descriptor, buffer, 0, Math.min(READ_BYTES, toBytes - file.positionBytes), file.positionBytes)
    if (readBytes === 0) break
    file.take(buffer.subarray(0, readBytes))
  }
  return file
}

/** An error loses its code on the way. */
function failureOf({ code = 'EIO', syscall = 'read', message }: NodeJS.ErrnoException): DigestFailure {
  return { code, syscall, message }
}

function tell(message: DigestMessage): void {
  parentPort?.postMessage(message)
}
