import { DicomtapError, PduError } from '../errors/index.ts'
import type { AbortReason } from '../errors/index.ts'
import { decodePdu } from '../pdu/decode.ts'
import { encodePdu } from '../pdu/encode.ts'
import { PduFramer } from '../pdu/framer.ts'
import type { FramerHandler } from '../pdu/framer.ts'
import { PDU_HEADER_BYTES, PDV_HEADER_BYTES } from '../pdu/limits.ts'
import type { AAssociateRq, Pdu } from '../pdu/types.ts'
import { ACTIONS } from './actions.ts'
import type { ActionContext, EventPayload } from './actions.ts'
import { ArtimTimer } from './artim-timer.ts'
import { step } from './fsm.ts'
import { IndicationQueue } from './indication-queue.ts'
import type { DulIndication } from './indication-queue.ts'
import { Inflow } from './inflow.ts'
import { resolveDulOptions } from './options.ts'
import type { AdoptedLimits, DulOptions, ResolvedDulOptions } from './options.ts'
import { Outflow } from './outflow.ts'
import { PDataObservation } from './p-data-observation.ts'
import { PDU_EVENTS, protocolVersionRejection, REQUEST_EVENTS } from './primitives.ts'
import type { DulRequest } from './primitives.ts'
import { SilenceWatch } from './silence-watch.ts'
import type { SilenceHost } from './silence-watch.ts'
import { StateDeadline } from './state-deadline.ts'
import type { DulEvent, DulState } from './transition-table.ts'
import { Transport } from './transport.ts'
import type { TransportHandler, TransportSocket } from './transport.ts'
import type { DulObserver, DulUser } from './user.ts'

/** A chunk of this size that ends in a header has brought something else as well. */
const HEADERS_BYTES = PDU_HEADER_BYTES + PDV_HEADER_BYTES

const KIB_BITS = 10

/**
 * The DICOM upper layer service provider of one connection (PS3.8): socket, framer, state machine and
 * ARTIM wired together, in either role. Above it an {@link Association} is its user; alone, it can be
 * driven with `send` and `receive`.
 *
 * @example
 * const dul = new DulServiceProvider({ connect: () => net.connect(104, 'pacs') })
 * await dul.send(associateRequest)
 * const answer = await dul.receive(30_000) // { type: 'A-ASSOCIATE-AC', ... }
 */
export class DulServiceProvider implements TransportHandler, FramerHandler, ActionContext, SilenceHost {
  readonly isRequestor: boolean
  readonly user: DulUser
  readonly artim: ArtimTimer
  readonly #connect: DulOptions['connect']
  readonly #limits: ResolvedDulOptions
  readonly #observer: DulObserver | undefined
  readonly #framer: PduFramer
  readonly #queue: IndicationQueue | undefined
  readonly #deadline: StateDeadline
  readonly #observation: PDataObservation
  readonly #inflow: Inflow
  readonly #outflow: Outflow
  readonly #silence: SilenceWatch
  readonly #killers: (() => void)[] = []
  #transport: Transport | undefined
  #state: DulState = 'Sta1'
  #associateRequest: AAssociateRq | undefined
  #isKilled = false
  #isClosing = false
  #isTransportGone = false
  /** Inside a P-DATA-TF that arrived in a state that takes it. */
  #acceptsPData = false

