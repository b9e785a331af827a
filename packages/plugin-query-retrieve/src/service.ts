import { ContainedFiles } from './contained-path.ts'
import type { PluginContext } from './context.ts'
import type { IndexCounts } from './database/instance-index.ts'
import { selectedSeries } from './retrieve/selected-series.ts'
import { storedInstances } from './retrieve/stored-instances.ts'

/** Which instances are meant: those that all of the given lists have. One without any means none. */
export interface InstanceSelection {
  readonly studyInstanceUids?: readonly string[] | undefined
  readonly seriesInstanceUids?: readonly string[] | undefined
  readonly sopInstanceUids?: readonly string[] | undefined
}

/** An instance that is stored and can be retrieved. */
export interface IndexedFile {
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** Absolute path of its file. */
  readonly path: string
}

/**
 * The service `query-retrieve`, for plugins that come later: `api.inject('query-retrieve')`. Where it says so, it
 * rejects with DICOMTAP_ERR_QR_DATABASE while the database does not answer, and before the hook `ready`.
 */
export interface QueryRetrieveService {
  /** Whether the database answers. While it does not, it is tried again with longer and longer pauses. */
  readonly isReady: boolean
  /** How much there is. Everything is counted: with millions of instances it takes seconds. @throws DICOMTAP_ERR_QR_DATABASE */
  counts(): Promise<IndexCounts>
  /**
   * The instances of a selection, study by study, in the order of series and instance number. They are read as they
   * are needed, some thousands at once: no cursor is open meanwhile, and a file may be gone when its turn comes.
   * Aborting rejects with the reason of the signal.
   * @throws DICOMTAP_ERR_QR_DATABASE
   *
   * @example
   * for await (const { path } of api.inject('query-retrieve').instances({ studyInstanceUids: [uid] })) await forward(path)
   */
  instances(selection: InstanceSelection, signal?: AbortSignal): AsyncIterable<IndexedFile>
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    'query-retrieve': QueryRetrieveService
  }
}

export function provideIndex({ api, index, directory }: PluginContext): void {
  api.provideService('query-retrieve', {
    get isReady() {
      return index.isReady
    },
    counts: () => index.counts(),
    async *instances({ studyInstanceUids = [], seriesInstanceUids = [], sopInstanceUids = [] }, signal) {
      const files = new ContainedFiles(directory)
      for (const series of await selectedSeries(index, { studyInstanceUids, seriesInstanceUids, sopInstanceUids }, signal)) {
        const { studyInstanceUid, seriesInstanceUid } = series
        for await (const { path, ...instance } of storedInstances(index, [series], sopInstanceUids, signal)) {
          const file = await files.resolve(path)
          if (file !== undefined) yield { studyInstanceUid, seriesInstanceUid, ...instance, path: file }
        }
      }
    },
  })
}
