/** How long closing waits for what is buffered. */
const CLOSE_DEADLINE_MS = 2000

/** Waits until `start` calls back, for two seconds at most. */
export function withinDeadline(start: (done: () => void) => void, deadlineMs: number = CLOSE_DEADLINE_MS): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, deadlineMs)
    start(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
