import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { decodeCommandSet, hasDataSet } from '../dimse/command-set.ts'
import type { CommandSet } from '../dimse/command-set.ts'
import { decodePdu } from '../pdu/decode.ts'
import { encodePdu } from '../pdu/encode.ts'
import type { AAssociateAc, AAssociateRq, Pdu } from '../pdu/types.ts'
import { associateRequest } from './associate-request.ts'
import type { AssociateRequestOptions } from './associate-request.ts'
import { cutMessage } from './cut-message.ts'
import type { MessageCut } from './cut-message.ts'

const PDU_HEADER_BYTES = 6
/** For machines that have much else to do: nothing that is as it should be waits for it. */
const DEFAULT_TIMEOUT_MS = 15_000

/** A message as it was received, put together from its PDVs. */
export interface ReceivedMessage {
  readonly presentationContextId: number
  readonly command: CommandSet
  readonly dataSet: Buffer | undefined
  /** Length fields of the P-DATA-TF PDUs it came in: what the maximum length of this side bounds. */
  readonly pduLengths: readonly number[]
}

/**
 * A peer that does exactly what a test tells it to, right or wrong, and shows what comes back byte by
 * byte. It reads all the time unless paused, and answers nothing by itself.
 */
export class ScriptedPeer {
  readonly socket: Duplex
  #received: Buffer[] = []
  #receivedBytes = 0
  #wake: (() => void) | undefined
  #isClosed = false
  #error: Error | undefined

