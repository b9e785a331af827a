import { createHash, type Hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { DigestAnswer, DigestFailure, DigestTask } from './digest-thread.ts'

const READ_BYTES = 256 * 1024
const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
const digests = new Map<number, { readonly hash: Hash; positionBytes: number }>()

parentPort?.on('message', (task: DigestTask) => {
  if (task.kind === 'abandon') {
    digests.delete(task.id)
    return
  }
  try {
    const hash = advance(task)
    if (task.kind === 'end') answer({ id: task.id, sha256: hash.digest('hex') })
  } catch (error) {
    digests.delete(task.id)
    if (task.kind === 'end') answer({ id: task.id, error: failureOf(error as NodeJS.ErrnoException) })
  }
  if (task.kind === 'end') digests.delete(task.id)
})

/** Reads on to where the file is complete, which is in the page cache still. */
function advance({ id, descriptor, toBytes }: Extract<DigestTask, { toBytes: number }>): Hash {
  const digest = digests.get(id) ?? { hash: createHash('sha256'), positionBytes: 0 }
  digests.set(id, digest)
  while (digest.positionBytes < toBytes) {
    const readBytes = readSync(descriptor, buffer, 0, Math.min(READ_BYTES, toBytes - digest.positionBytes), digest.positionBytes)
    if (readBytes === 0) throw Object.assign(new Error('EIO: a file is shorter than what was written to it, read'), { code: 'EIO', syscall: 'read' })
    digest.hash.update(buffer.subarray(0, readBytes))
    digest.positionBytes += readBytes
  }
  return digest.hash
}

function answer(message: DigestAnswer): void {
  parentPort?.postMessage(message)
}

/** An error loses its code on the way. */
function failureOf({ code = 'EIO', syscall = 'read', message }: NodeJS.ErrnoException): DigestFailure {
  return { code, syscall, message }
}
