import type { Logger } from '../../logger.ts'
import type { DataSetBytes } from '../fragmenter.ts'

/** How often bytes that are there as a whole report progress. */
const PIECE_BYTES = 262_144

/**
 * The same bytes; tells how many were taken so far, each time that the next are asked for. A callback that
 * throws is logged and not called again: it must not tear the message.
 */
export async function* counted(
  bytes: DataSetBytes,
  onProgress: (sentBytes: number) => void,
  log: Logger,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sentBytes = 0
  let hasFailed = false
  for await (const piece of bytes instanceof Uint8Array ? pieces(bytes) : bytes) {
    yield piece
    sentBytes += piece.length
    if (hasFailed) continue
    try {
      onProgress(sentBytes)
    } catch (error) {
      hasFailed = true
      log.error('onProgress of a C-STORE failed', { error })
    }
  }
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) yield bytes.subarray(offset, offset + PIECE_BYTES)
}
