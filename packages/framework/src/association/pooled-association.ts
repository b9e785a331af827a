import type { AcceptedContext } from '../acse/types.ts'
import { transferSyntaxesOf } from '../dimse/retrieve/sub-association.ts'
import type { InstanceContext, SubAssociation } from '../dimse/retrieve/sub-association.ts'
import type { CStoreOptions, CStoreResponse, StoreBytes } from '../dimse/user-types.ts'
import type { Association } from './association.ts'

/** Was a context for this proposed, and not accepted? */
export function wasRefused({ proposedContexts, rejectedContexts }: Association, context: InstanceContext): boolean {
  const wanted = transferSyntaxesOf(context)
  return rejectedContexts.some(({ id }) =>
    proposedContexts.some(
      (proposed) => proposed.id === id && proposed.abstractSyntax === context.sopClassUid && proposed.transferSyntaxes.some((uid) => wanted.includes(uid)),
    ),
  )
}

/** An association of the pool, lent to one operation. Once given back it does nothing any more. */
export class PooledAssociation implements SubAssociation {
  readonly #association: Association
  readonly #takeBack: (association: Association) => void
  readonly #contextFor: ContextLookUp
  #isLent = true

  /** @param openedFor what it was requested for, when it was not there before */
  constructor(association: Association, openedFor: readonly InstanceContext[], takeBack: (association: Association) => void) {
    this.#association = association
    this.#takeBack = takeBack
    this.#contextFor = contextLookUp(association, openedFor)
  }

  get isUsable(): boolean {
    return this.#isLent && this.#association.isEstablished
  }

  /** The invoked operations of the requestor, which this side is (PS3.7 D.3.3.3). */
  get window(): number {
    const { asynchronousOperations, settings } = this.#association
    return asynchronousOperations.invoked === 0 ? settings.limits.maximumInvokedOperations : asynchronousOperations.invoked
  }

  contextFor(context: InstanceContext): AcceptedContext | undefined {
    return this.#contextFor(context)
  }

  refuses(context: InstanceContext): boolean {
    return wasRefused(this.#association, context)
  }

  cStore(source: StoreBytes, options: CStoreOptions): Promise<CStoreResponse> {
    return this.#association.cStore(source, options)
  }

  giveBack(): void {
    if (!this.#isLent) return
    this.#isLent = false
    this.#takeBack(this.#association)
  }

  async release(): Promise<void> {
    if (!this.#isLent) return
    this.#isLent = false
    await this.#association.release()
  }
}

/** The context that an instance is sent on; undefined: none, or not on this association. */
export type ContextLookUp = (context: InstanceContext) => AcceptedContext | undefined

/**
 * Finds the contexts of an association. An instance is converted only where the destination was asked for the
 * instance's own transfer syntax, and did not accept it: a handler may have left it out of the proposal that was made
 * for the instance, but an association that was requested for others says nothing of it.
 */
export function contextLookUp({ acceptedContexts, proposedContexts }: Association, openedFor: readonly InstanceContext[] = []): ContextLookUp {
  const accepted = new Map<string, AcceptedContext>()
  for (const context of acceptedContexts) {
    const key = keyOf(context.abstractSyntax, context.transferSyntax)
    if (context.asScu && !accepted.has(key)) accepted.set(key, context)
  }
  const asked = new Set<string>()
  for (const { abstractSyntax, transferSyntaxes } of proposedContexts) for (const uid of transferSyntaxes) asked.add(keyOf(abstractSyntax, uid))
  for (const { sopClassUid, transferSyntaxUid } of openedFor) asked.add(keyOf(sopClassUid, transferSyntaxUid ?? ''))
  return (context) => {
    const { sopClassUid, transferSyntaxUid } = context
    for (const uid of transferSyntaxesOf(context)) {
      const found = accepted.get(keyOf(sopClassUid, uid))
      if (found !== undefined) return found
      if (uid === transferSyntaxUid && !asked.has(keyOf(sopClassUid, uid))) return undefined
    }
    return undefined
  }
}

function keyOf(sopClassUid: string, transferSyntaxUid: string): string {
  return `${sopClassUid} ${transferSyntaxUid}`
}
