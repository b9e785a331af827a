import { commandName, responseFieldOf, serviceOf } from '../command-set.ts'
import type { CommandSet } from '../command-set.ts'
import { statusCategory } from '../status.ts'
import type { Invocation } from './invocation.ts'

/**
 * Why a response cannot be one to the request with its Message ID (PS3.7 9.1, 9.3, 10.1, 10.3); undefined
 * when it may be. Data sets that mean nothing, such as an identifier in the last C-FIND-RSP, are let pass:
 * peers in the field send them, and they are dropped.
 */
export function violationOf(
  { service, context, isMultiResponse }: Invocation,
  contextId: number,
  command: CommandSet,
  hasDataSet: boolean,
): string | undefined {
  const { commandField, status } = command
  if (serviceOf(commandField) !== service) return `${commandName(commandField)} answers it`
  if (contextId !== context?.id) return `the response came on presentation context ${contextId}, not ${context?.id}`
  if (status === undefined) return 'the response has no Status'
  const isPending = statusCategory(status) === 'pending'
  if (isPending && !isMultiResponse) return `${service} has no Pending status`
  // Command Data Set Type is fixed to 0101H (PS3.7 tables 9.3-2, 9.3-13, 10.3-12).
  if (hasDataSet && (service === 'C-ECHO' || service === 'C-STORE' || service === 'N-DELETE')) {
    return `a data set came with ${commandName(responseFieldOf(commandField))}`
  }
  // PS3.7 9.1.2.1.5.
  if (isPending && !hasDataSet && service === 'C-FIND') return 'a Pending response came without an identifier'
  return undefined
}
