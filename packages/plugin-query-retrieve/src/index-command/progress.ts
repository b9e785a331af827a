import { SingleBar } from 'cli-progress'
import type { Writable } from 'node:stream'
import { number } from './output.ts'

const LINE_MS = 5000

/** How far a command has come: a bar on a terminal, else a line every few seconds. */
export interface Progress {
  /** @param done files, those of a run that was broken off included */
  at(done: number): void
  /** Once it is known how many there are. */
  total(files: number): void
  /** Takes it off the terminal for a moment, to print a line. */
  around(print: () => Promise<void>): Promise<void>
  end(): void
}

/** @param done what was done before; it does not count for the rate */
export function startProgress(stderr: Writable, done = 0): Progress {
  const isTerminal = (stderr as { readonly isTTY?: boolean }).isTTY === true && process.env['TERM'] !== 'dumb'
  return isTerminal ? bar(stderr, done) : lines(stderr, done)
}

function bar(stderr: Writable, before: number): Progress {
  const startMs = performance.now()
  const single = new SingleBar({
    stream: stderr as NodeJS.WriteStream,
    format: (_options, { progress }, payload: { readonly done: number; readonly total: number | undefined }) => {
      const isKnown = payload.total !== undefined
      const filled = isKnown ? Math.round(progress * 30) : 0
      return `${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${progressText(payload.done, payload.total, payload.done - before, performance.now() - startMs)}`
    },
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  })
  let [total, done]: [number | undefined, number] = [undefined, before]
  const update = (): void => single.update(done, { done, total })
  single.start(1, 0, { done, total })
  return {
    at(files) {
      done = files
      update()
    },
    total(files) {
      total = Math.max(files, 1)
      single.setTotal(total)
      update()
    },
    async around(print) {
      // Over the bar, which is drawn again below.
      stderr.write('\r\u001b[K')
      await print()
    },
    end: () => single.stop(),
  }
}

function lines(stderr: Writable, before: number): Progress {
  const startMs = performance.now()
  let [writtenMs, total]: [number, number | undefined] = [startMs, undefined]
  return {
    at(done) {
      const nowMs = performance.now()
      if (nowMs - writtenMs < LINE_MS) return
      writtenMs = nowMs
      stderr.write(`${progressText(done, total, done - before, nowMs - startMs)}\n`)
    },
    total(files) {
      total = files
    },
    around: (print) => print(),
    end() {},
  }
}

/** `12,000 of 40,000 files, 5,400 files/s, 5 s left`. */
export function progressText(done: number, total: number | undefined, doneHere: number, elapsedMs: number): string {
  const rate = elapsedMs < 500 ? 0 : (doneHere / elapsedMs) * 1000
  const parts = [`${number(done)}${total === undefined ? '' : ` of ${number(Math.max(total, done))}`} files`]
  if (rate > 0) parts.push(`${number(Math.round(rate))} files/s`)
  if (rate > 0 && total !== undefined && total > done) parts.push(`${duration((total - done) / rate)} left`)
  return parts.join(', ')
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.round(whole / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
