import { setImmediate as anotherTurn } from 'node:timers/promises'
import { QueryStatus, Stage, StatusError } from '@dicomtap/framework'
import type { DataSet, FindMatch, Operation, StatusDetails } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { parseIdentifier } from '../identifier/parse-identifier.ts'
import { localOffset } from '../matching/moments.ts'
import type { InformationModel } from '../model/levels.ts'
import type { Query } from '../model/query.ts'
import { negotiatedFind, supportModels } from '../negotiation.ts'
import { answerOf } from './answer.ts'
import type { AnswerOptions } from './answer.ts'
import { makeEncodable } from './encodable.ts'
import { planFind } from './plan.ts'
import { privateCreatorsOf } from './private-creators.ts'
import { RowReader } from './row-attributes.ts'
import { rowMatches } from './row-matches.ts'

/** Rows that do not match are looked at for so long before others have their turn. */
const TURN_MS = 2

/** Answers C-FIND for the models of the options (PS3.4 C.4.1). */
export function registerFind(context: PluginContext): void {
  const models = supportModels(context, 'find')
  if (models.size === 0) return
  context.api.hooks.cFind.tapPromise({ stage: Stage.Fallback, sopClasses: [...models.keys()] }, async (request, operation) => {
    const model = models.get(operation.sopClassUid)
    if (model === undefined) return undefined
    const identifier = await request.identifier.dataset()
    return findMatches(context, readQuery(context, model, identifier, operation), identifier, operation)
  })
}

/** @throws StatusError A900 for an identifier that is not in order; what cannot be decoded is answered by the framework */
function readQuery({ attributes, options }: PluginContext, model: InformationModel, identifier: DataSet, operation: Operation): Query {
  const negotiated = negotiatedFind(operation.association, operation.sopClassUid)
  const relational = options.relationalQueries === 'always' || (options.relationalQueries === 'negotiated' && negotiated.relationalQueries)
  return parseIdentifier(identifier, { model, attributes, negotiated, relational })
}

async function* findMatches(
  { index, options }: PluginContext,
  query: Query,
  identifier: DataSet,
  operation: Operation,
): AsyncGenerator<FindMatch, StatusDetails | undefined> {
  const answer: AnswerOptions = {
    retrieveAeTitle: options.retrieveAeTitle ?? operation.association.calledAeTitle,
    timezone: localOffset(options.timezone),
    privateCreators: privateCreatorsOf(identifier, query.returned),
  }
  const status = query.unsupported.length === 0 ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
  const plan = planFind(query, index)
  const reader = new RowReader()
  let matches = 0
  let turnStartedAtMs = performance.now()
  try {
    for await (const row of index.rows(plan.query, operation.signal, plan.work)) {
      if (operation.signal.aborted) return undefined
      if (performance.now() - turnStartedAtMs > TURN_MS) {
        await anotherTurn()
        turnStartedAtMs = performance.now()
      }
      const stored = reader.read(row)
      if (!rowMatches(stored, plan.undecided, query, answer.timezone)) continue
      if (matches === options.maximumMatches) {
        return { status: QueryStatus.ResponseLimitReached, errorComment: `There are more than ${matches} matches` }
      }
      matches++
      const match = answerOf(row, stored, query, answer)
      await makeEncodable(match, query.returned)
      yield { identifier: match, status }
    }
  } catch (error) {
    if (operation.signal.aborted) return undefined
    throw isDatabaseError(error) ? unavailable(error) : error
  }
  return undefined
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'DICOMTAP_ERR_QR_DATABASE'
}

/**
 * A700 and not Cxxx: nothing is wrong with the query, and later it may be answered (PS3.4 table C.4-1). The index
 * logs that its database is away, once.
 */
function unavailable(cause: unknown): StatusError {
  return new StatusError(QueryStatus.OutOfResources, { errorComment: 'The index is not available', cause })
}
