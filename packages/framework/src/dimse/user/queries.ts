import type { DataSet } from '../../dataset/types.ts'
import { CommandField, DATA_SET_PRESENT } from '../command-set.ts'
import type { DimseServiceProvider } from '../provider.ts'
import type { CFindResponse, CMoveOptions, QueryOptions, RetrieveResponse } from '../user-types.ts'
import { aeTitleOf, checkDataSet, checkOptions, checkUid, priorityOf } from './checks.ts'
import { contextFor } from './contexts.ts'
import { encoded } from './encoded.ts'
import type { Invocation } from './invocation.ts'
import { ResponseGenerator } from './response-generator.ts'
import { findResponse, retrieveResponse } from './responses.ts'

type Identifier = DataSet | Uint8Array
type Responses<T> = AsyncGenerator<T, void, undefined>

const FIELDS = { 'C-FIND': CommandField.C_FIND_RQ, 'C-GET': CommandField.C_GET_RQ, 'C-MOVE': CommandField.C_MOVE_RQ } as const

/** PS3.7 9.1.2. */
export function cFind(dimse: DimseServiceProvider, identifier: Identifier, options: QueryOptions): Responses<CFindResponse> {
  const invocation = query(dimse, 'C-FIND', identifier, options)
  return responses(dimse, invocation, (response) => findResponse(dimse, invocation, response))
}

/** PS3.7 9.1.3. */
export function cGet(dimse: DimseServiceProvider, identifier: Identifier, options: QueryOptions): Responses<RetrieveResponse> {
  const invocation = query(dimse, 'C-GET', identifier, options)
  return responses(dimse, invocation, (response) => retrieveResponse(dimse, invocation, response))
}

/** PS3.7 9.1.4. */
export function cMove(dimse: DimseServiceProvider, identifier: Identifier, options: CMoveOptions): Responses<RetrieveResponse> {
  checkOptions(options, 'C-MOVE')
  const invocation = query(dimse, 'C-MOVE', identifier, options, aeTitleOf(options.destination, 'destination'))
  return responses(dimse, invocation, (response) => retrieveResponse(dimse, invocation, response))
}

function query(
  dimse: DimseServiceProvider,
  service: keyof typeof FIELDS,
  identifier: Identifier,
  options: QueryOptions,
  moveDestination?: string,
): Invocation {
  checkOptions(options, service)
  const { model, presentationContextId, signal } = options
  checkUid(model, 'model')
  checkDataSet(identifier, 'identifier')
  const priority = priorityOf(options.priority)
  const context = contextFor(dimse.contexts, model, 'scu', presentationContextId)
  const command = {
    affectedSopClassUid: model,
    commandField: FIELDS[service],
    priority,
    commandDataSetType: DATA_SET_PRESENT,
    moveDestination,
  }
  return dimse.invocations.open(service, model, { context, command, dataSet: () => encoded(identifier, context) }, signal)
}

function responses<T>(
  dimse: DimseServiceProvider,
  invocation: Invocation,
  convert: ConstructorParameters<typeof ResponseGenerator<T>>[2],
): Responses<T> {
  return new ResponseGenerator(invocation, (given) => dimse.invocations.abandon(given), convert)
}