  /** A socket that is connected, e.g. one end of `memorySocket()`. */
  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#receivedBytes += chunk.length
      this.#wake?.()
    })
    socket.on('error', (error) => {
      this.#error = error
    })
    const closed = (): void => {
      this.#isClosed = true
      this.#wake?.()
    }
    socket.on('end', closed)
    socket.on('close', closed)
  }

  /** Bytes that were received and not yet taken by one of the `receive` methods. */
  get unreadBytes(): number {
    return this.#receivedBytes
  }

  /** True once the other side closed or reset the connection. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Sends bytes as they are; resolves when the socket took them, or is gone. */
  async send(...pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
    if (this.socket.destroyed || this.socket.writableEnded) return
    await new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()))
  }

  async sendPdu(...pdus: readonly Pdu[]): Promise<void> {
    await this.send(...pdus.map(encodePdu))
  }

  /** Sends a message; the command set may be bytes, right or wrong. */
  async sendMessage(
    presentationContextId: number,
    command: CommandSet | Uint8Array,
    dataSet?: Uint8Array,
    cut?: MessageCut,
  ): Promise<void> {
    await this.sendPdu(...cutMessage(presentationContextId, command, dataSet, cut))
  }

  /** The next bytes. @throws when they do not come in time or the connection closes before. */
  async receiveBytes(count: number, timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
    await this.#until(() => this.#receivedBytes >= count || this.#isClosed, timeoutMs, `${count} bytes`)
    if (this.#receivedBytes < count) {
      const got = this.#take(this.#receivedBytes).toString('hex')
      throw new Error(`The connection was closed after ${got === '' ? 'nothing' : got}; ${count} bytes were expected`, { cause: this.#error })
    }
    return this.#take(count)
  }

  /** The bytes of the next PDU, header included. @throws as {@link receiveBytes} */
  async receiveRawPdu(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
    const header = await this.receiveBytes(PDU_HEADER_BYTES, timeoutMs)
    return Buffer.concat([header, await this.receiveBytes(header.readUInt32BE(2), timeoutMs)])
  }

  /** The next PDU. @throws as {@link receiveBytes}, and when it cannot be decoded. */
  async receivePdu(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<Pdu> {
    const bytes = await this.receiveRawPdu(timeoutMs)
    return decodePdu(bytes.readUInt8(0), bytes.subarray(PDU_HEADER_BYTES))
  }

  /** The next message. @throws when something else arrives. */
  async receiveMessage(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<ReceivedMessage> {
    const parts = { command: [] as Uint8Array[], dataSet: [] as Uint8Array[] }
    const pduLengths: number[] = []
    let command: CommandSet | undefined
    for (;;) {
      const bytes = await this.receiveRawPdu(timeoutMs)
      const pdu = decodePdu(bytes.readUInt8(0), bytes.subarray(PDU_HEADER_BYTES))
      if (pdu.type !== 'P-DATA-TF') throw new Error(`A message was expected, ${JSON.stringify(pdu)} arrived`)
      pduLengths.push(bytes.readUInt32BE(2))
      for (const { presentationContextId, isCommand, isLast, data } of pdu.pdvs) {
        parts[isCommand ? 'command' : 'dataSet'].push(data)
        if (!isLast) continue
        if (isCommand) command = decodeCommandSet(Buffer.concat(parts.command))
        if (command === undefined) throw new Error('A data set arrived before its command')
        if (isCommand && hasDataSet(command)) continue
        const dataSet = isCommand ? undefined : Buffer.concat(parts.dataSet)
        return { presentationContextId, command, dataSet, pduLengths }
      }
    }
  }

  /** Resolves when the other side closes. @throws when it does not in time, or sends something before. */
  async receiveClose(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<void> {
    await this.#until(() => this.#isClosed, timeoutMs, 'the close')
    if (this.#receivedBytes > 0) throw new Error(`Before the close arrived ${this.#take(this.#receivedBytes).toString('hex')}`)
  }

  /** Requests an association; resolves with the answer, whatever it is. */
  async requestAssociation(options?: AssociateRequestOptions): Promise<Pdu> {
    await this.sendPdu(associateRequest(options))
    return this.receivePdu()
  }

  /** Requests an association. @throws when it is not accepted. */
  async associate(options?: AssociateRequestOptions): Promise<AAssociateAc> {
    const answer = await this.requestAssociation(options)
    if (answer.type !== 'A-ASSOCIATE-AC') throw new Error(`The association was not accepted: ${JSON.stringify(answer)}`)
    return answer
  }

  /**
   * Acceptor: waits for an A-ASSOCIATE-RQ and accepts every context with its first transfer syntax, unless
   * `answer` says otherwise. Resolves with the request. @throws when something else arrives.
   */
  async acceptAssociation(answer: Partial<AAssociateAc> = {}): Promise<AAssociateRq> {
    const request = await this.receivePdu()
    if (request.type !== 'A-ASSOCIATE-RQ') throw new Error(`A-ASSOCIATE-RQ was expected, ${JSON.stringify(request)} arrived`)
    await this.sendPdu({
      type: 'A-ASSOCIATE-AC',
      protocolVersion: 1,
      calledAeTitle: request.calledAeTitle,
      callingAeTitle: request.callingAeTitle,
      applicationContextName: request.applicationContextName,
      presentationContexts: request.presentationContexts.map(({ id, transferSyntaxes }) => ({
        id,
        result: 0,
        transferSyntax: transferSyntaxes[0] ?? '',
      })),
      userInformation: [
        { type: 0x51, maximumLengthReceived: 16_384 },
        { type: 0x52, implementationClassUid: '2.25.2' },
      ],
      ...answer,
    })
    return request
  }

  /** Releases the association and waits for the confirmation; then closes. @throws when something else arrives. */
  async release(): Promise<void> {
    await this.sendPdu({ type: 'A-RELEASE-RQ' })
    const answer = await this.receivePdu()
    if (answer.type !== 'A-RELEASE-RP') throw new Error(`A-RELEASE-RP was expected, ${JSON.stringify(answer)} arrived`)
    await this.close()
  }

  /** Reads nothing any more until {@link resume}. */
  pause(): void {
    this.socket.pause()
  }
  resume(): void {
    this.socket.resume()
  }

  /** Half close: this side sends nothing any more, and still reads. */
  end(): void {
    this.socket.end()
  }

  /** Cuts the connection at once. */
  destroy(): void {
    this.socket.destroy()
  }

  /** Closes in order; resolves when the connection is gone. */
  async close(): Promise<void> {
    if (this.socket.closed) return
    this.socket.resume()
    this.socket.end()
    if (this.#isClosed) this.socket.destroy()
    await once(this.socket, 'close')
  }

  [Symbol.dispose](): void {
    this.destroy()
  }

  #take(count: number): Buffer {
    const all = this.#received.length === 1 ? (this.#received[0] as Buffer) : Buffer.concat(this.#received)
    const rest = all.subarray(count)
    this.#received = rest.length === 0 ? [] : [rest]
    this.#receivedBytes = rest.length
    return all.subarray(0, count)
  }

  async #until(isMet: () => boolean, timeoutMs: number, what: string): Promise<void> {
    if (isMet()) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined
        reject(new Error(`Within ${timeoutMs} ms ${what} did not arrive; ${this.#receivedBytes} bytes are unread`))
      }, timeoutMs)
      this.#wake = () => {
        if (!isMet()) return
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}

/**
 * Connects a {@link ScriptedPeer} to a port of 127.0.0.1, or takes a connected socket.
 *
 * @example
 * using peer = await scriptedPeer(server.port)
 * await peer.associate({ contexts: [['1.2.840.10008.1.1', '1.2.840.10008.1.2']] })
 * await peer.send(Buffer.from('05ff', 'hex'))
 * t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 6 })
 */
export async function scriptedPeer(target: number | Duplex): Promise<ScriptedPeer> {
  if (typeof target !== 'number') return new ScriptedPeer(target)
  const socket = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  return new ScriptedPeer(socket)
}
