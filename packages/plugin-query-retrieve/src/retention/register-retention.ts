import type { PluginContext } from '../context.ts'
import { provideDeletion } from './deletion-service.ts'
import { Retention } from './retention.ts'
import { retentionRule } from './retention-rule.ts'

/** Deletes old studies when the options say so, and lets commands delete by hand. */
export function registerRetention(context: PluginContext): void {
  const { api, options, storage, studiesInUse } = context
  const rule = retentionRule(options.retention)
  provideDeletion(context)
  if (rule === undefined) return
  // What is sent again and is there already has no newer row.
  storage.hooks.instanceStored.tap('query-retrieve', ({ studyInstanceUid, outcome }) => {
    if (outcome === 'kept' && studyInstanceUid !== undefined) studiesInUse.touch(studyInstanceUid)
  })
  const retention = new Retention(context, rule, storage)
  api.hooks.listening.tap(() => retention.start())
  api.hooks.preClose.tapPromise(() => retention.stop())
  api.onDispose(() => retention.stop())
}
