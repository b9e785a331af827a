import type { AcceptedContext } from '../acse/types.ts'
import { transferSyntaxesOf } from '../dimse/retrieve/sub-association.ts'
import type { InstanceContext, SubAssociation } from '../dimse/retrieve/sub-association.ts'
import type { CStoreOptions, CStoreResponse, StoreBytes } from '../dimse/user-types.ts'
import type { Association } from './association.ts'

/** An association of the pool, lent to one operation. Once given back it does nothing any more. */
export class PooledAssociation implements SubAssociation {
  readonly #association: Association
  readonly #takeBack: (association: Association) => void
  /** By class and transfer syntax. */
  readonly #contexts: ReadonlyMap<string, AcceptedContext>
  #isLent = true

  constructor(association: Association, takeBack: (association: Association) => void) {
    this.#association = association
    this.#takeBack = takeBack
    this.#contexts = contextsOf(association)
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
    return contextIn(this.#contexts, context)
  }

  refuses(context: InstanceContext): boolean {
    const { sopClassUid } = context
    const wanted = transferSyntaxesOf(context)
    return this.#association.rejectedContexts.some(({ id }) =>
      this.#association.proposedContexts.some(
        (proposed) => proposed.id === id && proposed.abstractSyntax === sopClassUid && proposed.transferSyntaxes.some((uid) => wanted.includes(uid)),
      ),
    )
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

/** The contexts on which instances can be sent as they are, by class and transfer syntax. */
export function contextsOf({ acceptedContexts }: Association): Map<string, AcceptedContext> {
  const contexts = new Map<string, AcceptedContext>()
  for (const context of acceptedContexts) {
    const key = keyOf(context.abstractSyntax, context.transferSyntax)
    if (context.asScu && !contexts.has(key)) contexts.set(key, context)
  }
  return contexts
}

/** That one of `contexts` which an instance is sent on. */
export function contextIn(contexts: ReadonlyMap<string, AcceptedContext>, context: InstanceContext): AcceptedContext | undefined {
  for (const transferSyntaxUid of transferSyntaxesOf(context)) {
    const found = contexts.get(keyOf(context.sopClassUid, transferSyntaxUid))
    if (found !== undefined) return found
  }
  return undefined
}

function keyOf(sopClassUid: string, transferSyntaxUid: string): string {
  return `${sopClassUid} ${transferSyntaxUid}`
}
