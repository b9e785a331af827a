import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import type { Outcome } from '../outcome.ts'
import { Status } from '../status-names.ts'
import { askForStatus } from './single-response.ts'

/** C-STORE (PS3.7 9.1.1). Nobody took the object: it must not be taken for stored. */
export function performCStore(operation: RunningOperation, { hooks }: Exchange): Promise<Outcome> {
  return askForStatus(hooks.cStore, operation, Status.SopClassNotSupported)
}
