import type { Association, Operation } from '@dicomtap/framework'
import { describeStatus } from '@dicomtap/framework'
import { bytesInWords, statusInHex } from '../words.ts'

/** What an association did, for the line at its end. */
export interface AssociationTally {
  receivedBytes: number
  /** Counts by service and status: `C-STORE` -> `0` -> 212. */
  readonly operations: Map<string, Map<number, number>>
}

/** What the sub-operations of a C-GET or C-MOVE came to. */
export interface SubOperationTally {
  completed: number
  warnings: number
  failed: number
}

/** Statuses a peer makes us count per service, whatever handlers answer with. */
const MAXIMUM_STATUSES = 50

/** Counts per association and per operation; what is counted goes with them. */
export class Tallies {
  /** Kept with each association: a WeakMap of them costs the garbage collector more than the counting does. */
  readonly #key = Symbol('tally')
  readonly #subOperations = new WeakMap<Operation, SubOperationTally>()

  of(association: Association): AssociationTally {
    let tally = association.notes.get(this.#key) as AssociationTally | undefined
    if (tally === undefined) {
      tally = { receivedBytes: 0, operations: new Map() }
      association.notes.set(this.#key, tally)
    }
    return tally
  }

  addOperation({ association, service }: Operation, status: number, receivedBytes: number): void {
    const tally = this.of(association)
    tally.receivedBytes += receivedBytes
    let statuses = tally.operations.get(service)
    if (statuses === undefined) tally.operations.set(service, (statuses = new Map()))
    const count = statuses.get(status)
    if (count !== undefined || statuses.size < MAXIMUM_STATUSES) statuses.set(status, (count ?? 0) + 1)
  }

  addSubOperation(operation: Operation, status: number): void {
    let tally = this.#subOperations.get(operation)
    if (tally === undefined) this.#subOperations.set(operation, (tally = { completed: 0, warnings: 0, failed: 0 }))
    const { category } = describeStatus(status, 'C-STORE')
    if (category === 'success') tally.completed += 1
    else if (category === 'warning') tally.warnings += 1
    else tally.failed += 1
  }

  subOperationsOf(operation: Operation): SubOperationTally | undefined {
    return this.#subOperations.get(operation)
  }
}

/** Nothing but C-ECHO, and each was answered 0000: what a health check does. */
export function isEchoOnly({ operations }: AssociationTally): boolean {
  return [...operations].every(([service, statuses]) => service === 'C-ECHO' && [...statuses.keys()].every((status) => status === 0))
}

/** `C-STORE 211 Success, 1 A700 Refused: Out of resources; 111.0 MB received`. */
export function tallyInWords({ operations, receivedBytes }: AssociationTally): string {
  const services = [...operations].map(([service, statuses]) => `${service} ${statusesInWords(service, statuses)}`)
  if (services.length === 0) return 'no operations'
  return `${services.join('; ')}${operations.has('C-STORE') ? `; ${bytesInWords(receivedBytes)} received` : ''}`
}

/** `{ "C-STORE": { "0000": 211, "A700": 1 } }`, for the json format. */
export function tallyAsFields({ operations }: AssociationTally): Record<string, Record<string, number>> {
  return Object.fromEntries(
    [...operations].map(([service, statuses]) => [
      service,
      Object.fromEntries([...statuses].map(([status, count]) => [statusInHex(status), count])),
    ]),
  )
}

function statusesInWords(service: string, statuses: ReadonlyMap<number, number>): string {
  return [...statuses].map(([status, count]) => `${count} ${statusInWords(status, service as Operation['service'])}`).join(', ')
}

/** `Success`, `A700 Out of resources`. */
export function statusInWords(status: number, service: Operation['service']): string {
  const { category, label } = describeStatus(status, service)
  return category === 'success' ? label : `${statusInHex(status)} ${label}`
}
