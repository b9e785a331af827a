import { failTooLarge, failValue } from './violations.ts'
import { failEncode } from './writer.ts'

/** Odd, from 1 to 255 (PS3.8 9.3.2.2). */
export function isPresentationContextId(id: number): boolean {
  return Number.isInteger(id) && id % 2 === 1 && id >= 1 && id <= 255
}

/** Refuses ids that are even or used before, and more contexts than are taken. */
export function checkReceivedContexts(contexts: readonly { readonly id: number }[], id: number, maximum: number): void {
  if (contexts.length >= maximum) failTooLarge(`More than ${maximum} presentation contexts`)
  if (!isPresentationContextId(id)) failValue(`Presentation context id ${id} is not odd`)
  if (contexts.some((context) => context.id === id)) failValue(`Presentation context id ${id} is used twice`)
}

/** The same for contexts about to be sent. */
export function checkOwnContexts(contexts: readonly { readonly id: number }[]): void {
  let before = 0
  let isAscending = true
  for (const { id } of contexts) {
    if (!isPresentationContextId(id)) failEncode(`presentation context id ${id} is not an odd number up to 255`)
    isAscending &&= id > before
    before = id
  }
  // Which is how nearly all are sent.
  if (isAscending) return
  const ids = new Set<number>()
  for (const { id } of contexts) {
    if (ids.has(id)) failEncode(`presentation context id ${id} is used twice`)
    ids.add(id)
  }
}
