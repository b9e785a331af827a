import { RetrieveStatus, Stage, StatusError } from '@dicomtap/framework'
import type { CGetRequest, CMoveRequest, Operation, RetrieveAnswer } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { parseRetrieveIdentifier } from '../identifier/parse-retrieve-identifier.ts'
import type { RetrieveSelection } from '../identifier/parse-retrieve-identifier.ts'
import type { InformationModel } from '../model/levels.ts'
import { negotiatedRetrieve, supportModels } from '../negotiation.ts'
import { filesToSend } from './files-to-send.ts'
import { frameRequestOf } from './frames/frame-request.ts'
import { retrieveFrames } from './frames/retrieve-frames.ts'
import { studyHolder } from './hold-studies.ts'
import { selectedSeries } from './selected-series.ts'
import { grantStorageRoles } from './storage-roles.ts'
import { storedInstances } from './stored-instances.ts'

/** Answers C-MOVE and C-GET for the models of the options (PS3.4 C.4.2, C.4.3, annexes Y and Z). */
export function registerRetrieve(context: PluginContext): void {
  const { api } = context
  const moves = supportModels(context, 'move')
  const gets = supportModels(context, 'get')
  const sopClasses = [...moves.keys(), ...gets.keys()]
  if (sopClasses.length === 0) return
  const hold = studyHolder(context, sopClasses)
  const last = { stage: Stage.Fallback }
  api.hooks.cMove.tapPromise({ ...last, sopClasses: [...moves.keys()] }, (request, operation) => retrieve(context, moves, request, operation, hold))
  api.hooks.cGet.tapPromise({ ...last, sopClasses: [...gets.keys()] }, (request, operation) => retrieve(context, gets, request, operation, hold))
  if (gets.size > 0) grantStorageRoles(api, [...gets.keys()])
}

/** @throws StatusError A900 for an identifier that is not in order; what cannot be decoded is answered by the framework */
async function retrieve(
  context: PluginContext,
  models: ReadonlyMap<string, InformationModel>,
  request: CMoveRequest | CGetRequest,
  operation: Operation,
  hold: ReturnType<typeof studyHolder>,
): Promise<RetrieveAnswer | undefined> {
  const { options, index, attributes } = context
  const { association, sopClassUid, signal } = operation
  const model = models.get(sopClassUid)
  if (model === undefined) return undefined
  const isNegotiated = options.relationalQueries === 'negotiated' && negotiatedRetrieve(association, sopClassUid).relationalRetrieval
  const relational = options.relationalQueries === 'always' || isNegotiated
  const identifier = await request.identifier.dataset()
  const frames = frameRequestOf(identifier, model)
  const selection = frames === undefined ? parseRetrieveIdentifier(identifier, { model, relational, tagOf: (name) => attributes.tagOf(name) }) : instance(frames.sopInstanceUid)
  const series = await counted(selectedSeries(index, selection, signal))
  // Over meanwhile: nothing would let go of them.
  if (signal.aborted) return RetrieveStatus.CannotPerformSubOperations
  hold(operation, series.map(({ studyInstanceUid }) => studyInstanceUid))
  if (frames !== undefined) return retrieveFrames(context, frames, series, operation)
  const total = series.reduce((sum, { instances }) => sum + instances, 0)
  return { total, instances: filesToSend(context, storedInstances(index, series, sopInstanceUidsOf(selection), signal), signal) }
}

function instance(sopInstanceUid: string): RetrieveSelection {
  return { level: 'IMAGE', patientId: undefined, studyInstanceUids: [], seriesInstanceUids: [], sopInstanceUids: [sopInstanceUid] }
}

/** Whole series need no list. */
function sopInstanceUidsOf({ level, sopInstanceUids }: RetrieveSelection): readonly string[] {
  return level === 'IMAGE' ? sopInstanceUids : []
}

/** PS3.4 table C.4-2: the matches cannot be counted. */
async function counted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new StatusError(RetrieveStatus.CannotCountMatches, { errorComment: 'The index is not available', cause })
  }
}
