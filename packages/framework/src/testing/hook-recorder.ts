import { HOOK_CATALOG, HOOK_NAMES } from '../hooks/catalog.ts'
import type { DataEvent, HookArguments, HookHandler, HookName, NotificationHookName } from '../hooks/types.ts'

/** What handlers can be bound on: an ApplicationEntity, an AssociationServer, an Association. */
export interface BindingTarget {
  bind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void
  unbind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void
}

type EventOf<Name extends NotificationHookName> = HookArguments<Name>[0]

/** One notification as it was recorded. */
export interface RecordedEvent<Name extends NotificationHookName = NotificationHookName> {
  readonly hook: Name
  /** `a1`, `a2`, ... of the association it was about; undefined for `hookFailed`. */
  readonly associationId: string | undefined
  /** What the hook told. Of `dataReceived` and `dataSent`, whose bytes are only lent, a copy. */
  readonly event: EventOf<Name>
}

const DEFAULT_TIMEOUT_MS = 5_000

/** Every notification hook but the two that carry raw bytes. */
export const RECORDED_HOOKS: readonly NotificationHookName[] = HOOK_NAMES.filter(
  (name): name is NotificationHookName =>
    HOOK_CATALOG[name].kind === 'notification' && name !== 'dataReceived' && name !== 'dataSent',
)

/** Keeps what the notification hooks tell, in order, and lets tests wait for it. */
export class HookRecorder {
  readonly #target: BindingTarget
  readonly #events: RecordedEvent[] = []
  readonly #handlers: (readonly [NotificationHookName, (event: never) => void])[] = []
  /** Where `next` goes on for each hook. */
  readonly #positions = new Map<NotificationHookName, number>()
  #waiting: (() => void)[] = []

  /** @internal */
  constructor(target: BindingTarget, names: readonly NotificationHookName[]) {
    this.#target = target
    for (const name of names) {
      const handler = (event: EventOf<NotificationHookName>): void => {
        this.#record(name, event)
      }
      target.bind(name, handler)
      this.#handlers.push([name, handler])
    }
  }

  get events(): readonly RecordedEvent[] {
    return this.#events
  }

  /** Names of the hooks in the order in which they fired; of some of them when `only` is given. */
  names(...only: readonly NotificationHookName[]): NotificationHookName[] {
    return this.#events.map(({ hook }) => hook).filter((hook) => only.length === 0 || only.includes(hook))
  }

  /** The events of one hook. */
  of<Name extends NotificationHookName>(name: Name): EventOf<Name>[] {
    return this.#events.filter(({ hook }) => hook === name).map(({ event }) => event as EventOf<Name>)
  }

  /**
   * The next event of a hook that fits: each one is given out once, those that fired before the call
   * included. @throws when none fires in time; the message tells what did.
   */
  async next<Name extends NotificationHookName>(
    name: Name,
    fits: (event: EventOf<Name>) => boolean = () => true,
    timeoutMs: number = DEFAULT_TIMEOUT_MS,
  ): Promise<EventOf<Name>> {
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    try {
      for (;;) {
        const found = this.#take(name, fits)
        if (found !== undefined) return found
        if (isLate) throw new Error(`Within ${timeoutMs} ms ${name} did not fire; these did: ${this.names().join(', ')}`)
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve)
          timer ??= setTimeout(() => {
            isLate = true
            this.#wake()
          }, timeoutMs)
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.#events.length = 0
    this.#positions.clear()
  }

  /** Stops recording. */
  [Symbol.dispose](): void {
    for (const [name, handler] of this.#handlers) this.#target.unbind(name, handler as HookHandler<typeof name>)
  }

  #take<Name extends NotificationHookName>(name: Name, fits: (event: EventOf<Name>) => boolean): EventOf<Name> | undefined {
    for (let index = this.#positions.get(name) ?? 0; index < this.#events.length; index++) {
      const { hook, event } = this.#events[index] as RecordedEvent
      if (hook !== name || !fits(event)) continue
      this.#positions.set(name, index + 1)
      return event
    }
    return undefined
  }

  #record(hook: NotificationHookName, event: EventOf<NotificationHookName>): void {
    const kept = 'data' in event ? { ...event, data: Buffer.from((event as DataEvent).data) } : event
    this.#events.push({ hook, associationId: associationIdOf(event), event: kept })
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

function associationIdOf(event: EventOf<NotificationHookName>): string | undefined {
  if ('association' in event) return event.association.id
  return 'operation' in event ? event.operation.association.id : undefined
}

/**
 * Records notification hooks of an AE, a listener or one association.
 *
 * @example
 * using recorder = hookRecorder(ae)
 * await scu.release()
 * await recorder.next('associationReleased')
 * t.deepEqual(recorder.names('associationEstablished', 'associationReleased'), ['associationEstablished', 'associationReleased'])
 */
export function hookRecorder(target: BindingTarget, names: readonly NotificationHookName[] = RECORDED_HOOKS): HookRecorder {
  return new HookRecorder(target, names)
}
