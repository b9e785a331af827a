import type { Logger } from '@dicomtap/framework'
import type { InstanceIndex } from '../database/instance-index.ts'
import { type Deleted, deleteInstances, pause } from './delete-study.ts'
import { type DueStudy, dueStudies } from './retention-plan.ts'
import { GRACE_MS, type RetentionRule } from './retention-rule.ts'
import type { StorageRemoval } from '../storage-service.ts'

const PROGRESS_MS = 60_000

export interface RetentionEnvironment {
  readonly index: InstanceIndex
  readonly storage: StorageRemoval
  /** The storage folder. */
  readonly directory: string
  readonly rule: RetentionRule
  readonly log: Logger
  readonly signal: AbortSignal
  /** Whether this process is busy with a study. */
  readonly isInUse: (studyInstanceUid: string) => boolean
  /** Asked now and then; false: another process is about it. */
  readonly mayGoOn: () => Promise<boolean>
  readonly nowMs?: () => number
}

/** What one run did, or would have done. */
export interface RetentionRun {
  studies: number
  byAge: number
  bySize: number
  /** Of a dry run, 0: instances are not counted. */
  files: number
  bytes: number
  oldestMs: number | undefined
  newestMs: number | undefined
  /** Studies that are in use, or were added to meanwhile. */
  spared: number
  /** Studies of which something stays that should be gone. */
  incomplete: number
  /** Why it ended before its end; undefined when it did not. */
  stoppedBy: string | undefined
}

/**
 * Deletes what a rule says, study by study. A study is looked at once more just before; files that were written
 * within the grace time stay in any case.
 */
export async function runRetention(environment: RetentionEnvironment): Promise<RetentionRun> {
  const { index, rule, log, signal, isInUse, nowMs = Date.now } = environment
  const run: RetentionRun = {
    studies: 0, byAge: 0, bySize: 0, files: 0, bytes: 0, oldestMs: undefined, newestMs: undefined, spared: 0, incomplete: 0, stoppedBy: undefined,
  }
  const isSpared = ({ studyInstanceUid }: Omit<DueStudy, 'why'>): boolean => {
    const isBusy = isInUse(studyInstanceUid)
    if (isBusy) run.spared += 1
    return isBusy
  }
  const progress = new Progress(log, run)
  for await (const study of dueStudies(index, rule, { nowMs: nowMs(), isSpared })) {
    if (signal.aborted) break
    if (rule.isDryRun) {
      log.debug('retention would delete a study', fieldsOf(study))
      count(run, study, study.sizeBytes)
      continue
    }
    if (!(await environment.mayGoOn())) {
      run.stoppedBy = 'another process'
      break
    }
    if (isInUse(study.studyInstanceUid) || (await lastStoredAt(index, study)) !== study.lastStoredAtMs) {
      run.spared += 1
      continue
    }
    const startedAtMs = performance.now()
    const deleted = await deleteInstances({ study: study.id }, {
      ...environment,
      reason: 'retention',
      writtenBeforeMs: nowMs() - GRACE_MS,
      onBatch: async ({ files, bytes }) => {
        progress.tell(files, bytes)
        const isAddedTo = ((await lastStoredAt(index, study)) ?? study.lastStoredAtMs) !== study.lastStoredAtMs
        return !isAddedTo && !isInUse(study.studyInstanceUid) && (await environment.mayGoOn())
      },
    })
    run.stoppedBy = told(environment, run, study, deleted)
    if (run.stoppedBy !== undefined) break
    await pause(performance.now() - startedAtMs, signal)
  }
  return run
}

/** Writes the line of a study that was deleted. Gives back why to stop, when there is a reason. */
function told({ log }: RetentionEnvironment, run: RetentionRun, study: DueStudy, { files, bytes, unremoved, end, error }: Deleted): string | undefined {
  if (end === 'no-files') return 'files of the index are gone: is the storage folder mounted?'
  const isGone = end === 'done' && unremoved.length === 0
  run.files += files
  if (isGone || files > 0) count(run, study, bytes)
  if (!isGone) run.incomplete += 1
  // The UID is what an operator who is asked for a study has to look for; nothing else in the line is about a patient.
  const fields = { ...fieldsOf(study), files, bytes }
  if (isGone) log.info('retention deleted a study', fields)
  else if (end === 'done') log.warn('retention could not delete a study entirely: it tries again', { ...fields, remaining: unremoved.length, why: whyOf(unremoved) })
  else log.info('retention was broken off within a study: it goes on later', fields)
  if (end === 'failed') return `it failed (${error instanceof Error ? error.message : String(error)})`
  const isHopeless = files === 0 && unremoved.some(({ why }) => why === 'system' || why === 'handler')
  return isHopeless ? `nothing can be deleted (${whyOf(unremoved)})` : undefined
}

function whyOf(unremoved: Deleted['unremoved']): string {
  return [...new Set(unremoved.map(({ why, code }) => code ?? why))].join(', ')
}

function fieldsOf({ studyInstanceUid, lastStoredAtMs, sizeBytes, why }: DueStudy): Readonly<Record<string, unknown>> {
  return { studyInstanceUid, why, lastStoredAt: new Date(lastStoredAtMs).toISOString(), bytes: sizeBytes }
}

function count(run: RetentionRun, { why, lastStoredAtMs }: DueStudy, bytes: number): void {
  run.studies += 1
  run[why === 'age' ? 'byAge' : 'bySize'] += 1
  run.bytes += bytes
  run.oldestMs ??= lastStoredAtMs
  run.newestMs = lastStoredAtMs
}

/** When it was added to last; undefined when it is gone. */
async function lastStoredAt(index: InstanceIndex, { id }: DueStudy): Promise<number | undefined> {
  const query = index.database.selectFrom('study').select('study.last_stored_at_ms').where('study.id', '=', id)
  for await (const row of index.rows(query)) return row.last_stored_at_ms
  return undefined
}

/** A line a minute. */
class Progress {
  readonly #log: Logger
  readonly #run: RetentionRun
  #toldAtMs = performance.now()

  constructor(log: Logger, run: RetentionRun) {
    this.#log = log
    this.#run = run
  }

  tell(files: number, bytes: number): void {
    if (performance.now() - this.#toldAtMs < PROGRESS_MS) return
    this.#toldAtMs = performance.now()
    const { studies } = this.#run
    this.#log.info('retention is deleting', { studies, files: this.#run.files + files, bytes: this.#run.bytes + bytes })
  }
}
