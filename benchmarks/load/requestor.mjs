import { connect } from 'node:net'
import { PduReader } from './pdu-reader.mjs'
import { PduType, RELEASE_REQUEST, associateRequest, commandSet, pData, readAssociateAccept, readRequest, statusOf } from './pdus.mjs'

const READ_BUFFER_BYTES = 1_048_576
const IS_RESPONSE = 0x8000
const NO_DATA_SET = 0x0101
const HAS_DATA_SET = 0x0001

/** The peer did not do what was asked. */
export class RequestorError extends Error {}

/**
 * An association to query and retrieve on. What comes back is counted, not decoded; C-STORE requests of a C-GET are
 * answered 0000 and their data sets dropped.
 */
export async function openRequestor(options) {
  const requestor = new Requestor()
  await requestor.connect(options)
  return requestor
}

class Requestor {
  #socket
  #reader = new PduReader({
    onPdu: (type, body) => this.#pdu(type, body),
    onFragment: (contextId, control, bytes, isEnd) => this.#fragment(contextId, control, bytes, isEnd),
  })
  #kept = []
  #message
  #waiting
  #running
  #messageId = 0

  async connect({ host = '127.0.0.1', port, calledAeTitle, callingAeTitle, contexts, scpRoles, extended, maximumLength }) {
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
    await new Promise((resolve, reject) => {
      const callback = (length) => {
        this.#reader.received(buffer.subarray(0, length))
        return true
      }
      this.#socket = connect({ host, port, noDelay: true, onread: { buffer, callback } }, resolve)
      this.#socket.once('error', (error) => reject(new RequestorError(error.code ?? error.message)))
    })
    this.#socket.on('close', () => this.#settle('reject', new RequestorError('closed by the peer')))
    const answer = this.#answer()
    this.#socket.write(associateRequest({ calledAeTitle, callingAeTitle, contexts, scpRoles, extended, maximumLength }))
    const { results } = await answer
    const refused = contexts.filter((_, index) => results.get(index * 2 + 1) !== 0)
    if (refused.length > 0) throw new RequestorError(`refused: ${refused.map(({ abstractSyntax }) => abstractSyntax).join(', ')}`)
  }

  /**
   * Sends a C-FIND, C-GET or C-MOVE request and counts what comes until its final response.
   * @param command elements of the command set besides Message ID and Command Data Set Type
   * @returns `{ status, matches, firstMs, ms, stores, storedBytes, finalCommand }`: times from the request on, the
   *   first response with its data set
   */
  async ask(contextId, command, identifier) {
    this.#messageId = (this.#messageId % 0xffff) + 1
    const bytes = commandSet({ ...command, '0110': this.#messageId, '0700': 0, '0800': HAS_DATA_SET })
    this.#running = { startedAt: performance.now(), matches: 0, firstMs: undefined, stores: 0, storedBytes: 0, matchBytes: 0 }
    const answer = this.#answer()
    this.#socket.write(Buffer.concat([pData(contextId, true, true, bytes), pData(contextId, false, true, identifier)]))
    return answer
  }

  async release() {
    const answer = this.#answer()
    this.#socket.write(RELEASE_REQUEST)
    await answer
    this.#socket.destroy()
  }

  #pdu(type, body) {
    if (type === PduType.AssociateAc) this.#settle('resolve', readAssociateAccept(body))
    else if (type === PduType.ReleaseRp) this.#settle('resolve')
    else this.#settle('reject', new RequestorError(`${type === PduType.AssociateRj ? 'rejected' : 'aborted'} (${[...body.subarray(1)].join(',')})`))
  }

  #fragment(contextId, control, bytes, isEnd) {
    const isCommand = (control & 1) !== 0
    const isLast = isEnd && (control & 2) !== 0
    if (!isCommand) {
      if (this.#message?.isStore === true) this.#running.storedBytes += bytes.length
      else this.#running.matchBytes += bytes.length
      if (isLast) this.#messageEnd(contextId)
      return
    }
    // The read buffer is read into again.
    if (bytes.length > 0) this.#kept.push(Buffer.from(bytes))
    if (!isLast) return
    const command = this.#kept.length === 1 ? this.#kept[0] : Buffer.concat(this.#kept)
    this.#kept = []
    const isResponse = statusOf(command) !== undefined
    const { hasDataSet, ...request } = isResponse ? { hasDataSet: hasDataSetOf(command) } : readRequest(command)
    this.#message = isResponse ? { isStore: false, status: statusOf(command), command } : { isStore: true, ...request }
    if (!hasDataSet) this.#messageEnd(contextId)
  }

  #messageEnd(contextId) {
    const message = this.#message
    const running = this.#running
    if (message.isStore) {
      running.stores += 1
      this.#socket.write(pData(contextId, true, true, commandSet({
        '0002': message.sopClassUid,
        '0100': message.commandField | IS_RESPONSE,
        '0120': message.messageId,
        '0800': NO_DATA_SET,
        '0900': 0,
        '1000': message.sopInstanceUid,
      })))
      return
    }
    const ms = performance.now() - running.startedAt
    running.firstMs ??= ms
    if (message.status === 0xff00 || message.status === 0xff01) {
      running.matches += 1
      return
    }
    const { startedAt: _startedAt, ...figures } = running
    this.#settle('resolve', { ...figures, status: message.status, ms, finalCommand: message.command })
  }

  #answer() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #settle(how, value) {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.[how](value)
  }
}

function hasDataSetOf(command) {
  // (0000,0800), US: its tag and length, then the value.
  const at = command.indexOf(Buffer.from([0x00, 0x00, 0x00, 0x08, 0x02, 0x00, 0x00, 0x00]))
  return at !== -1 && command.readUInt16LE(at + 8) !== NO_DATA_SET
}
