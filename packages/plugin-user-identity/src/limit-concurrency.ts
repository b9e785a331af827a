/**
 * Runs tasks, at most so many at once, the others in the order they came. Hashing takes a thread of the
 * pool that file writes need too: guesses of a peer must not take them all.
 */
export function limitConcurrency(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      // The place is handed on, not given up: nobody can slip in between.
      if (next === undefined) running -= 1
      else next()
    }
  }
}
