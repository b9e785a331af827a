import { setTimeout as pause } from 'node:timers/promises'
import type { AcceptedContext } from '../../acse/types.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { CMoveRequest } from '../types.ts'
import type { CStoreOptions } from '../user-types.ts'
import { Status } from '../status-names.ts'
import { subOperationPriority } from './instance-sender.ts'
import type { InstanceSender, Unsendable } from './instance-sender.ts'
import { missingContext } from './missing-contexts.ts'
import { isUnusable } from './pulled-instance.ts'
import type { PulledInstance, UnusableInstance } from './pulled-instance.ts'
import { isPerhapsFull, isPerhapsStarting, proposalsFor } from './sub-association.ts'
import type { InstanceContext, ResolvedDestination, SubAssociation } from './sub-association.ts'
import { WatchedSource } from './watched-source.ts'

/** Presentation contexts of one association: odd numbers of a byte (PS3.8 9.3.2.2). */
const MAXIMUM_CONTEXTS = 128
/** Associations that one C-MOVE has open at once; more are opened when the oldest is released. */
const MAXIMUM_ASSOCIATIONS = 4
/** After as many associations lost without a response in between the destination counts as gone. */
const MAXIMUM_LOSSES = 3

/** A destination that was there a moment ago may be starting again: it is tried after these pauses before it counts as gone. */
const PAUSES_MS = [200, 400, 800, 1_600] as const

const CANNOT_ASSOCIATE: Unsendable = { errorComment: 'Cannot associate with the move destination' }
const DESTINATION_LOST: Unsendable = { errorComment: 'The move destination ends the associations' }

interface Lane {
  readonly association: SubAssociation
  running: number
}

/**
 * Sub-operations of a C-MOVE: on associations with the Move Destination, opened as the instances need
 * them. A pair of SOP class and transfer syntax that the destination refuses fails its instances, and no
 * others; an instance whose association is lost is sent once more on another.
 */
export class MoveSender implements InstanceSender {
  /** An association's worth of contexts. */
  readonly lookAhead: number = MAXIMUM_CONTEXTS
  readonly keepAliveMs: number
  readonly isApart = true
  readonly #operation: RunningOperation
  readonly #exchange: Exchange
  readonly #destination: ResolvedDestination
  readonly #storeOptions: CStoreOptions
  readonly #lanes = new Set<Lane>()
  readonly #refused = new Set<string>()
  readonly #sentTwice = new WeakSet<PulledInstance>()
  #losses = 0
  #wasThere = false
  #running = 0
  #hasEnded = false

