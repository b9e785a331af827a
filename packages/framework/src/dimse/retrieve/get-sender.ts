import type { Exchange } from '../exchange.ts'
import { SopClass } from '../../dataset/sop-classes.ts'
import { withoutBulkData } from '../../dataset/without-bulk-data.ts'
import { madeWhole } from '../made-whole.ts'
import type { CGetRequest, Priority } from '../types.ts'
import { Status } from '../status-names.ts'
import type { RunningOperation } from '../operation.ts'
import { subOperationPriority } from './instance-sender.ts'
import type { InstanceSender } from './instance-sender.ts'
import { missingContext } from './missing-contexts.ts'
import type { PulledInstance } from './pulled-instance.ts'

/** Sub-operations of a C-GET: on the association it came on, as many at once as its window allows. */
export class GetSender implements InstanceSender {
  /** The contexts are negotiated: there is nothing to know in advance. */
  readonly lookAhead = 0
  /** A Pending response cannot overtake an instance on the same association. */
  readonly keepAliveMs: undefined
  readonly isApart = false
  readonly #operation: RunningOperation
  readonly #exchange: Exchange
  readonly #priority: Priority
  /** PS3.4 Z.1.3 */
  readonly #isWithoutBulkData: boolean
  #running = 0

  constructor(operation: RunningOperation, exchange: Exchange) {
    const request = operation.request as CGetRequest
    this.#operation = operation
    this.#exchange = exchange
    this.#priority = subOperationPriority(request.priority)
    this.#isWithoutBulkData = request.affectedSopClassUid === SopClass.CompositeInstanceRetrieveWithoutBulkDataGet
  }

  hasRoom(): boolean {
    return this.#running < this.#exchange.maximumSubOperations
  }

  isReadyFor(): boolean {
    return true
  }

  async prepare(): Promise<undefined> {
    return undefined
  }

  async send(instance: PulledInstance): Promise<number> {
    this.#running += 1
    try {
      await this.#exchange.withinSourceTime(instance.confirm())
      const context = this.#exchange.contextFor(instance)
      // PS3.4 C.4.3.3.1: without a context that the requestor serves as SCP the sub-operation fails.
      if (context === undefined) return this.#refused(instance)
      const bytes = await this.#exchange.withinSourceTime(Promise.resolve(instance.bytesIn(context.transferSyntax)))
      const sent = this.#isWithoutBulkData ? await madeWhole(bytes, (all) => withoutBulkData(all, context.transferSyntax)) : bytes
      return await this.#exchange.storeOnAssociation(context, instance, sent, this.#priority)
    } finally {
      this.#running -= 1
    }
  }

  end(): void {}

  #refused(instance: PulledInstance): number {
    const told = missingContext(this.#operation, instance)
    if (told !== undefined) this.#exchange.log.warn('the peer accepted no presentation context for instances of a C-GET', told)
    return Status.SopClassNotSupported
  }
}
