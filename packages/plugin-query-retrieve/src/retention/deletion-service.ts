import type { PluginContext } from '../context.ts'
import type { InstanceIndex } from '../database/instance-index.ts'
import { type Deleted, deleteInstances } from './delete-study.ts'

/** A study, or one series of it, as the index has it. */
export interface Deletable {
  readonly study: number
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string | undefined
  readonly series: number
  readonly instances: number
  readonly bytes: number
  readonly oldestStoredAtMs: number
  readonly newestStoredAtMs: number
}

/** The service `query-retrieve.deletion`: what `dicomtap index delete` of this plugin deletes with; it is not for others. */
export interface DeletionService {
  /** Undefined when the index has nothing of it. */
  find(studyInstanceUid: string, seriesInstanceUid?: string): Promise<Deletable | undefined>
  delete(what: Deletable, signal: AbortSignal): Promise<Deleted>
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    'query-retrieve.deletion': DeletionService
  }
}

export function provideDeletion({ api, index, storage, directory }: PluginContext): void {
  const service: DeletionService = {
    find: (studyInstanceUid, seriesInstanceUid) => find(index, studyInstanceUid, seriesInstanceUid),
    async delete(what, signal) {
      const { studyInstanceUid, seriesInstanceUid } = what
      const deleted = await deleteInstances(what, { index, storage, directory, signal, reason: 'operator', isGentle: false })
      api.log.warn('deleted by hand', { studyInstanceUid, seriesInstanceUid, files: deleted.files, bytes: deleted.bytes, remaining: deleted.unremoved.length })
      if (deleted.end === 'failed') throw deleted.error
      return deleted
    },
  }
  api.provideService('query-retrieve.deletion', service)
}

async function find(index: InstanceIndex, studyInstanceUid: string, seriesInstanceUid: string | undefined): Promise<Deletable | undefined> {
  let query = index.database
    .selectFrom('study')
    .innerJoin('series', 'series.study', 'study.id')
    .innerJoin('instance', 'instance.series', 'series.id')
    .where('study.study_instance_uid', '=', studyInstanceUid)
    .select(({ fn }) => [
      'study.id as id',
      fn.count<number>('series.id').distinct().as('series'),
      fn.count<number>('instance.id').as('instances'),
      fn.sum<number | string>('instance.size_bytes').as('bytes'),
      fn.min<number>('instance.stored_at_ms').as('oldest'),
      fn.max<number>('instance.stored_at_ms').as('newest'),
    ])
    .groupBy('study.id')
  if (seriesInstanceUid !== undefined) query = query.where('series.series_instance_uid', '=', seriesInstanceUid)
  for await (const row of index.rows(query)) {
    return {
      study: row.id,
      studyInstanceUid,
      seriesInstanceUid,
      series: row.series,
      instances: row.instances,
      bytes: Number(row.bytes),
      oldestStoredAtMs: row.oldest,
      newestStoredAtMs: row.newest,
    }
  }
  return undefined
}
