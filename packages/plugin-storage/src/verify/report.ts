import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { FileProblem } from './check-file.ts'
import type { VerifyCounts } from './verify.ts'

const PROGRESS_MS = 500
/** Files that somebody put there are not wrong: some of them tell enough. */
const LISTED_UNRECORDED = 20
const CLEAR_LINE = '\r\u001b[K'
/** What could steer a terminal or change the order of what is read. */
const UNPRINTABLE = /\p{C}/gu

export interface ReportOptions {
  readonly folder: string
  readonly stdout: Writable
  readonly stderr: Writable
}

export interface VerifyOutcome extends VerifyCounts {
  /** Found wrong, and recorded as right. */
  readonly accepted: number
  readonly isRight: boolean
}

/** How a verification is told. */
export interface VerifyReport {
  problem(problem: FileProblem): Promise<void>
  progress(counts: VerifyCounts): void
  end(outcome: VerifyOutcome): Promise<void>
  /** Takes the progress off the terminal. */
  clear(): void
}

/** One line for each problem, and a summary. */
export function textReport({ folder, stdout, stderr }: ReportOptions): VerifyReport {
  const progress = progressLine(stderr)
  let unrecorded = 0
  return {
    ...progress,
    async problem({ kind, relativePath, detail }) {
      if (kind === 'unrecorded' && ++unrecorded > LISTED_UNRECORDED) return
      progress.clear()
      await print(stdout, `${kind.padEnd(10)}  ${printable(relativePath)}${detail === undefined ? '' : `  (${detail})`}\n`)
    },
    async end(outcome) {
      progress.clear()
      if (unrecorded > LISTED_UNRECORDED) await print(stdout, `unrecorded  and ${unrecorded - LISTED_UNRECORDED} more\n`)
      await print(stdout, summary(folder, outcome))
    },
  }
}

/** One object, written as it goes, so that it may be long. */
export function jsonReport({ folder, stdout, stderr }: ReportOptions): VerifyReport {
  const progress = progressLine(stderr)
  let problems = 0
  const before = (): string => (problems++ === 0 ? `{"folder":${JSON.stringify(folder)},"problems":[\n` : ',\n')
  return {
    ...progress,
    problem: ({ kind, relativePath, detail }) => print(stdout, `${before()}${JSON.stringify({ kind, path: relativePath, detail })}`),
    end: ({ isRight, ...counts }) =>
      print(stdout, `${problems === 0 ? before() : '\n'}],"counts":${JSON.stringify(counts)},"ok":${isRight}}\n`),
  }
}

function summary(folder: string, outcome: VerifyOutcome): string {
  const { verified, sizeOnly, missing, changed, unreadable, unrecorded, damagedRecords, accepted, readBytes, isRight } = outcome
  const lines = [
    `${printable(folder)}: ${isRight ? 'as recorded' : 'NOT AS RECORDED'}`,
    `  ${verified} ${verified === 1 ? 'file is' : 'files are'} as recorded${sizeOnly === 0 ? '' : `, ${sizeOnly} of them by their size alone`} (${(readBytes / 1e6).toFixed(1)} MB read)`,
    `  ${missing} missing, ${changed} changed, ${unreadable} unreadable, ${unrecorded} unrecorded`,
  ]
  if (accepted > 0) lines.push(`  ${accepted} of these are recorded as right now`)
  if (damagedRecords > 0) lines.push(`  ${damagedRecords} lines of the records are damaged: what they were about counts as unrecorded`)
  return `${lines.join('\n')}\n`
}

function progressLine(stderr: Writable): Pick<VerifyReport, 'progress' | 'clear'> {
  const isShown = (stderr as { isTTY?: boolean }).isTTY === true && process.env['TERM'] !== 'dumb'
  let shownAtMs = performance.now()
  let isOnScreen = false
  return {
    progress({ checked, readBytes, missing, changed, unreadable }) {
      if (!isShown || performance.now() - shownAtMs < PROGRESS_MS) return
      shownAtMs = performance.now()
      isOnScreen = true
      stderr.write(`${CLEAR_LINE}${checked} files, ${(readBytes / 1e6).toFixed(0)} MB, ${missing + changed + unreadable} wrong`)
    },
    clear() {
      if (isOnScreen) stderr.write(CLEAR_LINE)
      isOnScreen = false
    },
  }
}

/** Waits while the reader is slower than the check. */
async function print(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain')
}

function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`)
}
