import type { ApplicationEntity } from './application-entity.ts'
import type { AssociationServer } from './association-server.ts'
import type { AssociationPool } from './association/pool.ts'
import type { AssociationRegistry } from './association/registry.ts'
import { runLifecycle } from './hooks/run.ts'
import type { PluginContainer } from './plugin/container.ts'

export interface CloseOptions {
  /** How long to wait for running operations. Default `limits.closeDeadlineMs`. */
  readonly deadlineMs?: number
}

interface Closing {
  readonly ae: ApplicationEntity
  readonly servers: readonly AssociationServer[]
  readonly registry: AssociationRegistry
  readonly subAssociations: AssociationPool
  readonly plugins: Pick<PluginContainer, 'dispose'>
  /** One that was told to stop, with what plugins rehearse. */
  readonly warmUp: Promise<unknown> | undefined
  readonly signal: AbortController
  /** Called when plugins have finished what they had begun. */
  readonly preClosed: () => void
  /** When running operations have had their time, on the clock of `performance`. */
  readonly deadlineAtMs: number
}

/** How long an aborted association may take to be gone before its connection is cut. */
const ABORT_GRACE_MS = 500
const WHY = 'The server is closing'

/** The steps of `ApplicationEntity.close`, in the order of docs/reference/lifecycle.md. */
export async function closeApplicationEntity(closing: Closing): Promise<void> {
  const { ae, servers, registry, subAssociations, plugins, warmUp, signal, preClosed, deadlineAtMs } = closing
  // 1. New associations are refused (transient, temporary congestion) while the listeners are still there.
  registry.refuseNew()
  void subAssociations.close()
  // 2. Plugins may finish what they have begun, until the deadline; an error does not stop the close.
  try {
    await runLifecycle(ae.hooks.preClose, { applicationEntity: ae })
  } catch (error) {
    ae.log.error('a preClose handler failed', { error })
  }
  preClosed()
  // 3. Running operations get until the deadline. An association on which nothing runs is aborted, so that
  // nothing begins there any more. What this side requested may be of use to them, and is released after
  // them; what a C-MOVE sends on ends with it.
  const performed = Promise.all(registry.all.map((association) => association.operationsEnded()))
  const idled = registry.all.map(async (association) => {
    await association.operationsEnded()
    if (association.role === 'requestor') {
      await performed
      if (subAssociations.has(association)) return
      await association.release()
    }
    association.abort(WHY)
  })
  await within(Math.max(0, deadlineAtMs - performance.now()), Promise.all(idled).then(() => subAssociations.close()))
  // 4. The rest is aborted, and its handlers may clean up; what does not go is cut.
  await Promise.all(servers.map((server) => server.close()))
  registry.cutArriving(WHY)
  ae.abort(WHY)
  const gone = registry.connections.flatMap((association) => [association.closed, association.operationsEnded()])
  await within(ABORT_GRACE_MS, Promise.all(gone))
  // A socket that a plugin made may not do even that.
  await within(ABORT_GRACE_MS, Promise.all(registry.connections.map((association) => association.kill())))
  await within(ABORT_GRACE_MS, Promise.resolve(warmUp))
  // 5. Plugins clean up, last one first, each for a time.
  signal.abort()
  for (const error of await plugins.dispose()) ae.log.error(error.message)
}

async function within(deadlineMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs)
  })
  await Promise.race([work, deadline])
  clearTimeout(timer)
}
