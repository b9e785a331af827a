import { stat } from 'node:fs/promises'
import { createConnector } from '../scu/connect.ts'
import type { Connector, ScuContext } from '../scu/connect.ts'
import { EXIT, UsageError } from '../scu/exit.ts'
import { sopClassName, transferSyntaxName } from '../scu/negotiation.ts'
import type { Target } from '../scu/options.ts'
import type { StoreOptions } from '../scu/program.ts'
import { formatBytes, formatDuration } from '../scu/progress.ts'
import type { Reporter } from '../scu/reporter.ts'
import { explain, reportFailure, runScu } from '../scu/run.ts'
import type { ScuProblem } from '../scu/run.ts'
import { scanFiles } from '../scu/scan.ts'
import type { InstanceFile, Scanned } from '../scu/scan.ts'
import { conversionTargets, isConversionTarget, planContexts, splitKey } from '../scu/store-contexts.ts'
import { contextKeyOf, StorePool } from '../scu/store-pool.ts'
import { openReport, StoreTally } from '../scu/store-tally.ts'
import type { FileOutcome } from '../scu/store-tally.ts'
import { sendFromPool } from '../scu/store-worker.ts'
import type { StoreRun } from '../scu/store-worker.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'
import { walk } from '../scu/walk.ts'
import { table } from '../output/terminal.ts'

/** What `dicomtap store --json` prints. */
export interface StoreReport {
  /** Every DICOM file that was found is stored. */
  readonly ok: boolean
  readonly peer?: string
  /** Files stored, those with a warning included. */
  readonly stored: number
  readonly warnings: number
  readonly failed: number
  /** Found, but not sent because the command ended before. */
  readonly notSent: number
  /** By why: `not DICOM`, `DICOMDIR`. */
  readonly skipped: Readonly<Record<string, number>>
  /** Size of the files stored. */
  readonly bytes: number
  readonly durationMs: number
  readonly associations: number
  /** The first thousand; --report has all. */
  readonly failures: readonly FileOutcome[]
  /** Why it ended early. */
  readonly problems?: readonly ScuProblem[]
}

const PRIORITIES = { medium: 0, high: 1, low: 2 } as const

/** C-STORE of files and folders (PS3.4 B). The answer is the exit code. */
export function store(target: Target, paths: readonly string[], options: StoreOptions): Promise<number> {
  return runScu(options, async (context) => {
    const convertTo = convertToOf(options)
    await refuseMissing(target, paths)
    if (options.dryRun === true) return dryRun(paths, options, context, convertTo)
    const connector = await createConnector(target, options, context)
    const report = await openReport(options.report)
    const tally = new StoreTally(context.reporter, report)
    try {
      return await send(connector, tally, paths, options, context, convertTo)
    } finally {
      await tally.close()
      await connector.close()
    }
  })
}

function convertToOf({ convert, transferSyntax }: StoreOptions): readonly string[] {
  const chosen = transferSyntaxUids(transferSyntax)
  if (convert !== true) {
    if (chosen === undefined) return []
    throw new UsageError('--transfer-syntax: files are sent in the transfer syntax that they have; add --convert to have them converted')
  }
  const unfit = chosen?.find((uid) => !isConversionTarget(uid))
  if (unfit !== undefined) throw new UsageError(`--transfer-syntax: nothing is converted to ${transferSyntaxName(unfit)}; explicit, implicit and deflated can be chosen`)
  return conversionTargets(chosen)
}

/** Before anything is sent: a path that is not there is a slip of the finger. */
async function refuseMissing({ host, port }: Target, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await stat(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') continue
      const isPort = port === undefined && /^\d{1,5}$/u.test(path)
      throw new UsageError(`${path} does not exist${isPort ? `; the port is written ${host}:${path}` : ''}`, { cause: error })
    }
  }
}

