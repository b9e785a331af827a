import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import { DicomtapError } from '@dicomtap/framework'
import type { Logger, LogRecord } from '@dicomtap/framework'
import { problemsOf } from '../output/report-error.ts'
import type { Problem } from '../output/report-error.ts'
import { waitingFor } from '../stop-on-signals.ts'
import { Listeners } from './listeners.ts'
import { Member, leastBusy } from './member.ts'
import { errorOf } from './problems.ts'
import { WORKER_VARIABLE } from './protocol.ts'
import type { Question, ReadyDetails, ToPrimary, ToWorker } from './protocol.ts'
import { Replacements } from './replacements.ts'
import { SharedStates } from './shared-states.ts'

export interface FleetOptions {
  readonly workers: number
  readonly log: Logger
  readonly closeDeadlineMs: number
  /** What a close may take besides, before a worker is killed. */
  readonly closeMarginMs: number
  /** Workers do not start any more: the server has to end. */
  readonly gaveUp: (message: string) => void
}

/** How long a worker may take to say how many associations it has. */
const CENSUS_MS = 1_000
/** How long a worker may take to read the configuration. */
const RELOAD_MS = 60_000

/** The workers of a server. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #members = new Map<Worker, Member>()
  readonly #listeners: Listeners
  readonly #states: SharedStates
  readonly #replacements: Replacements
  #given = 0
  #starting: { readonly ready: (details: ReadyDetails) => void; readonly failed: (error: Error) => void } | undefined
  /** The output of inspect about the worker that did not start. */
  failureDetail: string | undefined
  /** Answers to what all workers were asked. */
  #hear: ((member: Member, message: ToPrimary) => void) | undefined
  #closing: Promise<void> | undefined
  #ended: (() => void) | undefined
  #killed: string[] = []
  #logsAreClosing = false

  constructor(options: FleetOptions) {
    this.#options = options
    const { log, gaveUp } = options
    this.#listeners = new Listeners((listener, socket) => {
      const member = leastBusy(this.#members.values(), listener)
      member?.give(listener, socket, ++this.#given)
      return member !== undefined
    }, log)
    this.#states = new SharedStates(log)
    this.#replacements = new Replacements({ fork: () => this.#fork(), gaveUp })
    cluster.on('message', (worker, messages: readonly ToPrimary[]) => {
      const member = this.#members.get(worker)
      // A plugin may say something, too, which is for others.
      if (member === undefined || !Array.isArray(messages)) return
      for (const message of messages) void this.#heard(member, message)
    })
    cluster.on('exit', (worker, code, signal) => {
      const member = this.#members.get(worker)
      if (member !== undefined) this.#exited(member, code, signal)
    })
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** Resolves when all workers are ready. @throws why the first one that failed did. */
  start(): Promise<ReadyDetails> {
    return new Promise((ready, failed) => {
      this.#starting = { ready, failed }
      for (let i = 0; i < this.#options.workers; i++) this.#fork()
    })
  }

  /** Has a worker write a line to its log; false when there is none that can, or they are closing theirs. */
  log(record: LogRecord): boolean {
    if (this.#logsAreClosing) return false
    for (const member of this.#members.values()) {
      if (member.details === undefined || member.isEnding || !member.worker.isConnected()) continue
      member.send({ type: 'log', record })
      return true
    }
    return false
  }

  /** First all read the configuration; it holds when all could. @throws what is wrong with it, once. */
  async reload(): Promise<void> {
    for (const step of ['check', 'apply'] as const) {
      const problems = await this.#census({ type: 'reload', step }, RELOAD_MS, (message) =>
        message.type === 'reloaded' ? message.problems : undefined,
      )
      // Each says the same of the same file.
      const different = new Map(problems.flat().map((problem: Problem) => [problem.message, problem]))
      if (different.size > 0) throw errorOf([...different.values()])
    }
  }

  /** @throws when a worker had to be killed. */
  close(signal: string | undefined, deadlineMs: number | undefined): Promise<void> {
    this.#closing ??= this.#close(signal, deadlineMs ?? this.#options.closeDeadlineMs)
    return this.#closing
  }

  abort(): void {
    this.#toAll({ type: 'abort' })
  }

  /** Resolves when no worker is left. */
  async kill(): Promise<void> {
    this.#closing ??= Promise.resolve()
    const gone = this.#allGone()
    for (const { worker } of this.#members.values()) worker.process.kill('SIGKILL')
    await gone
    await this.#end()
  }

  #fork(): void {
    const { workers } = this.#options
    const worker = cluster.fork({ [WORKER_VARIABLE]: String(workers) })
    // A message to one that has just gone; its end is heard of.
    worker.on('error', () => {})
    this.#members.set(worker, new Member(worker))
  }

  async #heard(member: Member, message: ToPrimary): Promise<void> {
    switch (message.type) {
      case 'question':
        return this.#answer(member, message.id, message.question)
      case 'tell':
        try {
          this.#states.call(member.name, message.name, message.method, message.args)
        } catch (error) {
          this.#options.log.error('the shared state of a plugin failed', { state: message.name, error })
        }
        return undefined
      case 'hearing':
        member.isHearing = true
        return undefined
      case 'ready':
        member.details = message.details
        this.#replacements.started()
        this.#mayBeReady()
        return undefined
      case 'failed':
        member.problems = message.problems
        this.failureDetail = message.detail
        return undefined
      case 'failing':
        member.isEnding = true
        member.listeners.clear()
        return undefined
      case 'left':
        return member.has(message.received, message.connections)
      case 'stopListening':
        member.listeners.delete(message.listener)
        return undefined
      default:
        return this.#hear?.(member, message)
    }
  }

  async #answer(member: Member, id: number, question: Question): Promise<void> {
    try {
      member.send({ type: 'answer', id, value: await this.#valueOf(member, question) })
    } catch (error) {
      member.send({ type: 'answer', id, problems: problemsOf(error) })
    }
  }

  async #valueOf(member: Member, question: Question): Promise<unknown> {
    if (question.ask === 'state') return this.#states.call(member.name, question.name, question.method, question.args)
    if (question.ask === 'open') return this.#states.open(question.name, question.module, question.options)
    const address = await this.#listeners.listen(question.listener, question.options)
    member.listeners.add(question.listener)
    this.#listeners.dispatchWaiting()
    return address
  }

  #mayBeReady(): void {
    const members = [...this.#members.values()]
    const [first] = members
    if (first?.details === undefined || members.some(({ details }) => details === undefined)) return
    this.#starting?.ready(first.details)
    this.#starting = undefined
  }

  #exited(member: Member, code: number, signal: string | null): void {
    const { log } = this.#options
    this.#members.delete(member.worker)
    this.#states.left(member.name)
    const { name, problems, details, startedAtMs } = member
    if (this.#members.size === 0) this.#ended?.()
    if (this.isClosing) return
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`
    if (this.#starting !== undefined) {
      const message = `Worker ${name} ended ${how} before it was ready`
      this.#starting.failed(problems === undefined ? new DicomtapError('DICOMTAP_ERR_NET_PROCESS', message) : errorOf(problems))
      return
    }
    const why = problems?.map(({ message }) => message).join('; ')
    const againInMs = this.#replacements.ended({ wasReady: details !== undefined, ranMs: performance.now() - startedAtMs, how: why ?? how })
    const { connections, worker } = member
    log.error(details === undefined ? 'a worker did not start' : 'a worker ended, and its associations with it', {
      ended: name,
      pid: worker.process.pid,
      ...(signal === null ? { exitCode: code } : { signal }),
      ...(details === undefined ? { why } : { connections }),
      ...(againInMs === undefined ? {} : { replacedInMs: againInMs }),
    })
  }

  async #close(signal: string | undefined, deadlineMs: number): Promise<void> {
    const { log, closeMarginMs } = this.#options
    this.#replacements.stop()
    const killAfterMs = deadlineMs + closeMarginMs
    const gone = this.#allGone()
    const timer = setTimeout(() => this.#killSlow(killAfterMs), killAfterMs)
    for (const member of this.#members.values()) member.isEnding = member.details === undefined
    if (signal !== undefined) {
      const counts = await this.#census({ type: 'count' }, CENSUS_MS, (message) => (message.type === 'counted' ? message.associations : undefined))
      const associations = counts.reduce((sum, count) => sum + count, 0)
      log.info(`${signal}: closing, new associations are refused`, waitingFor(associations, deadlineMs))
    }
    this.#logsAreClosing = true
    this.#toAll({ type: 'close', deadlineMs })
    // It has begun nothing yet.
    for (const { isHearing, worker } of this.#members.values()) if (!isHearing) worker.process.kill('SIGKILL')
    await gone
    clearTimeout(timer)
    await this.#end()
    if (this.#killed.length > 0) throw new Error(`${this.#killed.join(', ')} did not end within ${killAfterMs} ms and had to be killed`)
  }

  #killSlow(afterMs: number): void {
    for (const { name, worker } of this.#members.values()) {
      this.#killed.push(name)
      this.#options.log.error('a worker does not end and is killed', { ended: name, pid: worker.process.pid, afterMs })
      worker.process.kill('SIGKILL')
    }
  }

  async #end(): Promise<void> {
    this.#listeners.close()
    await this.#states.dispose()
  }

  #allGone(): Promise<void> {
    if (this.#members.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#ended = resolve))
  }

  #toAll(message: ToWorker): void {
    for (const member of this.#members.values()) member.send(message)
  }

  /** Asks all workers and waits for their answers; those that do not answer in time, or end, are left out. */
  #census<T>(question: ToWorker, withinMs: number, answerOf: (message: ToPrimary) => T | undefined): Promise<readonly T[]> {
    return new Promise((resolve) => {
      const asked = new Set([...this.#members.values()].filter(({ details }) => details !== undefined))
      const answers: T[] = []
      const done = (): void => {
        clearTimeout(timer)
        this.#hear = undefined
        resolve(answers)
      }
      const timer = setTimeout(done, withinMs)
      this.#hear = (member, message) => {
        const answer = answerOf(message)
        if (answer === undefined || !asked.delete(member)) return
        answers.push(answer)
        if (asked.size === 0) done()
      }
      for (const member of asked) member.send(question)
      if (asked.size === 0) done()
    })
  }
}