  /** @param originatorAeTitle who issued the C-MOVE; undefined when it gave itself no title that is one. */
  constructor(operation: RunningOperation, exchange: Exchange, destination: ResolvedDestination, originatorAeTitle: string | undefined) {
    this.#operation = operation
    this.#exchange = exchange
    this.#destination = destination
    this.keepAliveMs = exchange.keepAliveMs
    this.#storeOptions = {
      priority: subOperationPriority((operation.request as CMoveRequest).priority),
      ...(originatorAeTitle === undefined ? {} : { moveOriginatorApplicationEntityTitle: originatorAeTitle }),
      moveOriginatorMessageId: operation.messageId,
    }
  }

  hasRoom(instance?: PulledInstance): boolean {
    const lane = instance === undefined ? undefined : this.#laneFor(instance)
    if (lane !== undefined) return lane.running < lane.association.window && this.#running < this.#window
    return this.#running < this.#window
  }

  isReadyFor(instance: PulledInstance): boolean {
    return this.#refused.has(keyOf(instance)) || this.#laneFor(instance) !== undefined
  }

  async prepare(waiting: readonly (PulledInstance | UnusableInstance)[]): Promise<Unsendable | undefined> {
    this.#dropEnded()
    if (this.#losses >= MAXIMUM_LOSSES) return DESTINATION_LOST
    if (this.#lanes.size >= MAXIMUM_ASSOCIATIONS) {
      const [oldest] = this.#lanes
      await this.#release(oldest as Lane)
    }
    const missing = this.#missing(waiting)
    try {
      return await this.#openPatiently(missing)
    } catch (error) {
      if (this.#lanes.size === 0 || this.#hasEnded) return this.#unreachable(error)
      if (!isPerhapsFull(error)) {
        // What there is an association for can still be sent.
        this.#unreachable(error)
        this.#refuse(missing)
        return undefined
      }
    }
    // It may take no more than one association at once.
    await Promise.all([...this.#lanes].map((lane) => this.#release(lane)))
    try {
      return await this.#open(this.#missing(waiting))
    } catch (error) {
      return this.#unreachable(error)
    }
  }

  async send(instance: PulledInstance): Promise<number | undefined> {
    const lane = this.#laneFor(instance)
    if (lane === undefined) return this.#refused.has(keyOf(instance)) ? this.#sendRefused(instance) : undefined
    const { association } = lane
    const { id, transferSyntax } = association.contextFor(instance) as AcceptedContext
    const source = new WatchedSource(instance, transferSyntax)
    lane.running += 1
    this.#running += 1
    let isConfirmed = false
    try {
      // Of another class or transfer syntax than was said: it needs a context anew.
      if (!(await this.#exchange.withinSourceTime(instance.confirm()))) return undefined
      isConfirmed = true
      const { status } = await association.cStore(source, { ...this.#storeOptions, presentationContextId: id })
      this.#losses = 0
      return status
    } catch (error) {
      if (association.isUsable || source.hasFailed || !isConfirmed || this.#sentTwice.has(instance)) throw error
      this.#sentTwice.add(instance)
      this.#exchange.log.warn('an association with the move destination was lost; its instance is sent again', {
        messageId: this.#operation.messageId,
        error,
      })
      return undefined
    } finally {
      lane.running -= 1
      this.#running -= 1
      if (!association.isUsable && this.#lanes.delete(lane) && isConfirmed && !source.hasFailed) this.#losses += 1
    }
  }

  /** PS3.4 C.4.2.3.1: what the destination does not take fails, and the others go on. */
  async #sendRefused(instance: PulledInstance): Promise<number | undefined> {
    this.#running += 1
    try {
      return (await this.#exchange.withinSourceTime(instance.confirm())) ? Status.SopClassNotSupported : undefined
    } finally {
      this.#running -= 1
    }
  }

  end(settled: Promise<unknown>): void {
    this.#hasEnded = true
    void settled.then(() => {
      for (const { association } of this.#lanes) {
        // Who cancelled, or went away, will not ask for more.
        if (this.#operation.endReason === undefined) association.giveBack()
        else void association.release()
      }
      this.#lanes.clear()
    })
  }

  get #window(): number {
    let window = 1
    for (const { association } of this.#lanes) window = Math.max(window, association.window)
    return window
  }

  #laneFor(instance: InstanceContext): Lane | undefined {
    for (const lane of this.#lanes) {
      if (lane.association.isUsable && lane.association.contextFor(instance) !== undefined) return lane
    }
    return undefined
  }

  /** What those that wait need and have not, the first one's first. */
  #missing(waiting: readonly (PulledInstance | UnusableInstance)[]): InstanceContext[] {
    const missing = new Map<string, InstanceContext>()
    for (const instance of waiting) {
      if (isUnusable(instance)) continue
      const { sopClassUid, transferSyntaxUid } = instance
      const context = { sopClassUid, transferSyntaxUid }
      const key = keyOf(context)
      if (missing.has(key) || this.#refused.has(key) || this.#laneFor(context) !== undefined) continue
      if (proposalsFor([...missing.values(), context]).length > MAXIMUM_CONTEXTS) break
      missing.set(key, context)
    }
    return [...missing.values()]
  }

  /** @throws as `#open` */
  async #openPatiently(contexts: readonly InstanceContext[]): Promise<undefined> {
    for (const pauseMs of PAUSES_MS) {
      try {
        return await this.#open(contexts)
      } catch (error) {
        if (!isPerhapsStarting(error) || !this.#wasThere || this.#lanes.size > 0 || this.#hasEnded) throw error
      }
      await pause(pauseMs)
      if (this.#hasEnded) return undefined
    }
    return this.#open(contexts)
  }

  /** @throws when there is no association. That none of the contexts was accepted is no failure of the destination. */
  async #open(contexts: readonly InstanceContext[]): Promise<undefined> {
    const { subAssociations } = this.#exchange
    let association: SubAssociation
    try {
      association = await subAssociations.open(this.#destination, contexts, this.#operation)
    } catch (error) {
      if (!(error instanceof DicomtapError) || error.code !== 'DICOMTAP_ERR_ACSE_CONTEXT') throw error
      this.#refuse(contexts)
      return
    }
    if (this.#hasEnded) {
      void association.release()
      return
    }
    this.#wasThere = true
    this.#lanes.add({ association, running: 0 })
    // The first one is what it was opened for, whatever a handler made of the proposal.
    this.#refuse(contexts.filter((context, index) => association.contextFor(context) === undefined && (index === 0 || association.refuses(context))))
  }

  #refuse(contexts: readonly InstanceContext[]): void {
    for (const context of contexts) {
      this.#refused.add(keyOf(context))
      const told = missingContext(this.#operation, context, this.#destination)
      if (told !== undefined) this.#exchange.log.warn('there is no presentation context with the move destination', told)
    }
  }

  async #release(lane: Lane): Promise<void> {
    this.#lanes.delete(lane)
    await lane.association.release()
  }

  #dropEnded(): void {
    for (const lane of this.#lanes) {
      if (!lane.association.isUsable) this.#lanes.delete(lane)
    }
  }

  #unreachable(error: unknown): Unsendable {
    const { calledAeTitle, host, port } = this.#destination
    if (this.#operation.endReason === undefined) {
      const { messageId } = this.#operation
      this.#exchange.log.warn('cannot associate with the move destination', { messageId, calledAeTitle, host, port, error })
    }
    return CANNOT_ASSOCIATE
  }
}

function keyOf({ sopClassUid, transferSyntaxUid }: InstanceContext): string {
  return `${sopClassUid} ${transferSyntaxUid ?? ''}`
}
