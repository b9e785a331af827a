import { TransferSyntax } from '@dicomtap/framework'
import type { AcceptedContext, RequestedContext } from '@dicomtap/framework'

/** Presentation context IDs are odd and 1 to 255 (PS3.8 9.3.2). */
export const MAXIMUM_CONTEXTS = 128

/** The uncompressed little endian transfer syntaxes, between which the core converts. */
const CONVERTIBLE: readonly string[] = [
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
]
/** What --convert offers besides the transfer syntax of the file. Nearly every peer takes one of them. */
const TARGETS: readonly string[] = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian]

/** What one association proposes. */
export interface ContextPlan {
  readonly contexts: readonly RequestedContext[]
  /** The keys of the files that it is for. */
  readonly keys: readonly string[]
}

/** The two UIDs of a context key. */
export function splitKey(contextKey: string): { readonly sopClassUid: string; readonly transferSyntaxUid: string } {
  const [sopClassUid = '', transferSyntaxUid = ''] = contextKey.split(' ')
  return { sopClassUid, transferSyntaxUid }
}

/**
 * The contexts for as many of the keys as fit one association, in their order: one context for each SOP
 * class and transfer syntax, so that the acceptor cannot choose another one for a file.
 *
 * @param convertTo transfer syntaxes that uncompressed files may be converted to.
 */
export function planContexts(keys: readonly string[], convertTo: readonly string[] = []): ContextPlan {
  const proposed = new Set<string>()
  const planned: string[] = []
  for (const key of keys) {
    const wanted = [...new Set([key, ...alternativesOf(key, convertTo)])].filter((one) => !proposed.has(one))
    if (proposed.size + wanted.length > MAXIMUM_CONTEXTS) break
    for (const one of wanted) proposed.add(one)
    planned.push(key)
  }
  const contexts = [...proposed].map(splitKey).map(({ sopClassUid, transferSyntaxUid }) => ({
    abstractSyntax: sopClassUid,
    transferSyntaxes: [transferSyntaxUid],
  }))
  return { contexts, keys: planned }
}

/** Which of the planned keys the accepted contexts can carry. */
export function acceptedKeys(plan: ContextPlan, accepted: readonly AcceptedContext[], convertTo: readonly string[] = []): Set<string> {
  const usable = new Set(accepted.filter(({ asScu }) => asScu).map((one) => `${one.abstractSyntax} ${one.transferSyntax}`))
  return new Set(plan.keys.filter((key) => [key, ...alternativesOf(key, convertTo)].some((one) => usable.has(one))))
}

function alternativesOf(key: string, convertTo: readonly string[]): string[] {
  const { sopClassUid, transferSyntaxUid } = splitKey(key)
  if (!CONVERTIBLE.includes(transferSyntaxUid)) return []
  return convertTo.map((one) => `${sopClassUid} ${one}`)
}

/** What --convert may convert to: the chosen ones, or the two that peers take. */
export function conversionTargets(chosen: readonly string[] | undefined): readonly string[] {
  return chosen ?? TARGETS
}

/** Can the core convert to it? */
export function isConversionTarget(transferSyntaxUid: string): boolean {
  return CONVERTIBLE.includes(transferSyntaxUid)
}
