import { sopClassByUid, transferSyntaxByUid } from '../../dataset/registry.ts'
import type { Operation } from '../types.ts'
import type { InstanceContext } from './sub-association.ts'

/** What an association was told to have no context for, of destinations that were asked on its behalf. */
const told = new WeakMap<object, Set<string>>()

/**
 * What to log of an instance that the peer, or a Move Destination, has no presentation context for. Undefined when it
 * was said on this association: a study of thousands of images is moved image by image.
 */
export function missingContext(
  operation: Operation,
  { sopClassUid, transferSyntaxUid }: InstanceContext,
  destination?: { readonly calledAeTitle: string; readonly host: string; readonly port: number },
): Record<string, unknown> | undefined {
  const { association } = operation
  let said = told.get(association)
  if (said === undefined) told.set(association, (said = new Set()))
  const to = destination === undefined ? {} : { calledAeTitle: destination.calledAeTitle, host: destination.host, port: destination.port }
  const key = JSON.stringify([sopClassUid, transferSyntaxUid, to])
  if (said.has(key)) return undefined
  said.add(key)
  return {
    messageId: operation.messageId,
    sopClass: nameOf(sopClassByUid(sopClassUid), sopClassUid),
    transferSyntax: transferSyntaxUid === undefined ? undefined : nameOf(transferSyntaxByUid(transferSyntaxUid), transferSyntaxUid),
    ...to,
  }
}

function nameOf(entry: { readonly keyword: string } | undefined, uid: string): string {
  return entry === undefined || entry.keyword === '' ? uid : entry.keyword
}
