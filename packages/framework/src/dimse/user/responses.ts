import type { DataSet } from '../../dataset/types.ts'
import type { CommandSet } from '../command-set.ts'
import type { DimseServiceProvider } from '../provider.ts'
import { describeStatus, statusServiceOf } from '../status.ts'
import type { DimseService } from '../types.ts'
import type { CFindResponse, DimseResponse, NResponse, RetrieveResponse } from '../user-types.ts'
import type { Invocation, Response } from './invocation.ts'

/** What every response has (PS3.7 annex C). */
export function dimseResponse(service: DimseService, sopClassUid: string, command: CommandSet): DimseResponse {
  const status = command.status as number
  const { category, label } = describeStatus(status, statusServiceOf(service, sopClassUid))
  const { errorComment, offendingElements } = command
  return { status, category, label, errorComment, offendingElements, command }
}

/** The identifier comes with Pending statuses only (PS3.7 9.1.2.1.5). */
export async function findResponse(dimse: DimseServiceProvider, invocation: Invocation, response: Response): Promise<CFindResponse> {
  const common = dimseResponse(invocation.service, invocation.sopClassUid, response.command)
  const identifier = common.category === 'pending' ? await dataSetOf(dimse, invocation, response) : undefined
  return { ...common, identifier }
}

/** Only the final response has an identifier, with the list of what failed (PS3.4 C.4.2.1.4.2, C.4.3.1.3.2). */
export async function retrieveResponse(dimse: DimseServiceProvider, invocation: Invocation, response: Response): Promise<RetrieveResponse> {
  const { command } = response
  const common = dimseResponse(invocation.service, invocation.sopClassUid, command)
  const dataset = common.category === 'pending' ? undefined : await dataSetOf(dimse, invocation, response)
  return {
    ...common,
    numberOfRemainingSuboperations: command.numberOfRemainingSuboperations,
    numberOfCompletedSuboperations: command.numberOfCompletedSuboperations,
    numberOfFailedSuboperations: command.numberOfFailedSuboperations,
    numberOfWarningSuboperations: command.numberOfWarningSuboperations,
    failedSopInstanceUids: uidsOf(dataset?.['FailedSOPInstanceUIDList']),
  }
}

export async function nResponse(dimse: DimseServiceProvider, invocation: Invocation, response: Response): Promise<NResponse> {
  const { command } = response
  return {
    ...dimseResponse(invocation.service, invocation.sopClassUid, command),
    errorId: command.errorId,
    attributeIdentifierList: command.attributeIdentifierList,
    dataset: await dataSetOf(dimse, invocation, response),
    affectedSopInstanceUid: command.affectedSopInstanceUid,
  }
}

async function dataSetOf(dimse: DimseServiceProvider, invocation: Invocation, { dataSet }: Response): Promise<DataSet | undefined> {
  try {
    return await dataSet?.dataset()
  } catch (cause) {
    throw dimse.invocations.undecodable(invocation, cause)
  }
}

function uidsOf(value: unknown): readonly string[] {
  const values = Array.isArray(value) ? value : [value]
  return values.filter((uid): uid is string => typeof uid === 'string' && uid !== '')
}
