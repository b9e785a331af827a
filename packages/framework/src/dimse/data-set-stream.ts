import { decodeDataSet } from '../dataset/index.ts'
import type { DecodeOptions } from '../dataset/index.ts'
import type { DataSet } from '../dataset/types.ts'
import { DicomtapError, faultOfPeer } from '../errors/index.ts'
import type { GatheredBytes } from './gathered-bytes.ts'
import type { DataSetSink, IncomingDataSet } from './incoming-data-set.ts'
import type { ReceiveFlow } from './receive-flow.ts'

/** Limits on a data set that is taken whole, besides its size. */
export interface GatherLimits extends Omit<DecodeOptions, 'maximumInflatedBytes'> {
  /** Counts what all associations hold, up to `maximumGatheredBytes`. */
  readonly gathered?: GatheredBytes | undefined
  readonly maximumGatheredBytes?: number | undefined
}

/** Smaller fragments that wait share memory: one of a byte would cost a hundred. */
const SHARE_BELOW_BYTES = 256
const SHARED_BYTES = 1_024
/** Stands where a fragment was that its reader has. */
const TAKEN = Buffer.alloc(0)
/** So many of these are no matter. */
const MANY_TAKEN = 64

const NONE: readonly Buffer[] = []

interface Pipe {
  readonly sink: DataSetSink
  readonly resolve: (bytes: number) => void
  readonly reject: (error: unknown) => void
}

/** The receiving end of a data set: the assembler pushes fragments, one consumer takes them. */
export class DataSetStream implements IncomingDataSet {
  readonly transferSyntaxUid: string
  readonly #flow: ReceiveFlow
  readonly #maximumBytes: number
  readonly #limits: GatherLimits
  /** Counted in `gathered`, until the request is answered. */
  #heldBytes = 0
  #isAnswered = false
  #fragments: Buffer[] = []
  /** What the read under way has brought so far, for a sink that waits for it: not kept, and in most cases never. */
  #lent: Buffer[] = []
  /** Where `bytes` goes on in `fragments`: taking them off the front one by one costs more the more there are. */
  #position = 0
  /** Memory that small fragments share, and its used part while that is the last of `fragments`. */
  #shared: { readonly memory: Buffer; part: Buffer } | undefined
  #receivedBytes = 0
  #isEnded = false
  /** The association ended first. */
  #error: DicomtapError | undefined
  /** Fragments that its consumer should have had were discarded. */
  #loss: DicomtapError | undefined
  #isDiscarded = false
  #isTaken = false
  #pipe: Pipe | undefined
  #isWriting = false
  /** What the sink is writing. */
  #inFlight: readonly Buffer[] = NONE
  #wakeReader: (() => void) | undefined
  #settled: (() => void)[] | undefined
  #buffer: Promise<Buffer> | undefined
  #dataset: Promise<DataSet> | undefined
  #mapDataSet: ((dataset: DataSet) => Promise<DataSet>) | undefined