async function send(
  connector: Connector,
  tally: StoreTally,
  paths: readonly string[],
  options: StoreOptions,
  { reporter, interrupts }: ScuContext,
  convertTo: readonly string[],
): Promise<number> {
  const pool = new StorePool()
  const progress = reporter.startProgress('files')
  let sentBytes = 0
  const show = (): void =>
    progress.update(() => ({
      done: tally.done,
      total: pool.isEnded ? pool.found + tally.unusable : undefined,
      bytes: sentBytes,
      remark: tally.failed === 0 ? undefined : `${tally.failed} failed`,
    }))
  const run: StoreRun = {
    connector,
    pool,
    tally,
    reporter,
    priority: PRIORITIES[options.priority],
    convertTo,
    outstanding: options.outstanding === 0 ? Infinity : (options.outstanding ?? 1),
    stopOnError: options.stopOnError === true,
    retries: options.retries,
    cancel: interrupts.cancel,
    refused: new Map(),
    onBytes(count) {
      sentBytes += count
      show()
    },
    onOutcome: show,
    onEstablished: () => {},
    associations: 0,
    established: 0,
    answered: 0,
  }
  interrupts.cancel.addEventListener('abort', () => pool.stop(), { once: true })
  if (interrupts.isInterrupted) pool.stop()

  const startedAt = performance.now()
  const scan = scanFiles(walk(paths, { recurse: options.recurse }))
  const filling = pool.fill(scan, (scanned) => admit(scanned, run))
  // It is looked at when everything is sent.
  filling.catch(() => {})
  const errors = await sendOnAll(run, options.associations)
  // Nobody takes what is left.
  pool.stop()
  await filling
  for (const key of pool.contextKeys) for (const file of pool.takeAll(key)) await tally.add(outcomeOf(file, 'not sent'))
  progress.end()

  const durationMs = performance.now() - startedAt
  for (const error of errors) reportFailure(error, reporter, options.debug)
  if (tally.done + tally.notSent === 0 && errors.length === 0) reporter.warn('there is no DICOM file at these paths')
  if (tally.done > 0 || errors.length === 0) for (const line of summary(tally, durationMs, run.associations)) reporter.line(line)
  const code = exitCode(tally, errors)
  reporter.json(jsonReport(connector.peer, tally, durationMs, run.associations, code, errors))
  return interrupts.exitCode(code)
}

/** Runs the associations to their ends; gives the different errors that they ended with. */
async function sendOnAll(run: StoreRun, count: number): Promise<readonly unknown[]> {
  // The others come when the first one is there: a peer that cannot be reached is asked once.
  const established = new Promise<void>((resolve) => (run.onEstablished = resolve))
  const first = sendFromPool(run)
  await Promise.race([established, first.catch(() => {})])
  const others = Array.from({ length: count - 1 }, () => sendFromPool(run))
  const results = await Promise.allSettled([first, ...others])
  const errors = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  return [...new Map(errors.map((error) => [String(error), error])).values()]
}

/** Which of the files found are to be sent; the others are counted. */
function admit(scanned: Scanned, { tally, refused, pool, stopOnError }: StoreRun): scanned is InstanceFile {
  const words = scanned.kind === 'instance' ? refused.get(contextKeyOf(scanned)) : scanned.kind === 'unusable' ? scanned.message : undefined
  if (scanned.kind === 'instance' && words === undefined) return true
  if (scanned.kind === 'skipped') void tally.add({ path: scanned.path, outcome: 'skipped', message: scanned.why })
  else {
    tally.unusable += 1
    void tally.add({ ...outcomeOf(scanned, 'failed'), message: words })
    if (stopOnError) pool.stop()
  }
  return false
}

function outcomeOf(scanned: Exclude<Scanned, { kind: 'skipped' }>, outcome: FileOutcome['outcome']): FileOutcome {
  if (scanned.kind === 'unusable') return { path: scanned.path, outcome }
  const { path, sopClassUid, sopInstanceUid, transferSyntaxUid, sizeBytes } = scanned
  return { path, outcome, sopClassUid, sopInstanceUid, transferSyntaxUid, sizeBytes }
}

function exitCode({ stored, warnings, failed, notSent }: StoreTally, errors: readonly unknown[]): number {
  const sent = stored + warnings
  if (sent > 0) return failed + notSent + errors.length === 0 ? EXIT.ok : EXIT.partlyFailed
  return EXIT.failed
}

