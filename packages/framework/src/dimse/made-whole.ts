import type { DataSetBytes } from './fragmenter.ts'

/** So much is kept of what is made; the rest is made while it is sent. */
const MAXIMUM_BYTES = 4_194_304

/**
 * What is made of a data set on its way to the peer. Of one that is in memory it is made before anything is sent: one
 * that turns out to be malformed in the middle costs its own C-STORE then, not the association.
 */
export async function madeWhole(source: DataSetBytes, make: (source: DataSetBytes) => AsyncIterable<Uint8Array>): Promise<DataSetBytes> {
  const made = make(source)
  if (!(source instanceof Uint8Array)) return made
  const rest = made[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  let bytes = 0
  while (bytes < MAXIMUM_BYTES) {
    const { done, value } = await rest.next()
    if (done === true) return Buffer.concat(pieces)
    pieces.push(value)
    bytes += value.length
  }
  return withRest(pieces, rest)
}

async function* withRest(pieces: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pieces
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}
