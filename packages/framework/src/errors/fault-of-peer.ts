const faults = new WeakSet<object>()

/** Marks an error as caused by what a peer sent: whoever lets it through, such as a handler, is not to blame. */
export function faultOfPeer<T>(error: T): T {
  if (typeof error === 'object' && error !== null) faults.add(error)
  return error
}

/** Of what a handler threw nothing is touched: it may be anything. */
export function isFaultOfPeer(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && faults.has(thrown)
}