  constructor(transferSyntaxUid: string, flow: ReceiveFlow, maximumBytes: number, limits: GatherLimits = {}) {
    this.transferSyntaxUid = transferSyntaxUid
    this.#flow = flow
    this.#maximumBytes = maximumBytes
    this.#limits = limits
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** True when the last fragment arrived, or none will arrive any more. */
  get isSettled(): boolean {
    return this.#isEnded || this.#error !== undefined
  }

  /** The association ended first. */
  get isTruncated(): boolean {
    return this.#error !== undefined
  }

  /** Runs on what `dataset()` decodes, e.g. the `findIdentifier` transform. */
  set mapDataSet(map: (dataset: DataSet) => Promise<DataSet>) {
    this.#mapDataSet = map
  }

  bytes(): AsyncIterable<Uint8Array> {
    this.#take()
    return this.#iterate()
  }

  buffer(maximumBytes: number = this.#maximumBytes): Promise<Buffer> {
    this.#buffer ??= unwatched(this.#gather(maximumBytes))
    return this.#buffer
  }

  dataset(): Promise<DataSet> {
    this.#dataset ??= unwatched(this.#decode())
    return this.#dataset
  }

  pipeTo(sink: DataSetSink): Promise<number> {
    return unwatched(
      new Promise((resolve, reject) => {
        this.#take()
        this.#pipe = { sink, resolve, reject }
        this.#pump()
      }),
    )
  }

  push(fragment: Buffer, isEnd: boolean): void {
    this.#receivedBytes += fragment.length
    if (isEnd) this.#isEnded = true
    if (!this.#isDiscarded && fragment.length > 0) {
      if (this.#isSinkWaiting && this.#flow.isPinnable(fragment)) this.#lent.push(fragment)
      else this.#keep(fragment)
    }
    if (isEnd) this.handOver()
    if (this.#pipe === undefined) this.#wakeReader?.()
    if (isEnd) this.#settle()
  }

  /** Gives the sink what was lent to it: afterwards the memory may be read into again. */
  handOver(): void {
    const pipe = this.#pipe
    if (pipe === undefined) return
    const lent = this.#lent
    if (lent.length > 0) {
      this.#lent = []
      this.#write(pipe, lent, true)
    }
    this.#pump()
  }

  /** No more fragments will come: the association ended. */
  fail(error: DicomtapError): void {
    if (this.isSettled) return
    this.#error = error
    this.#lent = []
    if (this.#pipe !== undefined) this.#pump()
    else this.#wakeReader?.()
    this.#settle()
  }

  /**
   * The request is answered: drops what nobody will take, so that the messages behind it can be read. A
   * consumer that has not got everything gets an error, never an end that looks complete.
   */
  discard(): void {
    this.#limits.gathered?.give(this.#heldBytes)
    this.#heldBytes = 0
    this.#isAnswered = true
    if (this.#isDiscarded) return
    if (!this.#isEnded || this.#position < this.#fragments.length || this.#lent.length > 0) {
      this.#loss = new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', 'The request was answered before its data set was read')
    }
    this.#drop()
    // A write that never ends must not keep the association from being read.
    for (const fragment of this.#inFlight) this.#flow.abandon(fragment)
    this.#inFlight = NONE
    if (this.#pipe !== undefined) this.#pump()
    else this.#wakeReader?.()
  }

  /** Resolves when the last fragment arrived or none will arrive any more. */
  settled(): Promise<void> {
    if (this.isSettled) return Promise.resolve()
    return new Promise((resolve) => (this.#settled ??= []).push(resolve))
  }

  /** It has got everything before, and takes fragments as they come. */
  get #isSinkWaiting(): boolean {
    return this.#pipe !== undefined && !this.#isWriting && this.#fragments.length === 0
  }

  #take(): void {
    if (this.#isTaken) throw new DicomtapError('DICOMTAP_ERR_DIMSE_CONSUMED', 'The data set was read already')
    this.#isTaken = true
  }

  #keep(fragment: Buffer): void {
    const last = this.#fragments.length - 1
    if (fragment.length >= SHARE_BELOW_BYTES || last < 0) {
      this.#fragments.push(this.#flow.keep(fragment))
      return
    }
    const before = this.#fragments[last] === this.#shared?.part ? this.#shared : undefined
    if (before !== undefined && before.part.length + fragment.length <= SHARED_BYTES) {
      before.part = before.memory.subarray(0, before.part.length + fragment.copy(before.memory, before.part.length))
      this.#fragments[last] = before.part
      this.#flow.grow(fragment.length)
    } else {
      const memory = Buffer.allocUnsafeSlow(SHARED_BYTES)
      this.#shared = { memory, part: memory.subarray(0, fragment.copy(memory)) }
      this.#fragments.push(this.#shared.part)
      this.#flow.adopt(this.#shared.part)
    }
  }

  #settle(): void {
    for (const resolve of this.#settled ?? []) resolve()
    this.#settled = undefined
  }

  #drop(): void {
    this.#isDiscarded = true
    this.#free(this.#position === 0 ? this.#fragments : this.#fragments.slice(this.#position))
    this.#fragments = []
    this.#position = 0
    this.#lent = []
  }

  #pump(): void {
    const pipe = this.#pipe
    while (pipe !== undefined && !this.#isWriting) {
      const error = this.#error ?? this.#loss
      if (error !== undefined) {
        this.#endPipe(pipe)
        this.#drop()
        pipe.reject(error)
        return
      }
      if (this.#fragments.length === 0) {
        if (!this.#isEnded) return
        this.#endPipe(pipe)
        pipe.resolve(this.#receivedBytes)
        return
      }
      const fragments = this.#fragments
      this.#fragments = []
      this.#write(pipe, fragments, false)
    }
  }

  /** @param areLent the fragments are not kept */
  #write(pipe: Pipe, fragments: readonly Buffer[], areLent: boolean): void {
    try {
      const written = pipe.sink.write(fragments)
      if (written === undefined) {
        if (!areLent) this.#free(fragments)
        return
      }
      if (areLent) for (const fragment of fragments) this.#flow.pin(fragment)
      this.#isWriting = true
      this.#inFlight = fragments
      written.then(
        () => {
          this.#isWriting = false
          this.#freeWritten()
          this.#pump()
        },
        (error: unknown) => {
          this.#isWriting = false
          this.#freeWritten()
          this.#failPipe(pipe, error)
        },
      )
    } catch (error) {
      if (!areLent) this.#free(fragments)
      this.#failPipe(pipe, error)
    }
  }

  #freeWritten(): void {
    this.#free(this.#inFlight)
    this.#inFlight = NONE
  }

  #failPipe(pipe: Pipe, error: unknown): void {
    this.#endPipe(pipe)
    this.#drop()
    pipe.reject(error)
  }

  #endPipe(pipe: Pipe): void {
    if (this.#pipe === pipe) this.#pipe = undefined
  }

  #free(fragments: readonly Buffer[]): void {
    for (const fragment of fragments) this.#flow.release(fragment)
  }

  async *#iterate(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const fragment = this.#nextFragment()
        if (fragment !== undefined) {
          yield this.#flow.giveAway(fragment)
          continue
        }
        const error = this.#error ?? this.#loss
        if (error !== undefined) throw error
        if (this.#isEnded) return
        await new Promise<void>((resolve) => (this.#wakeReader = resolve))
        this.#wakeReader = undefined
      }
    } finally {
      this.#drop()
    }
  }

  #nextFragment(): Buffer | undefined {
    const fragment = this.#fragments[this.#position]
    if (fragment === undefined) return undefined
    // A reader that is slower than the network never gets to the end: what it has taken must not wait for that.
    this.#fragments[this.#position] = TAKEN
    this.#position += 1
    if (this.#position === this.#fragments.length) {
      this.#fragments = []
      this.#position = 0
    } else if (this.#position >= MANY_TAKEN && 2 * this.#position >= this.#fragments.length) {
      this.#fragments.splice(0, this.#position)
      this.#position = 0
    }
    return fragment
  }

  async #gather(maximumBytes: number): Promise<Buffer> {
    this.#take()
    const gathered: Uint8Array[] = []
    let length = 0
    for await (const fragment of this.#iterate()) {
      length += fragment.length
      if (length > maximumBytes) {
        throw faultOfPeer(new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `The data set is larger than ${maximumBytes} bytes`))
      }
      this.#hold(fragment.length)
      gathered.push(fragment)
    }
    return Buffer.concat(gathered, length)
  }

  /** Counts what is held for the request until it is answered. */
  #hold(bytes: number): void {
    const { gathered, maximumGatheredBytes = Number.POSITIVE_INFINITY } = this.#limits
    // Of a request that is answered nothing is counted: whoever decodes on does so at his own cost.
    if (gathered === undefined || this.#isAnswered) return
    if (!gathered.take(bytes, maximumGatheredBytes)) {
      throw faultOfPeer(new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `The data sets of all requests take more than ${maximumGatheredBytes} bytes`))
    }
    this.#heldBytes += bytes
  }

  async #decode(): Promise<DataSet> {
    const bytes = await this.buffer()
    const claimMemory = (more: number): void => {
      this.#hold(more)
    }
    const options = { ...this.#limits, maximumInflatedBytes: this.#maximumBytes, claimMemory }
    const dataset = await decodeDataSet(bytes, this.transferSyntaxUid, options).catch((error: unknown) => {
      throw faultOfPeer(error)
    })
    return this.#mapDataSet === undefined ? dataset : this.#mapDataSet(dataset)
  }
}

/** A handler that does not wait for a promise must not end the process when it rejects. */
function unwatched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
