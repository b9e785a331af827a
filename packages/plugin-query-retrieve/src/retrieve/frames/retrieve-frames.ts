import { RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { Operation, RetrieveAnswer } from '@dicomtap/framework'
import type { PluginContext } from '../../context.ts'
import { ContainedFiles } from '../../contained-path.ts'
import type { SelectedSeries } from '../selected-series.ts'
import { storedInstances } from '../stored-instances.ts'
import { extractFrames } from './extract-frames.ts'
import type { FrameRequest } from './frame-request.ts'
import { cannotExtract } from './refused.ts'

/** These are for who asked: nothing is to be done here. */
const EXPECTED: ReadonlySet<number> = new Set([RetrieveStatus.NoneOfTheFramesFound, RetrieveStatus.NotTimeBased])

/**
 * Answers with one instance, made of the frames that were asked for.
 * @param series where the index has the instance
 * @throws StatusError AA00 to AA03, A701 when the index cannot be read
 */
export async function retrieveFrames(context: PluginContext, request: FrameRequest, series: readonly SelectedSeries[], operation: Operation): Promise<RetrieveAnswer> {
  const { signal } = operation
  const { sopInstanceUid } = request
  const path = await pathOf(context, request, series, signal)
  try {
    if (path === undefined) throw cannotExtract('The instance cannot be read')
    const instance = await extractFrames(path, request, signal)
    return signal.aborted ? RetrieveStatus.CannotPerformSubOperations : { total: 1, instances: [instance] }
  } catch (cause) {
    if (signal.aborted) return RetrieveStatus.CannotPerformSubOperations
    const refusal = cause instanceof StatusError ? cause : new StatusError(RetrieveStatus.CannotExtractFrames, { errorComment: 'The instance cannot be read', cause })
    if (!EXPECTED.has(refusal.status)) warn(context, sopInstanceUid, refusal, operation)
    throw refusal
  }
}

/** Undefined when it is not below the storage folder. */
async function pathOf({ index, directory }: PluginContext, { sopInstanceUid }: FrameRequest, series: readonly SelectedSeries[], signal: AbortSignal): Promise<string | undefined> {
  let relativePath: string | undefined
  try {
    for await (const { path } of storedInstances(index, series, [sopInstanceUid], signal)) relativePath ??= path
  } catch (cause) {
    throw new StatusError(RetrieveStatus.CannotCountMatches, { errorComment: 'The index is not available', cause })
  }
  if (relativePath !== undefined) return new ContainedFiles(directory).resolve(relativePath)
  throw new StatusError(RetrieveStatus.NoneOfTheFramesFound, { errorComment: 'There is no such instance' })
}

function warn({ api }: PluginContext, sopInstanceUid: string, { errorComment, cause }: StatusError, { association, messageId }: Operation): void {
  const code = cause instanceof Error && 'code' in cause ? { code: cause.code } : {}
  api.log.warn(`frames were asked for that cannot be taken out of their instance: ${errorComment}`, {
    association: association.id,
    callingAeTitle: association.callingAeTitle,
    messageId,
    sopInstanceUid,
    ...code,
  })
}
