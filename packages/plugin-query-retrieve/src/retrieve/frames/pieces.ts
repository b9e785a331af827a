import { open } from 'node:fs/promises'
import { constants } from 'node:fs'
import { FileWindow, readFully } from './file-window.ts'
import { cannotExtract } from './refused.ts'

export interface FileRange {
  readonly start: number
  readonly end: number
}

/** Bytes, or where in the file they are. */
export type Piece = Buffer | FileRange

/** A named pipe must not make who opens it wait. */
export const OPEN_FLAGS: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

const CHUNK_BYTES = 262_144
/** Of what is shorter, many are read at once. */
const SHORT_BYTES = 16_384

/** Ranges that follow each other become one. */
export function joinPieces(pieces: Iterable<Piece>): Piece[] {
  const joined: Piece[] = []
  for (const piece of pieces) {
    const last = joined.at(-1)
    if (Buffer.isBuffer(piece)) {
      if (piece.length > 0) joined.push(piece)
    } else if (last !== undefined && !Buffer.isBuffer(last) && last.end === piece.start) {
      joined[joined.length - 1] = { start: last.start, end: piece.end }
    } else if (piece.end > piece.start) {
      joined.push(piece)
    }
  }
  return joined
}

/** Which file it was when its pieces were found. */
export interface FileState {
  readonly size: number
  readonly mtimeMs: number
  readonly ino: number
}

/**
 * The bytes of all pieces, read as they are drawn.
 * @throws StatusError AA02 when the file is not the one any more that it was
 */
export async function* bytesOf(path: string, state: FileState, pieces: readonly Piece[]): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await open(path, OPEN_FLAGS)
  try {
    const { size, mtimeMs, ino } = await handle.stat()
    if (size !== state.size || mtimeMs !== state.mtimeMs || ino !== state.ino) throw cannotExtract('The file was changed')
    const window = new FileWindow(handle, size)
    let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    let used = 0
    for (const piece of pieces) {
      const isBytes = Buffer.isBuffer(piece)
      const length = isBytes ? piece.length : piece.end - piece.start
      for (let done = 0; done < length; ) {
        const count = Math.min(length - done, CHUNK_BYTES - used)
        if (isBytes) piece.copy(chunk, used, done, done + count)
        else if (length <= SHORT_BYTES) (await window.view(piece.start + done, count)).copy(chunk, used)
        else await readFully(handle, chunk.subarray(used, used + count), piece.start + done)
        done += count
        used += count
        if (used === CHUNK_BYTES) {
          yield chunk
          // What was given belongs to who drew it.
          chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
          used = 0
        }
      }
    }
    if (used > 0) yield chunk.subarray(0, used)
  } finally {
    await handle.close()
  }
}
