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
  return lendSlab(takeWholeSlab(), 0, length)
}

/** As {@link takeSlab}, before it is known which part of it is lent: then comes `lendSlab` or `returnSlab`. */
export function takeWholeSlab(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
}

/** The part of a slab that is sent. */
export function lendSlab(slab: Buffer, start: number, end: number): Buffer {
  const piece = slab.subarray(start, end)
  lend(piece, () => {
    returnSlab(slab)
  })
  return piece
}

/** Nothing of it was sent. */
export function returnSlab(slab: Buffer): void {
  if (spares.length < MAXIMUM_SPARES) spares.push(slab)
}