function summary(tally: StoreTally, durationMs: number, associations: number): string[] {
  const { stored, warnings, failed, notSent, bytes } = tally
  const counts = [
    `${stored + warnings} stored${warnings === 0 ? '' : ` (${warnings} with a warning)`}`,
    failed === 0 ? undefined : `${failed} failed`,
    notSent === 0 ? undefined : `${notSent} not sent`,
    skippedWords(tally),
  ]
  const words = counts.filter((one) => one !== undefined).join(', ')
  if (associations === 0) return [words]
  const rate = bytes === 0 ? '' : `, ${formatBytes(bytes / (durationMs / 1000))}/s`
  return [
    words,
    `${formatBytes(bytes)} in ${formatDuration(durationMs)}${rate}, ${associations} ${associations === 1 ? 'association' : 'associations'}`,
  ]
}

function skippedWords({ skipped, skippedTotal }: StoreTally): string | undefined {
  if (skippedTotal === 0) return undefined
  const parts = Object.entries(skipped).map(([why, count]) => `${count} ${why}`)
  return `${skippedTotal} skipped (${parts.join(', ')})`
}

function jsonReport(peer: string, tally: StoreTally, durationMs: number, associations: number, code: number, errors: readonly unknown[]): StoreReport {
  return {
    ok: code === EXIT.ok,
    peer,
    stored: tally.stored + tally.warnings,
    warnings: tally.warnings,
    failed: tally.failed,
    notSent: tally.notSent,
    skipped: tally.skipped,
    bytes: tally.bytes,
    durationMs: Math.round(durationMs),
    associations,
    failures: tally.failures,
    ...(errors.length === 0 ? {} : { problems: errors.flatMap(explain) }),
  }
}

/** Looks at the files and says what would be sent; connects nowhere. */
async function dryRun(paths: readonly string[], { recurse, report: file }: StoreOptions, { reporter, interrupts }: ScuContext, convertTo: readonly string[]): Promise<number> {
  const tally = new StoreTally(reporter, await openReport(file))
  const contexts = new Map<string, { files: number; bytes: number }>()
  const progress = reporter.startProgress('files')
  let found = 0
  for await (const scanned of scanFiles(walk(paths, { recurse }))) {
    if (interrupts.isInterrupted) break
    found += 1
    progress.update(() => ({ done: found }))
    if (scanned.kind === 'skipped') await tally.add({ path: scanned.path, outcome: 'skipped', message: scanned.why })
    else if (scanned.kind === 'unusable') await tally.add({ ...outcomeOf(scanned, 'failed'), message: scanned.message })
    else {
      const context = contexts.get(contextKeyOf(scanned)) ?? { files: 0, bytes: 0 }
      context.files += 1
      context.bytes += scanned.sizeBytes
      contexts.set(contextKeyOf(scanned), context)
      await tally.add(outcomeOf(scanned, 'not sent'))
    }
  }
  progress.end()
  await tally.close()
  printDryRun(reporter, tally, contexts, convertTo)
  return interrupts.exitCode(tally.notSent === 0 ? EXIT.failed : tally.failed > 0 ? EXIT.partlyFailed : EXIT.ok)
}

function printDryRun(reporter: Reporter, tally: StoreTally, contexts: ReadonlyMap<string, { files: number; bytes: number }>, convertTo: readonly string[]): void {
  let associations = 0
  for (let left = [...contexts.keys()]; left.length > 0; associations += 1) left = left.slice(planContexts(left, convertTo).keys.length)
  const bytes = [...contexts.values()].reduce((total, one) => total + one.bytes, 0)
  const rows = [...contexts].map(([key, one]) => {
    const { sopClassUid, transferSyntaxUid } = splitKey(key)
    return [String(one.files), formatBytes(one.bytes), sopClassName(sopClassUid), transferSyntaxName(transferSyntaxUid)]
  })
  if (rows.length > 0) reporter.line(table([['files', 'size', 'SOP class', 'transfer syntax'], ...rows]))
  const counts = [
    `${tally.notSent} to send, ${formatBytes(bytes)}`,
    tally.failed === 0 ? undefined : `${tally.failed} that cannot be sent`,
    skippedWords(tally),
    `${associations} ${associations === 1 ? 'association' : 'associations'} at least`,
  ]
  reporter.line(counts.filter((one) => one !== undefined).join(', '))
  reporter.json({
    ok: tally.notSent > 0 && tally.failed === 0,
    toSend: tally.notSent,
    bytes,
    failed: tally.failed,
    skipped: tally.skipped,
    associations,
    contexts: [...contexts].map(([key, one]) => ({ ...splitKey(key), ...one })),
    failures: tally.failures,
  })
}
