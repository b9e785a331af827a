import type { Timeouts } from '../config/types.ts'

/** What {@link limitAge} ends. */
export interface Ageing {
  readonly closed: Promise<void>
  release(): Promise<void>
  abort(message: string): void
}

/** How long running operations may take to end when there is no `timeouts.acseMs`. */
const DEFAULT_GRACE_MS = 30_000

/** Ends an association that has lasted `associationMs`: by a release, and by an abort when that does not come about. */
export function limitAge(association: Ageing, { associationMs, acseMs }: Pick<Timeouts, 'associationMs' | 'acseMs'>): void {
  if (associationMs === null) return
  let timer = setTimeout(() => {
    timer = setTimeout(() => {
      association.abort('The association lasted too long')
    }, acseMs ?? DEFAULT_GRACE_MS)
    void association.release()
  }, associationMs)
  void association.closed.then(() => {
    clearTimeout(timer)
  })
}
