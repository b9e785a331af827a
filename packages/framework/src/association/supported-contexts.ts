import type { SupportedContext } from '../acse/types.ts'
import { defaultTransferSyntaxListsOf, isValidUid } from '../dataset/index.ts'
import { DicomtapError } from '../errors/index.ts'

function checkUid(uid: string, what: string): void {
  if (isValidUid(uid)) return
  throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `${what} '${uid}' is not a UID: use digits and dots, at most 64 (PS3.5 9.1)`)
}

/** The presentation contexts an AE or a listener supports, by abstract syntax. */
export class SupportedContexts {
  #contexts: ReadonlyMap<string, SupportedContext> = new Map()

  constructor(contexts: Iterable<SupportedContext> = []) {
    this.replace(contexts)
  }

  /** For the snapshot of an association: never changed, only replaced. */
  get map(): ReadonlyMap<string, SupportedContext> {
    return this.#contexts
  }

  get list(): SupportedContext[] {
    return [...this.#contexts.values()].sort((a, b) => (a.abstractSyntax < b.abstractSyntax ? -1 : 1))
  }

  /** Forgets what there was, unless one of the UIDs is none. Entries with the same abstract syntax are merged. */
  replace(contexts: Iterable<SupportedContext>): void {
    const before = this.#contexts
    this.#contexts = new Map()
    try {
      for (const { abstractSyntax, transferSyntaxes, roles } of contexts) this.add(abstractSyntax, transferSyntaxes, roles)
    } catch (error) {
      this.#contexts = before
      throw error
    }
  }

  /**
   * Appends transfer syntaxes to what is supported for the abstract syntax; roles, when given, replace its roles.
   * The default of a video class has its codecs first: what is offered both ways comes as it is.
   */
  add(
    abstractSyntax: string,
    transferSyntaxes: readonly string[] = defaultTransferSyntaxListsOf(abstractSyntax).flat(),
    roles?: { readonly scu: boolean; readonly scp: boolean },
  ): void {
    checkUid(abstractSyntax, 'Abstract syntax')
    for (const uid of transferSyntaxes) checkUid(uid, 'Transfer syntax')
    const present = this.#contexts.get(abstractSyntax)
    const newRoles = roles ?? present?.roles
    this.#contexts = new Map(this.#contexts).set(abstractSyntax, {
      abstractSyntax,
      transferSyntaxes: [...new Set([...(present?.transferSyntaxes ?? []), ...transferSyntaxes])],
      ...(newRoles === undefined ? {} : { roles: newRoles }),
    })
  }

  /** Takes transfer syntaxes away, all of them when none are named; unknown ones are ignored. */
  remove(abstractSyntax: string, transferSyntaxes?: readonly string[]): void {
    const present = this.#contexts.get(abstractSyntax)
    if (present === undefined) return
    const rest = transferSyntaxes === undefined ? [] : present.transferSyntaxes.filter((uid) => !transferSyntaxes.includes(uid))
    const contexts = new Map(this.#contexts)
    if (rest.length === 0) contexts.delete(abstractSyntax)
    else contexts.set(abstractSyntax, { ...present, transferSyntaxes: rest })
    this.#contexts = contexts
  }
}
