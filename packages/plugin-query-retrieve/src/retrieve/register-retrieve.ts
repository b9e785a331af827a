import { RetrieveStatus, Stage, StatusError } from '@dicomtap/framework'
import type { CGetRequest, CMoveRequest, Operation, RetrieveAnswer } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { parseRetrieveIdentifier } from '../identifier/parse-retrieve-identifier.ts'
import type { RetrieveSelection } from '../identifier/parse-retrieve-identifier.ts'
import type { InformationModel } from '../model/levels.ts'
import { negotiatedRetrieve, supportModels } from '../negotiation.ts'
import { filesToSend } from './files-to-send.ts'
import { framesAskedOf } from './frame-request.ts'
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
  const uid = framesAskedOf(identifier, model)
  if (uid !== undefined) return refuseFrames(context, uid, operation)
  const selection = parseRetrieveIdentifier(identifier, { model, relational, tagOf: (name) => attributes.tagOf(name) })
  const series = await counted(selectedSeries(index, selection, signal))
  // Over meanwhile: nothing would let go of them.
  if (signal.aborted) return RetrieveStatus.CannotPerformSubOperations
  hold(operation, series.map(({ studyInstanceUid }) => studyInstanceUid))
  const total = series.reduce((sum, { instances }) => sum + instances, 0)
  return { total, instances: filesToSend(context, storedInstances(index, series, sopInstanceUidsOf(selection), signal), signal) }
}

/** New instances of some frames of another (PS3.4 Y.3.3) are not made. */
async function refuseFrames({ api, index }: PluginContext, sopInstanceUid: string, { association, messageId, signal }: Operation): Promise<RetrieveAnswer> {
  const selection = { level: 'IMAGE', patientId: undefined, studyInstanceUids: [], seriesInstanceUids: [], sopInstanceUids: [sopInstanceUid] } as const
  const found = await counted(selectedSeries(index, selection, signal))
  if (found.length === 0) return { status: RetrieveStatus.NoneOfTheFramesFound, errorComment: 'There is no such instance' }
  api.log.warn('frames were asked for: instances are sent whole, no new ones are made of their frames', {
    association: association.id,
    callingAeTitle: association.callingAeTitle,
    messageId,
  })
  return { status: RetrieveStatus.CannotCreateObject, errorComment: 'Instances are sent whole: ask at the level IMAGE' }
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
