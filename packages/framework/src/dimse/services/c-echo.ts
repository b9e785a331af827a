import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import type { Outcome } from '../outcome.ts'
import { Status } from '../status-names.ts'
import { askForStatus } from './single-response.ts'

/** C-ECHO (PS3.7 9.1.5). That the message arrived is the service: no answer means 0000. */
export function performCEcho(operation: RunningOperation, { hooks }: Exchange): Promise<Outcome> {
  return askForStatus(hooks.cEcho, operation, Status.Success)
}
