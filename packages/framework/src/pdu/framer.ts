import { PDU_HEADER_BYTES, PDV_HEADER_BYTES } from './limits.ts'
import { PduType } from './types.ts'
import { failMalformed, failTooLarge, failUnrecognizedPdu, failValue } from './violations.ts'

/** What a {@link PduFramer} calls while it walks the bytes of a peer. */
export interface FramerHandler {
  /** A whole PDU other than P-DATA-TF. `body` is its variable field: a view, valid only during the call. */
  pdu(type: number, body: Uint8Array): void
  /** The header of a P-DATA-TF arrived and is acceptable. */
  pDataStart(lengthBytes: number): void
  /**
   * A piece of a PDV as it arrived: a view of the chunk given to `push`. `first` and `end` mark the first
   * and the last piece of the PDV; a PDV without data gives one call with an empty view.
   */
  pdvFragment(
    presentationContextId: number,
    isCommand: boolean,
    isLast: boolean,
    fragment: Buffer,
    first: boolean,
    end: boolean,
  ): void
  /** The last PDV of the P-DATA-TF is complete. */
  pDataEnd(): void
}

/** What a {@link PduFramer} accepts. */
export interface FramerLimits {
  /** Variable field of a P-DATA-TF: the Maximum Length Received this side announced. 0 = unlimited. */
  readonly maximumPduBytes: number
  /** Variable field of an A-ASSOCIATE-RQ or -AC. There is no "unlimited". */
  readonly maximumAssociatePduBytes: number
}

/** Variable field of A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT (PS3.8 9.3.4, 9.3.6 to 9.3.8). */
const FIXED_PDU_BODY_BYTES = 4
/** First allocation for a PDU that arrives in pieces; doubles with the bytes that arrived. */
const INITIAL_BODY_BYTES = 4096
const EMPTY = Buffer.alloc(0)

