import { lend } from '../loans.ts'

/** What is read at once: a whole small data set, or a piece of a large one. */
export const SLAB_BYTES = 1_048_576
/** Kept for the next read; more than a few sends at once are left to the garbage collector. */
const MAXIMUM_SPARES = 8

const spares: Buffer[] = []

/**
 * Memory for one read, used again when its bytes have left: fresh memory for each would cost more than the
 * reading, in page faults and garbage collection.
 */
export function takeSlab(length: number): Buffer {
  const slab = spares.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
  const piece = slab.subarray(0, length)
  lend(piece, () => {
    if (spares.length < MAXIMUM_SPARES) spares.push(slab)
  })
  return piece
}
