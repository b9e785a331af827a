/** What has much to do may take of one turn of the event loop, all of it together. */
const TURN_MS = 10

let startedAtMs: number | undefined
const waiting: (() => void)[] = []

/** Has this turn of the event loop lasted long enough? Asked by those that have much to do; others cost nothing. */
export function isTurnOver(): boolean {
  const nowMs = performance.now()
  if (startedAtMs === undefined) {
    startedAtMs = nowMs
    setImmediate(() => {
      startedAtMs = undefined
    })
  }
  return nowMs - startedAtMs > TURN_MS
}

/** Resolves in a later turn, in which nobody else is woken: many that compute do not add up. */
export function anotherTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(wakeNext)
  })
}

function wakeNext(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(wakeNext)
}

/** Computes piece by piece, and lets others have their turn between the pieces. A piece should take less than a millisecond. */
export async function inTurns<T>(work: Generator<void, T, void>): Promise<T> {
  for (;;) {
    const piece = work.next()
    if (piece.done === true) return piece.value
    if (isTurnOver()) await anotherTurn()
  }
}

/** Computes without a pause. */
export function atOnce<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const piece = work.next()
    if (piece.done === true) return piece.value
  }
}
