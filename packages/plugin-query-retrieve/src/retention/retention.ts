import type { PluginContext } from '../context.ts'
import { isScanUnderWay } from '../intake/scan-lease.ts'
import { IndexSettings } from '../maintenance/settings.ts'
import { RetentionLease } from './retention-lease.ts'
import type { RetentionRule } from './retention-rule.ts'
import { type RetentionRun, runRetention } from './run-retention.ts'
import type { StorageRemoval } from '../storage-service.ts'

/** After the start, and while the index is not complete, it looks this often. */
const SOON_MS = 30_000

/** Runs a rule now and then, in one process of those that have the index. */
export class Retention {
  readonly #context: PluginContext
  readonly #rule: RetentionRule
  readonly #storage: StorageRemoval
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  /** What was told last, so that it is not told every hour. */
  #trouble: string | undefined

  constructor(context: PluginContext, rule: RetentionRule, storage: StorageRemoval) {
    this.#context = context
    this.#rule = rule
    this.#storage = storage
  }

  /** Every listener calls it. */
  start(): void {
    if (this.#timer !== undefined || this.#running !== undefined || this.#stop.signal.aborted) return
    this.#schedule(Math.min(SOON_MS, this.#rule.intervalMs))
  }

  /** Ends what is under way, after the files that are just being removed. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#pass()
        .then((nextMs) => {
          if (!this.#stop.signal.aborted) this.#schedule(nextMs)
        })
        .finally(() => (this.#running = undefined))
    }, ms).unref()
  }

  /** Never rejects. Gives back when to look again. */
  async #pass(): Promise<number> {
    const { index, api } = this.#context
    const { intervalMs } = this.#rule
    const lease = new RetentionLease(index)
    try {
      const why = await this.#whyNot()
      if (why !== undefined) {
        this.#tell(why)
        return Math.min(SOON_MS, intervalMs)
      }
      if (!(await lease.take())) {
        api.log.debug('another process looks for old studies')
        return intervalMs
      }
      await this.#run(lease)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#tell('retention failed: it is tried again', { error })
    } finally {
      await lease.release().catch(() => undefined)
    }
    return intervalMs
  }

  /** What is not in the index might be younger than what is. */
  async #whyNot(): Promise<string | undefined> {
    const { index, options } = this.#context
    const settings = new IndexSettings(index)
    if ((await settings.rebuild()) !== undefined) return 'retention waits: a rebuild of the index did not come to its end; run: dicomtap index rebuild'
    const last = await settings.lastScan()
    if (last !== undefined && last.left > 0) return 'retention waits: files of the index are gone; mount the storage folder, or run: dicomtap index check --repair'
    if ((await isScanUnderWay(settings)) || (last === undefined && options.scanAtStart)) return 'retention waits until the storage folder was compared with the index'
    return undefined
  }

  async #run(lease: RetentionLease): Promise<void> {
    const { index, api, directory, studiesInUse } = this.#context
    const startedAtMs = performance.now()
    const run = await runRetention({
      index,
      storage: this.#storage,
      directory,
      rule: this.#rule,
      log: api.log,
      signal: this.#stop.signal,
      isInUse: (studyInstanceUid) => studiesInUse.isInUse(studyInstanceUid),
      mayGoOn: () => lease.renew(),
    })
    this.#summarize(run, Math.round(performance.now() - startedAtMs))
  }

  #summarize(run: RetentionRun, ms: number): void {
    const { log } = this.#context.api
    const { studies, byAge, bySize, files, bytes, oldestMs, newestMs, spared, incomplete, stoppedBy } = run
    const isDryRun = this.#rule.isDryRun
    const fields = { studies, byAge, bySize, bytes, oldest: isoOf(oldestMs), newest: isoOf(newestMs), spared, ms }
    if (studies === 0 && incomplete === 0) log.debug('retention: nothing to delete', { spared, ms })
    else if (isDryRun) log.info('retention would delete studies, and does not: dryRun is set', fields)
    else log.info('retention deleted studies', { ...fields, files, incomplete })
    if (stoppedBy !== undefined) this.#tell(`retention stopped: ${stoppedBy}`)
    else this.#recovered()
  }

  /** Once, until something else is to be told. */
  #tell(trouble: string, fields?: Readonly<Record<string, unknown>>): void {
    const { log } = this.#context.api
    const isNew = trouble !== this.#trouble
    this.#trouble = trouble
    if (!isNew) return
    if (fields === undefined) log.warn(trouble)
    else log.error(trouble, fields)
  }

  #recovered(): void {
    if (this.#trouble !== undefined) this.#context.api.log.info('retention works again')
    this.#trouble = undefined
  }
}

function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
