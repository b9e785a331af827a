import { setTimeout as wait } from 'node:timers/promises'
import { AssociationRejectedError, DicomtapError } from '@dicomtap/framework'
import type { Association, CStoreOptions, Priority, RejectedContext } from '@dicomtap/framework'
import type { Connector } from './connect.ts'
import { contextResultWords, sopClassName, transferSyntaxName } from './negotiation.ts'
import type { Reporter } from './reporter.ts'
import { acceptedKeys, planContexts, splitKey } from './store-contexts.ts'
import type { ContextPlan } from './store-contexts.ts'
import type { PooledFile, StorePool } from './store-pool.ts'
import type { FileOutcome, StoreTally } from './store-tally.ts'

/** What the associations of one `dicomtap store` share. */
export interface StoreRun {
  readonly connector: Connector
  readonly pool: StorePool
  readonly tally: StoreTally
  readonly reporter: Reporter
  readonly priority: Priority
  /** Transfer syntaxes to convert to; empty: files are sent as they are. */
  readonly convertTo: readonly string[]
  /** Requests under way at once on one association, where the peer allows it. */
  readonly outstanding: number
  readonly stopOnError: boolean
  /** Associations in a row that may be lost, or not come about, without an answer to a file. */
  readonly retries: number
  /** Aborted when no further association is to be requested. */
  readonly cancel: AbortSignal
  /** Contexts that the peer refuses, and its words: files that need one are not tried again. */
  readonly refused: Map<string, string>
  /** Bytes on their way, for the progress line. */
  onBytes(count: number): void
  onOutcome(): void
  onEstablished: () => void
  /** Associations so far, and those there are now. */
  associations: number
  established: number
  /** Files that the peer answered for. */
  answered: number
}

/** A file that was on its way this often when the association was lost may be what ends it. */
const MAXIMUM_ATTEMPTS = 3
/** Where the window is unlimited. */
const OUTSTANDING_IF_UNLIMITED = 64
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

/** Errors after which the association is gone and the file may be sent on another one. */
const LOST: ReadonlySet<string> = new Set([
  'DICOMTAP_ERR_ACSE_ABORTED',
  'DICOMTAP_ERR_ACSE_RELEASED',
  'DICOMTAP_ERR_ACSE_STATE',
  'DICOMTAP_ERR_NET_CLOSED',
  'DICOMTAP_ERR_DIMSE_TIMEOUT',
])

/**
 * Sends files of the pool on one association after the other until none is left: another one for further
 * presentation contexts, or when one was lost. Several of these run side by side for --associations.
 * @throws why no association comes about
 */
export async function sendFromPool(run: StoreRun): Promise<void> {
  const { pool, reporter } = run
  let failuresInRow = 0
  for (;;) {
    await pool.settled()
    const plan = planContexts(pool.contextKeys, run.convertTo)
    if (pool.isStopped || plan.keys.length === 0) {
      if (pool.isStopped || pool.isEnded) return
      continue
    }
    const answeredBefore = run.answered
    try {
      const association = await open(run, plan)
      if (association !== undefined) {
        await sendAll(run, association, acceptedKeys(plan, association.acceptedContexts, run.convertTo))
        if (association.isEstablished) await association.release()
        else throw new DicomtapError('DICOMTAP_ERR_NET_CLOSED', `The association with ${run.connector.peer} was lost`)
      }
      failuresInRow = 0
    } catch (error) {
      if (pool.isStopped || run.cancel.aborted) return
      failuresInRow = run.answered > answeredBefore ? 1 : failuresInRow + 1
      const isSpare = error instanceof AssociationRejectedError && error.result === 2 && run.established > 0
      if (isSpare) {
        reporter.note(`${run.connector.peer} takes no further association: going on with ${run.established}`)
        return
      }
      if (run.associations === 0 || failuresInRow > run.retries) throw error
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failuresInRow - 1), LONGEST_PAUSE_MS)
      reporter.note(`${error instanceof Error ? error.message : String(error)}; trying again in ${pauseMs / 1000} s (${failuresInRow} of ${run.retries})`)
      await wait(pauseMs, undefined, { signal: run.cancel }).catch(() => {})
    }
  }
}

