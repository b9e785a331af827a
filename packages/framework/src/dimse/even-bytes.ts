import type { DataSetBytes } from './fragmenter.ts'

const NUL = Buffer.alloc(1)

/**
 * A deflated data set with the NUL behind it that makes its length even (PS3.5 A.5). Writers of files leave
 * it out, DCMTK's among them, and receivers refuse a message of odd length (PS3.8 annex E), DCMTK's among them.
 */
export function evenBytes(dataSet: DataSetBytes): DataSetBytes {
  if (!(dataSet instanceof Uint8Array)) return withNul(dataSet)
  return dataSet.length % 2 === 0 ? dataSet : Buffer.concat([dataSet, NUL])
}

async function* withNul(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let isOdd = false
  for await (const piece of pieces) {
    if (piece.length % 2 === 1) isOdd = !isOdd
    yield piece
  }
  if (isOdd) yield NUL
}