  constructor(options: DulOptions) {
    const limits = resolveDulOptions(options)
    this.#limits = limits
    this.#connect = options.connect
    this.isRequestor = options.connect !== undefined
    this.#observer = options.observer
    if (options.user === undefined) {
      this.#queue = new IndicationQueue(limits.receiveQueueBytes, this)
      this.user = this.#queue
    } else {
      this.user = options.user
    }
    this.artim = new ArtimTimer(limits.acseTimeoutMs, () => void this.#dispatch('Evt18', { message: 'ARTIM expired' }))
    this.#deadline = new StateDeadline(limits, (message) => this.unanswered(message))
    this.#framer = new PduFramer(this, limits)
    this.#observation = new PDataObservation()
    const transport = (): Transport | undefined => this.#transport
    this.#inflow = new Inflow({ walk: (chunk) => this.#walk(chunk), interrupt: () => this.#framer.interrupt() }, transport)
    const { networkTimeoutMs: timeoutMs, minimumProgressBytes: minimumBytes } = limits
    this.#outflow = new Outflow({ timeoutMs, minimumBytes }, transport)
    this.#silence = new SilenceWatch(timeoutMs, this)
    if (options.socket !== undefined) this.accept(options.socket)
  }

  /** Acceptor: takes the connection that arrived (Evt5). */
  accept(socket: TransportSocket): void {
    this.#transport = new Transport(socket, this, true)
    this.#dispatch('Evt5', {})
    if (this.#isKilled) this.#transport.destroy()
  }

  /** Other limits than those it was made with hold from now on. */
  adopt({ networkTimeoutMs, maximumPduBytes, minimumProgressBytes }: AdoptedLimits): void {
    this.#framer.maximumPduBytes = maximumPduBytes
    this.#outflow.adopt({ timeoutMs: networkTimeoutMs, minimumBytes: minimumProgressBytes })
    this.#silence.adopt(this.#isTransportGone ? null : networkTimeoutMs)
  }

  get state(): DulState {
    return this.#state
  }

  get isKilled(): boolean {
    return this.#isKilled
  }

  /** The connection's addresses; undefined before AE-1. */
  get transport(): Transport | undefined {
    return this.#transport
  }

  /** False while the peer does not take what was written: wait for {@link drained}. */
  get isWritable(): boolean {
    return this.#outflow.isWritable
  }

  /**
   * Issues a request or response primitive. Resolves when the socket has room again.
   * @throws DICOMTAP_ERR_DUL_STATE when the primitive has no cell in table 9-10 for the current state.
   */
  async send(request: DulRequest): Promise<void> {
    if (request.type === 'P-DATA') {
      for await (const pdu of request.pdus) {
        this.sendPData(encodePdu(pdu))
        if (!this.isWritable) await this.drained()
      }
      return
    }
    if (request.type === 'P-DATA-TF') this.sendPData(encodePdu(request))
    else this.issue(request)
    if (!this.isWritable) await this.drained()
  }

  /** As `send` for everything but P-DATA, without waiting for room. @param bytes the request encoded, where that was done before */
  issue(request: Exclude<DulRequest, { type: 'P-DATA' | 'P-DATA-TF' }>, bytes?: Uint8Array): void {
    if (request.type === 'A-ASSOCIATE-RQ') this.#associateRequest = request
    if (!this.#dispatch(REQUEST_EVENTS[request.type], { pdu: request, bytes })) throw this.#stateError(request.type)
  }

  /**
   * Writes an encoded P-DATA-TF (DT-1, AR-7), optionally as header and body. Returns false when the
   * caller should wait for `drained` before the next one.
   * @param left called when the memory may be used again; not when the connection is lost before
   * @throws DICOMTAP_ERR_DUL_STATE outside Sta6 and Sta8.
   */
  sendPData(header: Uint8Array, body?: Uint8Array, left?: () => void): boolean {
    const { action, nextState } = step(this.#state, 'Evt9', this.isRequestor, true) ?? {}
    if (action === undefined || nextState === undefined || this.#transport === undefined) throw this.#stateError('P-DATA')
    const isRoomLeft = this.#outflow.write(this.#transport, header, body, left)
    const observer = this.#observer
    if (observer !== undefined) {
      observer.dataSent(header)
      if (body !== undefined) observer.dataSent(body)
      if (observer.wantsPData) observer.pduSent(this.#observation.ofSent(header))
      observer.stateChanged(this.#state, 'Evt9', action, nextState)
    }
    this.#silence.interrupted()
    return isRoomLeft
  }

  /** Is anybody told of each P-DATA-TF that is sent? Then each has to be given to `sendPData`. */
  get isPDataSentWatched(): boolean {
    return this.#observer !== undefined && this.#observer.watchesPDataSent !== false
  }

  /**
   * As `sendPData` for all P-DATA-TFs of a message, in one system call, when `isPDataSentWatched` is false.
   * @throws DICOMTAP_ERR_DUL_STATE outside Sta6 and Sta8.
   */
  sendMessage(pieces: readonly Uint8Array[], left?: () => void): boolean {
    if (step(this.#state, 'Evt9', this.isRequestor, true) === undefined || this.#transport === undefined) throw this.#stateError('P-DATA')
    const isRoomLeft = this.#outflow.writeAll(this.#transport, pieces, left)
    this.#silence.interrupted()
    return isRoomLeft
  }

  /** What `write` sends leaves in one system call. */
  together(write: () => void): void {
    this.#outflow.together(write)
  }

  /** Resolves when the socket takes data again, or is gone. */
  drained(): Promise<void> {
    return this.#outflow.drained()
  }

  /**
   * The next indication, for use without a `user`.
   * @throws DICOMTAP_ERR_DUL_TIMEOUT when none arrived within `timeoutMs`; DICOMTAP_ERR_DUL_KILLED after `kill`.
   */
  receive(timeoutMs: number | null = null): Promise<DulIndication> {
    if (this.#queue === undefined) {
      return Promise.reject(new DicomtapError('DICOMTAP_ERR_DUL_STATE', 'receive() is for providers without a user'))
    }
    return this.#queue.receive(timeoutMs)
  }

  /** Stops an idle provider. Returns false, and does nothing, unless the state is Sta1. */
  stop(): boolean {
    if (this.#state !== 'Sta1') return false
    this.#stopTimers()
    return true
  }

  /** Cuts the connection whatever the state; resolves when it is gone. No A-ABORT is sent. */
  async kill(): Promise<void> {
    this.#isKilled = true
    this.#stopReading()
    const transport = this.#transport
    if (transport !== undefined && !this.#isTransportGone) {
      const gone = new Promise<void>((resolve) => this.#killers.push(resolve))
      transport.destroy()
      // A socket that a plugin made may never say that it has closed.
      this.#stopTimers()
      await gone
    }
    this.#finish()
  }

  /** Back-pressure: nothing is read until `resumeReceiving`. */
  pauseReceiving(): void {
    this.#inflow.pause()
  }
  /** As `pauseReceiving`, and what was read already waits too. */
  holdReceiving(): void {
    this.#inflow.hold()
  }
  resumeReceiving(): void {
    this.#inflow.resume()
    this.#silence.interrupted()
  }

  /** The user found the peer's bytes invalid (a PDV, a command set): Evt19, as for an invalid PDU. */
  protocolError(reason: AbortReason, message: string): void {
    this.#stopReading()
    this.#dispatch('Evt19', { reason, message })
  }

  // ActionContext

  connect(): void {
    const socket = (this.#connect as () => TransportSocket)()
    this.#transport = new Transport(socket, this, false)
  }

  sendPdu(pdu: Pdu, bytes: Uint8Array = encodePdu(pdu)): void {
    if (this.#transport === undefined) return
    this.#outflow.write(this.#transport, bytes)
    this.#silence.interrupted()
    this.#observer?.dataSent(bytes)
    this.#observer?.pduSent(pdu)
  }

  closeTransport(): void {
    this.#isClosing = true
    this.#stopReading()
    if (this.#transport !== undefined) this.#transport.close()
    // By an observer of what comes before AE-1: there will be none that could close.
    else process.nextTick(() => this.#transport ?? this.transportClosed(undefined))
  }

  // SilenceHost

  get openTransport(): Transport | undefined {
    return this.#isTransportGone ? undefined : this.#transport
  }
  get isMidPdu(): boolean {
    return this.#framer.isMidPdu
  }

  unanswered(message: string): void {
    if (this.#state === 'Sta4') {
      this.user.abortIndication({ source: undefined, reason: 0, by: 'network', message, isTimeout: true })
      this.#dispatch('Evt15', { pdu: { type: 'A-ABORT', source: 0, reason: 0 } })
      return
    }
    this.#dispatch('Evt15', { pdu: { type: 'A-ABORT', source: 2, reason: 0 } })
    this.user.abortIndication({ source: 2, reason: 0, by: 'local', message, isTimeout: true })
  }

  silent(isMidPdu: boolean): void {
    if (!this.user.silenceIndication(isMidPdu)) return
    const message = isMidPdu ? 'The peer stopped in the middle of a PDU' : 'The association was idle for too long'
    this.#dispatch('Evt15', { pdu: { type: 'A-ABORT', source: 2, reason: 0 } })
    this.user.abortIndication({ source: 2, reason: 0, by: 'local', message })
  }

  // TransportHandler

  transportConnected(): void {
    this.#observer?.connectionOpened()
    this.#dispatch('Evt2', this.#associateRequest === undefined ? {} : { pdu: this.#associateRequest })
  }

  transportData(chunk: Buffer): void {
    this.#observer?.dataReceived(chunk)
    this.#inflow.receive(chunk)
  }

  transportDrained(): void {
    this.#silence.interrupted()
    this.#outflow.goOn()
  }

  transportClosed(error: Error | undefined): void {
    if (this.#isTransportGone) return
    this.#isTransportGone = true
    this.#stopReading()
    this.#dispatch('Evt17', { error })
    this.#finish()
    this.user.closedIndication()
  }

  // FramerHandler

  pdu(type: number, body: Uint8Array): void {
    this.#inflow.spend()
    const pdu = decodePdu(type, body, this.#limits.associateLimits)
    this.#observer?.pduReceived(pdu)
    // An observer may have closed the connection.
    if (this.#isClosing || this.#isKilled) return
    const rejection = pdu.type === 'A-ASSOCIATE-RQ' ? protocolVersionRejection(pdu) : undefined
    this.#dispatch(PDU_EVENTS[pdu.type], { pdu, rejection, message: `Unexpected ${pdu.type} in ${this.#state}` })
  }

  pDataStart(lengthBytes: number): void {
    const state = this.#state
    this.#acceptsPData = state === 'Sta6' || state === 'Sta7'
    if (this.#acceptsPData) {
      this.#observer?.stateChanged(state, 'Evt10', state === 'Sta6' ? 'DT-2' : 'AR-6', state)
      if (this.#observer?.wantsPData === true) this.#observation.start(lengthBytes)
    } else {
      this.#dispatch('Evt10', { message: `Unexpected P-DATA-TF in ${state}` })
    }
  }

  pdvFragment(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    // A command set is decoded, a data set passes through.
    this.#inflow.spend(isCommand ? 1 + (fragment.length >>> KIB_BITS) : 1)
    if (!this.#acceptsPData) return
    if (this.#observer?.wantsPData === true) this.#observation.add(id, isCommand, isLast, fragment.length, first)
    this.user.pDataIndication(id, isCommand, isLast, fragment, first, end)
  }

  pDataEnd(): void {
    if (this.#acceptsPData && this.#observer?.wantsPData === true) this.#observer.pduReceived(this.#observation.end())
    this.#acceptsPData = false
  }

  #walk(chunk: Buffer): number {
    let takenBytes = chunk.length
    try {
      try {
        takenBytes = this.#framer.push(chunk)
      } finally {
        this.user.readIndication()
      }
    } catch (error) {
      if (!(error instanceof PduError)) throw error
      this.#dispatch('Evt19', { reason: error.abortReason, message: error.message })
    }
    // A header that trickles keeps no association alive, nor does a PDU that has no business there.
    if (!this.#framer.isInFraming || (takenBytes >= HEADERS_BYTES && !this.#framer.isInBody)) this.#silence.interrupted()
    return takenBytes
  }

  #stopReading(): void {
    this.#framer.stop()
    this.#inflow.stop()
  }

  /** Runs one event through the machine. False when table 9-10 has no cell for it. */
  #dispatch(event: DulEvent, payload: EventPayload): boolean {
    const current = this.#state
    const transition = step(current, event, this.isRequestor, payload.rejection === undefined)
    if (transition === undefined) return false
    const { action, nextState } = transition
    this.#state = nextState
    // An abort in the middle of a P-DATA-TF: what is left of it is nobody's.
    if (nextState !== 'Sta6' && nextState !== 'Sta7') this.#acceptsPData = false
    this.#deadline.enter(nextState)
    const buffers = this.#transport?.readBuffers
    if (buffers !== undefined) buffers.isLarge = nextState === 'Sta6' || nextState === 'Sta7'
    // Sta13 waits for the peer to close: it must be read to be seen.
    if (nextState === 'Sta13') this.#inflow.resume()
    // Before the action, because the action may make the user issue the next primitive at once.
    this.#observer?.stateChanged(current, event, action, nextState)
    // An observer that aborted the association leaves nothing to do: its A-ABORT has been sent.
    if (this.#state === nextState) ACTIONS[action](this, payload, nextState)
    return true
  }

  #stopTimers(): void {
    this.artim.stop()
    this.#deadline.stop()
    this.#silence.stop()
    this.#outflow.stopWatching()
  }

  #finish(): void {
    this.#stopTimers()
    this.#outflow.end()
    for (const resolve of this.#killers.splice(0)) resolve()
    if (this.#isKilled) this.#queue?.killed()
  }

  #stateError(primitive: string): DicomtapError {
    return new DicomtapError('DICOMTAP_ERR_DUL_STATE', `${primitive} cannot be issued in ${this.#state}`)
  }
}