/** Undefined when none of the contexts was accepted. */
async function open(run: StoreRun, plan: ContextPlan): Promise<Association | undefined> {
  let rejected: readonly RejectedContext[] = []
  try {
    const association = await run.connector.associate({
      contexts: plan.contexts,
      handlers: {
        associationAccepted: ({ association: answered }) => {
          rejected = answered.rejectedContexts
        },
      },
    })
    run.associations += 1
    await refuse(run, plan, acceptedKeys(plan, association.acceptedContexts, run.convertTo), rejected)
    return association
  } catch (error) {
    if (!(error instanceof DicomtapError) || error.code !== 'DICOMTAP_ERR_ACSE_CONTEXT') throw error
    run.associations += 1
    await refuse(run, plan, new Set(), rejected)
    return undefined
  }
}

async function refuse(run: StoreRun, plan: ContextPlan, accepted: ReadonlySet<string>, rejected: readonly RejectedContext[]): Promise<void> {
  for (const key of plan.keys) {
    if (accepted.has(key)) continue
    const { sopClassUid, transferSyntaxUid } = splitKey(key)
    const index = plan.contexts.findIndex((one) => one.abstractSyntax === sopClassUid && one.transferSyntaxes?.[0] === transferSyntaxUid)
    const result = rejected.find(({ id }) => id === 2 * index + 1)?.result
    const words = `the peer refuses ${sopClassName(sopClassUid)} in ${transferSyntaxName(transferSyntaxUid)}${result === undefined ? '' : `: ${contextResultWords(result)}`}`
    run.refused.set(key, words)
    for (const file of run.pool.takeAll(key)) await done(run, file, { outcome: 'failed', message: words })
  }
}

async function sendAll(run: StoreRun, association: Association, keys: ReadonlySet<string>): Promise<void> {
  const { invoked } = association.asynchronousOperations
  const lanes = Math.min(run.outstanding, invoked === 0 ? OUTSTANDING_IF_UNLIMITED : invoked)
  run.established += 1
  run.onEstablished()
  try {
    await Promise.all(Array.from({ length: lanes }, () => sendOneByOne(run, association, keys)))
  } finally {
    run.established -= 1
  }
}

async function sendOneByOne(run: StoreRun, association: Association, keys: ReadonlySet<string>): Promise<void> {
  while (association.isEstablished) {
    const file = await run.pool.take(keys)
    if (file === undefined) return
    await sendFile(run, association, file)
  }
}

async function sendFile(run: StoreRun, association: Association, file: PooledFile): Promise<void> {
  const startedAt = performance.now()
  let counted = 0
  const options: CStoreOptions = {
    priority: run.priority,
    convert: run.convertTo.length > 0,
    onProgress: (sentBytes) => {
      run.onBytes(sentBytes - counted)
      counted = sentBytes
    },
  }
  file.attempts += 1
  try {
    const { status, category, label, errorComment } = await association.cStore(file.path, options)
    run.answered += 1
    const message = errorComment === undefined || errorComment === '' ? label : `${label}: ${errorComment}`
    const durationMs = Math.round((performance.now() - startedAt) * 10) / 10
    const outcome = category === 'success' ? 'stored' : category === 'warning' ? 'warning' : 'failed'
    await done(run, file, { outcome, status, message, durationMs })
  } catch (error) {
    run.onBytes(-counted)
    const isLost = error instanceof DicomtapError && LOST.has(error.code) && !association.isEstablished
    if (isLost && file.attempts < MAXIMUM_ATTEMPTS) run.pool.giveBack(file)
    else if (isLost && run.cancel.aborted) run.pool.giveBack(file)
    else await done(run, file, { outcome: 'failed', message: messageOf(error, file) })
  }
}

async function done(run: StoreRun, file: PooledFile, what: Pick<FileOutcome, 'outcome' | 'status' | 'message' | 'durationMs'>): Promise<void> {
  const { path, sopClassUid, sopInstanceUid, transferSyntaxUid, sizeBytes } = file
  await run.tally.add({ path, ...what, sopClassUid, sopInstanceUid, transferSyntaxUid, sizeBytes })
  run.onOutcome()
  if (what.outcome === 'failed' && run.stopOnError) run.pool.stop()
}

/** The line names the path already. */
function messageOf(error: unknown, { path }: PooledFile): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(`${JSON.stringify(path)} cannot be sent: `, '')
}
