import type { DataSetBytes } from '../fragmenter.ts'
import type { Invocation, OutgoingRequest } from './invocation.ts'

/** What becomes of a request whose turn has come. */
interface Turn {
  /** Sends a request that is ready. */
  send(invocation: Invocation, request: OutgoingRequest, dataSet: DataSetBytes | undefined): void
  /** It could not be made; nothing of it was sent. */
  fail(invocation: Invocation, error: unknown): void
}

/** In a wide window, or one without an end, the others are read one after the other: not all fit into memory. */
const MAXIMUM_AT_ONCE = 16

/**
 * The asynchronous operations window (PS3.7 D.3.3.3): as many requests at once as were negotiated, the
 * others in line behind them. Data sets are made when their turn comes, that of the next in line while the
 * peer works on the others: so one that waits long costs neither an open file nor its bytes.
 */
export class RequestWindow {
  readonly #width: number
  readonly #turn: Turn
  readonly #waiting = new Set<Invocation>()
  /** In a slot: being prepared, being sent, or sent. */
  readonly #placed = new Set<Invocation>()
  #isClosed = false

  constructor(width: number, turn: Turn) {
    this.#width = width
    this.#turn = turn
  }

  /** Requests in it and in line. */
  get size(): number {
    return this.#placed.size + this.#waiting.size
  }

  /** Would a request be sent or made ready at once? */
  get isNextAtOnce(): boolean {
    return !this.#isClosed && this.#waiting.size === 0 && this.#placed.size < MAXIMUM_AT_ONCE
  }

  add(invocation: Invocation): void {
    this.#waiting.add(invocation)
    this.#advance()
  }

  /** Takes a request out, wherever it is; the next one has its turn. */
  remove(invocation: Invocation): void {
    this.#placed.delete(invocation)
    this.#waiting.delete(invocation)
    this.#advance()
  }

  /** None has its turn any more. Returns those that are in it and in line. */
  close(): readonly Invocation[] {
    this.#isClosed = true
    return [...this.#placed, ...this.#waiting]
  }

  #advance(): void {
    if (this.#isClosed) return
    while (this.#placed.size < this.#width) {
      const [next] = this.#waiting
      if (next === undefined) return
      this.#waiting.delete(next)
      this.#placed.add(next)
      this.#start(next)
    }
    const [next] = this.#waiting
    if (next !== undefined) this.#prepare(next)
  }

  #start(invocation: Invocation): void {
    const { request, prepared } = invocation
    invocation.state = 'preparing'
    if (prepared !== undefined) this.#turn.send(invocation, prepared.request, prepared.dataSet)
    else if (isReady(request)) this.#turn.send(invocation, request, undefined)
    else this.#prepare(invocation)
  }

  #prepare(invocation: Invocation): void {
    const { request } = invocation
    if (invocation.isPreparing || isReady(request)) return
    invocation.isPreparing = true
    if (request instanceof Promise) void this.#whenMade(invocation, request)
    else this.#makeDataSet(invocation, request)
  }

  /** In the same turn where that is possible. */
  #makeDataSet(invocation: Invocation, request: OutgoingRequest): void {
    let dataSet: ReturnType<NonNullable<OutgoingRequest['dataSet']>>
    try {
      dataSet = request.dataSet?.()
    } catch (error) {
      this.#turn.fail(invocation, error)
      return
    }
    if (dataSet instanceof Promise) void this.#whenMade(invocation, request, dataSet)
    else this.#made(invocation, request, dataSet)
  }

  async #whenMade(invocation: Invocation, pending: Invocation['request'], making?: Promise<DataSetBytes | undefined>): Promise<void> {
    try {
      const request = await pending
      if (invocation.state === 'over') return
      this.#made(invocation, request, await (making ?? request.dataSet?.()))
    } catch (error) {
      this.#turn.fail(invocation, error)
    }
  }

  #made(invocation: Invocation, request: OutgoingRequest, dataSet: DataSetBytes | undefined): void {
    // Given up meanwhile: who made the data set lets it go.
    if (invocation.state === 'waiting') invocation.prepared = { request, dataSet }
    else if (invocation.state === 'preparing') this.#turn.send(invocation, request, dataSet)
  }
}

/** Can it be sent without waiting for anything? */
function isReady(request: Invocation['request']): request is OutgoingRequest {
  return !(request instanceof Promise) && request.dataSet === undefined
}
