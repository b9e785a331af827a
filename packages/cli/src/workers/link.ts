import type { AddressInfo, Socket } from 'node:net'
import { DicomtapError } from '@dicomtap/framework'
import type { ServerProcess, SharedListener, SharedListenerOptions, SharedState } from '@dicomtap/framework'
import { errorOf } from './problems.ts'
import type { Question, ToPrimary, ToWorker } from './protocol.ts'

/** How long the primary may take to answer about shared state: an association waits for it. */
const ANSWER_MS = 5_000
/** It may have to open a file, or a socket. */
const OPEN_MS = 30_000

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** A worker's connection to the primary. */
export class PrimaryLink implements ServerProcess {
  readonly name: string
  readonly processes: number
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Map<number, (socket: Socket) => void>()
  #questions = 0
  #listened = 0
  #received = 0
  #unsent: ToPrimary[] = []
  #count: (() => number) | undefined

  constructor(name: string, processes: number) {
    this.name = name
    this.processes = processes
  }

  /** Takes what is the link's; what is not is given back. */
  took(message: ToWorker, socket: Socket | undefined): boolean {
    if (message.type === 'connection') this.#connected(message.listener, socket)
    else if (message.type === 'answer') this.#answered(message)
    else return false
    return true
  }

  /** What is said in one turn goes together: the end of an association is two messages. */
  send(message: ToPrimary): void {
    this.#unsent.push(message)
    if (this.#unsent.length === 1) queueMicrotask(() => this.#flush())
  }

  async openState(name: string, module: string, options: unknown): Promise<SharedState<never>> {
    await this.#ask({ ask: 'open', name, module, options }, OPEN_MS)
    return {
      call: (method: string, ...args: unknown[]) => this.#ask({ ask: 'state', name, method, args }, ANSWER_MS),
      tell: (method: string, ...args: unknown[]) => this.send({ type: 'tell', name, method, args }),
    } as unknown as SharedState<never>
  }

  async listen(options: SharedListenerOptions, connected: (socket: Socket) => void): Promise<SharedListener> {
    const listener = this.#listened++
    this.#listeners.set(listener, connected)
    const address = (await this.#ask({ ask: 'listen', listener, options }, OPEN_MS)) as AddressInfo
    return {
      address,
      close: () => {
        // Those that are on their way are accepted, as those in the queue of the operating system would be.
        this.send({ type: 'stopListening', listener })
      },
    }
  }

  connectionsLeft(count: () => number): void {
    if (this.#count !== undefined) return
    this.#count = count
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    if (this.#count !== undefined) this.#unsent.push({ type: 'left', received: this.#received, connections: this.#count() })
    this.#count = undefined
    if (this.#unsent.length === 0) return
    const messages = this.#unsent
    this.#unsent = []
    // A primary that is gone ends this process; nobody is left to hear why a message was lost.
    process.send?.(messages, undefined, undefined, () => {})
  }

  #connected(listener: number, socket: Socket | undefined): void {
    this.#received += 1
    // It was closed while it was on its way.
    if (socket === undefined) return
    const take = this.#listeners.get(listener)
    if (take === undefined) socket.destroy()
    else take(socket.pause())
  }

  #ask(question: Question, withinMs: number): Promise<unknown> {
    const id = ++this.#questions
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new DicomtapError('DICOMTAP_ERR_NET_PROCESS', `The process that leads this server did not answer within ${withinMs} ms`))
      }, withinMs)
      this.#waiting.set(id, { resolve, reject, timer })
      this.send({ type: 'question', id, question })
    })
  }

  #answered({ id, value, problems }: Extract<ToWorker, { type: 'answer' }>): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    if (problems === undefined) waiting.resolve(value)
    else waiting.reject(errorOf(problems))
  }
}