const Phase = { PduHeader: 0, Body: 1, PdvHeader: 2, PdvData: 3 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

/**
 * Cuts a byte stream into PDUs (PS3.8 9.3). No I/O. P-DATA flows through as views of the chunks, so that a
 * PDU costs no memory whatever its length; other PDUs are gathered, in memory that grows with the bytes
 * that arrived and never with the length that a peer claims.
 *
 * Each violation is refused at the first byte that shows it: an unknown PDU type at its first byte, a
 * length at the end of its header.
 */
export class PduFramer {
  readonly #handler: FramerHandler
  readonly #maximumAssociatePduBytes: number
  #maximumPduBytes: number
  #phase: Phase = Phase.PduHeader
  #isStopped = false
  #isFailed = false
  #isInterrupted = false

  /** Bytes of the PDU or PDV header that have arrived, and the length field as far as it has. */
  #headerBytes = 0
  #length = 0
  #type = 0
  /** Bytes of the PDU's variable field that belong to no PDV yet, or have not arrived. */
  #pduRemaining = 0

  #body = EMPTY
  #bodyBytes = 0

  #pdvRemaining = 0
  #contextId = 0
  #isCommand = false
  #isLast = false
  #isFirstPiece = false

  constructor(handler: FramerHandler, limits: FramerLimits) {
    this.#handler = handler
    this.#maximumPduBytes = limits.maximumPduBytes
    this.#maximumAssociatePduBytes = limits.maximumAssociatePduBytes
  }

  /** Holds from the next PDU header on. 0 = unlimited. */
  get maximumPduBytes(): number {
    return this.#maximumPduBytes
  }
  set maximumPduBytes(value: number) {
    this.#maximumPduBytes = value
  }

  /** Some bytes of a PDU have arrived, but not all. */
  get isMidPdu(): boolean {
    return this.#phase !== Phase.PduHeader || this.#headerBytes > 0
  }

  /**
   * What came last is part of a header, or of a PDU that is no P-DATA-TF: a few bytes of these are no progress
   * of what the association is for.
   */
  get isInFraming(): boolean {
    return this.#phase === Phase.Body || this.#headerBytes > 0
  }

  /** In a PDU that is no P-DATA-TF. */
  get isInBody(): boolean {
    return this.#phase === Phase.Body
  }

  /** A violation was found, or the handler threw: further input is ignored. */
  get isFailed(): boolean {
    return this.#isFailed
  }

  /** Ignore everything from now on, the rest of the present chunk included. The handler may call it. */
  stop(): void {
    this.#isStopped = true
    this.#body = EMPTY
  }

  /** Leave the rest of the present chunk for later. Only the handler may call it, from within `push`. */
  interrupt(): void {
    this.#isInterrupted = true
  }

  /**
   * Walks a chunk; every callback happens before it returns.
   *
   * @returns how many bytes it took: all of them, unless it was interrupted
   * @throws PduError at the first violation (`abortReason` says what to answer), and whatever the handler
   * throws. Later input is ignored: a stream that lost its place cannot be resumed.
   */
  push(chunk: Buffer): number {
    if (this.#isStopped || this.#isFailed) return chunk.length
    this.#isInterrupted = false
    try {
      let at = 0
      while (at < chunk.length && !this.#isInterrupted && !this.#isStopped) {
        switch (this.#phase) {
          case Phase.PduHeader:
            at = this.#readPduHeader(chunk, at)
            break
          case Phase.Body:
            at = this.#readBody(chunk, at)
            break
          case Phase.PdvHeader:
            at = this.#readPdvHeader(chunk, at)
            break
          case Phase.PdvData:
            at = this.#readPdvData(chunk, at)
            break
        }
      }
      return this.#isStopped ? chunk.length : at
    } catch (error) {
      this.#isFailed = true
      this.#body = EMPTY
      throw error
    }
  }

  #readPduHeader(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length) {
      const byte = chunk[at++] as number
      const index = this.#headerBytes++
      if (index === 0) {
        if (byte < PduType.AAssociateRq || byte > PduType.AAbort) failUnrecognizedPdu(byte)
        this.#type = byte
      } else if (index > 1) {
        this.#length = this.#length * 256 + byte
      }
      if (this.#headerBytes === PDU_HEADER_BYTES) {
        const length = this.#length
        this.#headerBytes = 0
        this.#length = 0
        if (this.#type === PduType.PDataTf) this.#startPData(length)
        else this.#startBody(length)
        return at
      }
    }
    return at
  }

  #startBody(length: number): void {
    if (this.#type === PduType.AAssociateRq || this.#type === PduType.AAssociateAc) {
      const maximum = this.#maximumAssociatePduBytes
      if (length > maximum) failTooLarge(`An A-ASSOCIATE PDU of ${length} bytes is longer than ${maximum}`)
      if (length === 0) failMalformed('An A-ASSOCIATE PDU is empty')
    } else if (length !== FIXED_PDU_BODY_BYTES) {
      failMalformed(`A PDU of type ${this.#type} has a length of ${length}, not ${FIXED_PDU_BODY_BYTES}`)
    }
    this.#pduRemaining = length
    this.#phase = Phase.Body
  }

  #readBody(chunk: Buffer, start: number): number {
    const taken = Math.min(this.#pduRemaining, chunk.length - start)
    const end = start + taken
    const isWhole = taken === this.#pduRemaining
    let body: Buffer
    if (isWhole && this.#bodyBytes === 0) {
      body = chunk.subarray(start, end)
    } else {
      this.#gather(chunk, start, end)
      body = this.#body
    }
    this.#pduRemaining -= taken
    if (!isWhole) return end
    if (this.#bodyBytes > 0) body = body.subarray(0, this.#bodyBytes)
    this.#body = EMPTY
    this.#bodyBytes = 0
    this.#phase = Phase.PduHeader
    this.#handler.pdu(this.#type, body)
    return end
  }

  #gather(chunk: Buffer, start: number, end: number): void {
    const needed = this.#bodyBytes + end - start
    if (needed > this.#body.length) {
      const total = this.#bodyBytes + this.#pduRemaining
      const grown = Buffer.allocUnsafe(Math.min(total, Math.max(INITIAL_BODY_BYTES, needed, this.#body.length * 2)))
      this.#body.copy(grown, 0, 0, this.#bodyBytes)
      this.#body = grown
    }
    chunk.copy(this.#body, this.#bodyBytes, start, end)
    this.#bodyBytes = needed
  }

  #startPData(length: number): void {
    const maximum = this.#maximumPduBytes
    if (maximum !== 0 && length > maximum) failTooLarge(`A P-DATA-TF of ${length} bytes is longer than ${maximum}`)
    this.#pduRemaining = length
    this.#startPdv()
    this.#handler.pDataStart(length)
  }

  #startPdv(): void {
    // PS3.8 9.3.5: one or more PDV items, and nothing else.
    if (this.#pduRemaining < PDV_HEADER_BYTES) {
      failMalformed(`A P-DATA-TF has ${this.#pduRemaining} bytes left for a PDV item`)
    }
    this.#phase = Phase.PdvHeader
  }

  #readPdvHeader(chunk: Buffer, start: number): number {
    let at = start
    while (at < chunk.length) {
      const byte = chunk[at++] as number
      const index = this.#headerBytes++
      if (index < 4) {
        this.#length = this.#length * 256 + byte
        if (index === 3) this.#startPdvItem()
      } else if (index === 4) {
        if (byte % 2 === 0) failValue(`Presentation context id ${byte} is not odd`)
        this.#contextId = byte
      } else {
        // PS3.8 E.2: the other bits are not tested.
        this.#isCommand = (byte & 1) !== 0
        this.#isLast = (byte & 2) !== 0
        this.#startPdvData()
        return at
      }
    }
    return at
  }

  #startPdvItem(): void {
    const length = this.#length
    if (length < 2) failMalformed(`A PDV item has a length of ${length}`)
    if (length > this.#pduRemaining - 4) {
      failMalformed(`A PDV item of ${length} bytes is longer than its P-DATA-TF`)
    }
    this.#pduRemaining -= 4 + length
    this.#pdvRemaining = length - 2
  }

  #startPdvData(): void {
    this.#headerBytes = 0
    this.#length = 0
    this.#isFirstPiece = true
    this.#phase = Phase.PdvData
    if (this.#pdvRemaining === 0) this.#emit(EMPTY)
  }

  #readPdvData(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#pdvRemaining)
    this.#pdvRemaining -= end - start
    this.#emit(chunk.subarray(start, end))
    return end
  }

  #emit(fragment: Buffer): void {
    const isFirstPiece = this.#isFirstPiece
    const isEnd = this.#pdvRemaining === 0
    this.#isFirstPiece = false
    this.#handler.pdvFragment(this.#contextId, this.#isCommand, this.#isLast, fragment, isFirstPiece, isEnd)
    if (!isEnd || this.#isStopped) return
    if (this.#pduRemaining > 0) {
      this.#startPdv()
    } else {
      this.#phase = Phase.PduHeader
      this.#handler.pDataEnd()
    }
  }
}
