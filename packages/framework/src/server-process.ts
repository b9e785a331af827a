import type { AddressInfo, Socket } from 'node:net'
import type { Logger } from './logger.ts'

/**
 * What a module of shared state exports as `createSharedState`. It is called once, in the one process that keeps the
 * state; methods of what it makes get who calls before their own arguments.
 */
export type CreateSharedState<T extends object = SharedObject> = (options: never, context: SharedStateContext) => T | Promise<T>

export interface SharedStateContext {
  readonly log: Logger
}

/** Methods take and give plain data only: it crosses processes as JSON. */
export interface SharedObject {
  /** That process is gone: what it held is free again. */
  left?(caller: string): void
  /** The server has ended. */
  dispose?(): void | Promise<void>
}

type CallerMethod = (caller: string, ...args: never[]) => unknown
type MethodName<T> = Exclude<{ [K in keyof T]: T[K] extends CallerMethod ? K : never }[keyof T], keyof SharedObject> & string
type Arguments<M> = M extends (caller: string, ...args: infer Rest) => unknown ? Rest : never
type Result<M> = M extends (caller: string, ...args: never[]) => infer R ? Awaited<R> : never

/**
 * State that holds for the whole server, however many processes it has. In a server of one process the methods run at
 * once, in the call.
 */
export interface SharedState<T> {
  /** @throws DICOMTAP_ERR_NET_PROCESS when the process that keeps the state does not answer. */
  call<M extends MethodName<T>>(method: M, ...args: Arguments<T[M]>): Promise<Result<T[M]>>
  /** Without an answer, in the order of the calls. */
  tell<M extends MethodName<T>>(method: M, ...args: Arguments<T[M]>): void
}

/** What is listened on, and what the connections have. */
export interface SharedListenerOptions {
  readonly port: number
  readonly host?: string
  readonly backlog: number
  readonly noDelay: boolean
  readonly keepAlive: boolean
  readonly keepAliveInitialDelay: number
}

/** A listening socket that another process keeps. */
export interface SharedListener {
  readonly address: AddressInfo
  /** From now on no connection of it comes here. */
  close(): void
}

/**
 * What an ApplicationEntity that is one of several processes of a server needs of the one that leads them. The command
 * `dicomtap start --workers` fills it.
 */
export interface ServerProcess {
  /** Of this process, new for each one: `w1`. It stands in ids of associations and in lines of the log. */
  readonly name: string
  /** How many processes share the limits. */
  readonly processes: number
  /** @param module URL of a module with {@link CreateSharedState} */
  openState(name: string, module: string, options: unknown): Promise<SharedState<never>>
  /** @throws DICOMTAP_ERR_NET_LISTEN */
  listen(options: SharedListenerOptions, connected: (socket: Socket) => void): Promise<SharedListener>
  /** Told when there are fewer connections than before; `count` says how many there are when it is called. */
  connectionsLeft(count: () => number): void
}

/** States of a server of one process: each made once. */
export class LocalStates {
  readonly #log: Logger
  readonly #objects = new Map<string, Promise<SharedObject>>()

  constructor(log: Logger) {
    this.#log = log
  }

  async open<T extends object>(name: string, module: string, options: unknown): Promise<SharedState<T>> {
    let made = this.#objects.get(name)
    if (made === undefined) {
      made = makeSharedObject(module, options, { log: this.#log })
      this.#objects.set(name, made)
    }
    const object = (await made) as unknown as Record<string, (caller: string, ...args: unknown[]) => unknown>
    return {
      // What a method throws is a rejection, as it is from another process.
      call: async (method: string, ...args: unknown[]) => object[method]?.('', ...args) as never,
      tell: (method: string, ...args: unknown[]) => void object[method]?.('', ...args),
    } as SharedState<T>
  }

  async dispose(): Promise<void> {
    await Promise.allSettled([...this.#objects.values()].map(async (made) => (await made).dispose?.()))
  }
}

/** @throws what the module, or its function, throws. */
export async function makeSharedObject(module: string, options: unknown, context: SharedStateContext): Promise<SharedObject> {
  const { createSharedState } = (await import(module)) as { createSharedState: CreateSharedState }
  return createSharedState(options as never, context)
}
