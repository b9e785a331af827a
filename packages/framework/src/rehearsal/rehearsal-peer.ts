import { Socket } from 'node:net'
import type { OnReadOpts, SocketConstructorOpts } from 'node:net'
import { SOCKET_OPTIONS } from '../dul/connect.ts'
import { PduType } from '../pdu/types.ts'

/** Both ends are on it. */
export const LOOPBACK = '127.0.0.1'

const READ_BYTES = 65_536
const PDU_HEADER_BYTES = 6
/** (0000,0900) Status, 2 bytes long, in Implicit VR Little Endian. */
const STATUS = Buffer.from([0x00, 0x00, 0x00, 0x09, 0x02, 0x00, 0x00, 0x00])

/**
 * The other side of a rehearsal: sends bytes as they are and waits for the PDU that answers them, with a socket that
 * reads as those of the server do.
 */
export class RehearsalPeer {
  readonly #socket: Socket
  /** What was read of a PDU whose rest is on its way. */
  #rest: Buffer | undefined
  #awaited: { readonly type: number; resolve(): void; reject(error: Error): void } | undefined
  #ended: Error | undefined

  /** @param onEnd called when the connection is gone */
  constructor(port: number, onEnd: () => void) {
    const memory = Buffer.allocUnsafe(READ_BYTES)
    const onread: OnReadOpts = {
      buffer: memory,
      callback: (length, buffer) => {
        this.#read((buffer as Buffer).subarray(0, length))
        return true
      },
    }
    this.#socket = new Socket({ onread } as SocketConstructorOpts)
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => {
      this.#fail(new Error('the connection of a rehearsal was closed'))
      onEnd()
    })
    this.#socket.connect({ host: LOOPBACK, port, ...SOCKET_OPTIONS })
  }

  /** Of this end. */
  get port(): number | undefined {
    return this.#socket.localPort
  }

  /** Sends, and resolves when a PDU of this type has come; of a response, with status 0000. */
  exchange(bytes: Uint8Array, type: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      this.#awaited = { type, resolve, reject }
      this.#socket.write(bytes)
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = undefined
    if (bytes.length < PDU_HEADER_BYTES || bytes.length < PDU_HEADER_BYTES + bytes.readUInt32BE(2)) {
      this.#rest = Buffer.from(bytes)
      return
    }
    const awaited = this.#awaited
    this.#awaited = undefined
    const type = bytes[0] as number
    if (type !== awaited?.type) this.#refused(awaited, `PDU type ${type} came for ${awaited?.type}`)
    else if (type === PduType.PDataTf && !isSuccess(bytes)) this.#refused(awaited, 'a request was not answered 0000')
    else awaited.resolve()
  }

  #refused(awaited: { reject(error: Error): void } | undefined, why: string): void {
    awaited?.reject(new Error(why))
    this.#socket.destroy()
  }

  #fail(error: Error): void {
    this.#ended ??= error
    this.#awaited?.reject(this.#ended)
    this.#awaited = undefined
  }
}

function isSuccess(response: Buffer): boolean {
  const at = response.indexOf(STATUS)
  return at >= 0 && response.readUInt16LE(at + STATUS.length) === 0
}
