import type { PluginContext } from '../context.ts'
import type { Reindexer } from '../maintenance/reindexer.ts'
import { ScanLease } from './scan-lease.ts'
import { scanFolder } from './scan.ts'
import { IndexSettings } from '../maintenance/settings.ts'

/** How long a scan waits for a database that does not answer, before it looks again. */
const RETRY_MS = 30_000

/** Looks at the start whether folder and index agree, beside the service. */
export function registerScan(context: PluginContext, reindexer: Reindexer): void {
  const { api, options, index, directory, attributes, storage } = context
  const { log, signal } = api
  const settings = new IndexSettings(index)
  let scanning: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined

  const scan = async (): Promise<void> => {
    const startedAtMs = Date.now()
    await compareAttributes()
    if (!options.scanAtStart) return
    const lease = new ScanLease(settings)
    if (!(await lease.acquire(startedAtMs, signal))) return
    try {
      const isBusy = (): boolean => storage.stats().inFlight > 0
      const result = await scanFolder({ root: directory, index, reindexer, log, signal, isBusy })
      const finishedAtMs = Date.now()
      await settings.setLastScan({ startedAtMs, finishedAtMs, ...result })
      log.info('the storage folder was compared with the index', { ...result, ms: finishedAtMs - startedAtMs })
    } finally {
      await lease.release().catch(() => undefined)
    }
  }
  const compareAttributes = async (): Promise<void> => {
    const written = await settings.fingerprint()
    if (written === undefined) await settings.setFingerprint(attributes.fingerprint)
    else if (written !== attributes.fingerprint) log.warn(CHANGED_ATTRIBUTES)
  }
  const start = (): void => {
    scanning = scan().catch((error: unknown) => {
      if (signal.aborted) return
      log.warn('the storage folder could not be compared with the index: it is tried again', { error, afterMs: RETRY_MS })
      retry = setTimeout(start, RETRY_MS).unref()
    })
  }

  api.hooks.listening.tap(() => {
    if (scanning === undefined) start()
  })
  api.onDispose(async () => {
    clearTimeout(retry)
    await scanning
  })
}

export const CHANGED_ATTRIBUTES = 'the option attributes has changed since the index was written: what was stored before lacks them until you run: dicomtap index rebuild'
