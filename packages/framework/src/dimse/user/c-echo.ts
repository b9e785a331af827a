import { SopClass } from '../../dataset/index.ts'
import { CommandField, NO_DATA_SET } from '../command-set.ts'
import type { DimseServiceProvider } from '../provider.ts'
import type { DimseResponse, RequestOptions } from '../user-types.ts'
import { checkOptions } from './checks.ts'
import { contextFor } from './contexts.ts'
import { dimseResponse } from './responses.ts'

/** PS3.7 9.1.5. */
export async function cEcho(dimse: DimseServiceProvider, options: RequestOptions): Promise<DimseResponse> {
  checkOptions(options, 'C-ECHO')
  const sopClassUid = SopClass.Verification
  const context = contextFor(dimse.contexts, sopClassUid, 'scu', options.presentationContextId)
  const command = { affectedSopClassUid: sopClassUid, commandField: CommandField.C_ECHO_RQ, commandDataSetType: NO_DATA_SET }
  const response = await dimse.invocations.open('C-ECHO', sopClassUid, { context, command }, options.signal).only()
  return dimseResponse('C-ECHO', sopClassUid, response.command)
}
