import type { Association, HookName, LogArea, LogLevel, LogRecord, Operation, OperationCompletedEvent } from '@dicomtap/framework'
import type { LogEntry } from '@dicomtap/plugin-logging'
import type { Destination } from '../dist/destinations/destination.js'

/** A destination that keeps what it is given. */
export function keepingDestination(): Destination & { readonly entries: LogEntry[]; isBlocked: boolean } {
  const entries: LogEntry[] = []
  let dropped = 0
  return {
    name: 'memory',
    entries,
    isBlocked: false,
    isWritable() {
      return !this.isBlocked
    },
    write(entry) {
      if (this.isBlocked) dropped += 1
      else entries.push(entry)
    },
    get dropped() {
      return dropped
    },
    forgetDropped() {
      dropped = 0
    },
    close: () => Promise.resolve(),
  }
}

type Handler = (event: never) => void

/** As much of `api.hooks` as the plugin taps; `fire` calls the handlers in the order they were tapped. */
export function fakeHooks(): { readonly hooks: never; fire(name: HookName, event: object): void } {
  const handlers = new Map<string, Handler[]>()
  const hooks = new Proxy(
    {},
    {
      get: (_target, name: string) => ({
        tap(...args: unknown[]) {
          handlers.set(name, [...(handlers.get(name) ?? []), args.at(-1) as Handler])
        },
      }),
    },
  )
  return {
    hooks: hooks as never,
    fire(name, event) {
      for (const handler of handlers.get(name) ?? []) handler(event as never)
    },
  }
}

export function fakeAssociation(values: Partial<Record<keyof Association, unknown>> = {}): Association {
  return {
    id: 'a1',
    role: 'acceptor',
    callingAeTitle: 'CT01',
    calledAeTitle: 'ARCHIVE',
    remoteAddress: '::ffff:10.0.4.17',
    remotePort: 51234,
    openedAt: new Date(),
    notes: new Map(),
    request: {},
    proposedContexts: [],
    acceptedContexts: [{}],
    rejectedContexts: [],
    operations: [],
    isAborted: false,
    ...values,
  } as never
}

export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2'
export const STUDY_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.2.1'
export const STUDY_ROOT_MOVE = '1.2.840.10008.5.1.4.1.2.2.2'
export const VERIFICATION = '1.2.840.10008.1.1'

export function fakeOperation(values: Partial<Record<keyof Operation, unknown>> = {}): Operation {
  const operation = { service: 'C-STORE', messageId: 7, association: fakeAssociation(), sopClassUid: CT_IMAGE_STORAGE, ...values }
  return { request: { service: operation.service, affectedSopInstanceUid: '1.2.3.4' }, ...operation } as never
}

export function completed(operation: Operation, values: Partial<OperationCompletedEvent> = {}): OperationCompletedEvent {
  return { operation, status: 0, errorComment: undefined, durationMs: 38.2, receivedBytes: 524_800, responses: 1, ...values }
}

export function record(message: string, fields: Record<string, unknown> = {}, level: LogLevel = 'info', area: LogArea = 'server'): LogRecord {
  return { level, area, message, fields }
}
