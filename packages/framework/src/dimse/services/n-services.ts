import { statusCategory } from '../status.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import type { Outcome } from '../outcome.ts'
import type { DimseService, NCreateRequest } from '../types.ts'
import { Status } from '../status-names.ts'
import { askForStatus } from './single-response.ts'

const HOOKS = {
  'N-EVENT-REPORT': 'nEventReport',
  'N-GET': 'nGet',
  'N-SET': 'nSet',
  'N-ACTION': 'nAction',
  'N-CREATE': 'nCreate',
  'N-DELETE': 'nDelete',
} as const satisfies Partial<Record<DimseService, string>>

/** The six N services (PS3.7 section 10). */
export async function performNService(operation: RunningOperation, { hooks }: Exchange): Promise<Outcome> {
  const service = operation.service as keyof typeof HOOKS
  const outcome = await askForStatus(hooks[HOOKS[service]] as typeof hooks.nGet, operation, Status.UnrecognizedOperation)
  const category = statusCategory(outcome.status)
  // PS3.7 10.3.6.2: an N-DELETE-RSP has no data set, whatever it says.
  if ((category !== 'success' && category !== 'warning') || service === 'N-DELETE') return { ...outcome, dataset: undefined }
  if (service === 'N-CREATE') return withInstanceUid(operation.request as NCreateRequest, outcome)
  return outcome
}

/** PS3.7 10.1.5.1.4: when the SCU gave no instance UID, the SCP's response names the one it assigned. */
function withInstanceUid(request: NCreateRequest, outcome: Outcome): Outcome {
  if (request.affectedSopInstanceUid !== undefined || outcome.affectedSopInstanceUid !== undefined) return outcome
  return { status: Status.ProcessingFailure, errorComment: 'No SOP Instance UID was assigned' }
}
