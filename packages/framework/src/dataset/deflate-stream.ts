import { Readable, pipeline } from 'node:stream'
import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { DeflateRaw, InflateRaw } from 'node:zlib'
import { DicomtapError } from '../errors/index.ts'
import { ChunkedOutput } from './convert-output.ts'

export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

const ZLIB_CHUNK_BYTES = 65_536

/** @throws DICOMTAP_ERR_DS_MALFORMED while it is drawn from */
export async function* inflate(pieces: Pieces): AsyncGenerator<Uint8Array, void, undefined> {
  const inflater = createInflateRaw({ chunkSize: ZLIB_CHUNK_BYTES })
  const out = new ChunkedOutput()
  try {
    for await (const piece of through(pieces, inflater)) {
      out.bytes(piece)
      yield* out.take()
    }
  } catch (cause) {
    if (!isOfZlib(cause)) throw cause
    throw new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', 'The data set cannot be inflated', { cause })
  }
  yield* out.finish()
}

/** A deflated data set of odd length is padded with one zero (PS3.5 A.5). */
export async function* deflate(pieces: Pieces): AsyncGenerator<Uint8Array, void, undefined> {
  const out = new ChunkedOutput()
  for await (const piece of through(pieces, createDeflateRaw({ chunkSize: ZLIB_CHUNK_BYTES }))) {
    out.bytes(piece)
    yield* out.take()
  }
  if ((out.totalBytes & 1) === 1) out.bytes(Buffer.alloc(1))
  yield* out.finish()
}

/** Ends the source when the reader ends early; what the source throws reaches the reader as it is. */
function through(pieces: Pieces, transform: InflateRaw | DeflateRaw): AsyncIterable<Buffer> {
  pipeline(Readable.from(pieces, { objectMode: true }), transform, () => {})
  return transform
}

function isOfZlib(error: unknown): boolean {
  return String((error as NodeJS.ErrnoException | null)?.code).startsWith('Z_')
}
