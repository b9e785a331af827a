import type { RequestedContext } from '../acse/types.ts'
import { defaultTransferSyntaxesOf } from '../dataset/index.ts'

/** Takes transfer syntaxes away from every context of an abstract syntax, and the contexts that have none left. */
export function withoutContext(
  contexts: readonly RequestedContext[],
  abstractSyntax: string,
  transferSyntaxes?: readonly string[],
): readonly RequestedContext[] {
  return contexts.flatMap((context) => {
    if (context.abstractSyntax !== abstractSyntax) return [context]
    const proposed = context.transferSyntaxes ?? defaultTransferSyntaxesOf(abstractSyntax)
    const rest = transferSyntaxes === undefined ? [] : proposed.filter((uid) => !transferSyntaxes.includes(uid))
    return rest.length === 0 ? [] : [{ ...context, transferSyntaxes: rest }]
  })
}
