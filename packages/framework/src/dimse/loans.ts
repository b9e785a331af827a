/**
 * Memory that is lent to the network: whoever fills it again must know when its bytes have left. A piece
 * without an entry belongs to the network once it is given.
 */
const loans = new WeakMap<Uint8Array, () => void>()

/** Lends a piece. @param returned called when the socket has no more use for it, or never */
export function lend(piece: Uint8Array, returned: () => void): void {
  loans.set(piece, returned)
}

/** What to call when the bytes of a piece have left. */
export function loanOf(piece: Uint8Array): (() => void) | undefined {
  return loans.get(piece)
}
