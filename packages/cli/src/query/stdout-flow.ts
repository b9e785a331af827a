/** Has the reader of a pipe gone, as with `| head`? */
export function isStdoutGone(): boolean {
  return process.stdout.destroyed || !process.stdout.writable
}

/** Waits for a reader who is slower than the server, so that what it has not read does not pile up here. */
export async function stdoutDrained(): Promise<void> {
  const { stdout } = process
  if (!stdout.writableNeedDrain || isStdoutGone()) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of EVENTS) stdout.off(event, done)
      resolve()
    }
    for (const event of EVENTS) stdout.on(event, done)
  })
}

const EVENTS = ['drain', 'error', 'close'] as const
