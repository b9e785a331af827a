import type { Finding } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import type { InstanceIndex } from '../database/instance-index.ts'
import { migrations } from '../database/migrations.ts'
import { CHANGED_ATTRIBUTES } from './register-scan.ts'
import { IndexSettings } from '../maintenance/settings.ts'

/** What `dicomtap check` says of the index. */
export function registerDiagnosis({ api, index, attributes }: PluginContext): void {
  let isStarted = false
  api.hooks.ready.tap(() => {
    isStarted = true
  })
  api.hooks.diagnose.tapPromise(async ({ report }) => {
    const finding = (level: Finding['level'], message: string): void => report({ level, plugin: 'query-retrieve', message })
    // What cannot be used at all ends the start with its own error.
    if (!isStarted) return
    try {
      if (!index.isReady) return finding('error', 'the database of the index does not answer: stores will be refused with A700')
      const settings = new IndexSettings(index)
      finding('info', await summaryOf(index, settings))
      const written = await settings.fingerprint()
      if (written !== undefined && written !== attributes.fingerprint) finding('warning', CHANGED_ATTRIBUTES)
      if ((await settings.rebuild()) !== undefined) finding('warning', 'a rebuild of the index did not come to its end: dicomtap index rebuild goes on where it stopped')
      const last = await settings.lastScan()
      if (last !== undefined && last.left > 0) {
        finding('error', `at the last scan ${last.left} files of the index or more were gone: mount the storage folder, or run: dicomtap index check --repair`)
      }
    } catch (error) {
      finding('error', `the index cannot be used: ${(error as Error).message}`)
    }
  })
}

async function summaryOf(index: InstanceIndex, settings: IndexSettings): Promise<string> {
  const row = await index.database.selectFrom('instance').select((count) => count.fn.countAll<number>().as('instances')).executeTakeFirst()
  const last = await settings.lastScan()
  const kind = index.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'
  const scan = last === undefined ? 'never compared with the folder' : `compared with the folder ${new Date(last.finishedAtMs).toISOString().slice(0, 16)}Z`
  return `the index in ${kind} answers: ${row?.instances ?? 0} instances, tables ${Object.keys(migrations(index.kind)).at(-1)}, ${scan}`
}
