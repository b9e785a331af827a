import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { encodePdu } from '@dicomtap/framework'

const VERIFICATION = '1.2.840.10008.1.1'
const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2'

/** C-ECHO-RQ, Implicit VR Little Endian (PS3.7 9.3.5.1 and E.1). */
const C_ECHO_RQ = Buffer.from(
  [
    '0000 0000 04000000 38000000', // (0000,0000) group length 56
    '0000 0200 12000000 312e322e3834302e31303030382e312e3100', // (0000,0002) 1.2.840.10008.1.1
    '0000 0001 02000000 3000', // (0000,0100) C-ECHO-RQ
    '0000 1001 02000000 0100', // (0000,0110) message id 1
    '0000 0008 02000000 0101', // (0000,0800) no data set
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
)

/** A peer of a few lines: it asks for an association and reads PDU types. */
export class Peer {
  readonly #socket: Socket
  readonly #received: Buffer[] = []
  #isClosed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (data) => this.#received.push(data))
    socket.on('error', () => {})
    socket.on('close', () => (this.#isClosed = true))
  }

  static async connect(port: number): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    return new Peer(socket)
  }

  associate(calledAeTitle = 'DICOMTAP', callingAeTitle = 'TESTER'): Promise<number> {
    this.#socket.write(
      encodePdu({
        type: 'A-ASSOCIATE-RQ',
        protocolVersion: 1,
        calledAeTitle,
        callingAeTitle,
        applicationContextName: '1.2.840.10008.3.1.1.1',
        presentationContexts: [{ id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LITTLE_ENDIAN] }],
        userInformation: [
          { type: 0x51, maximumLengthReceived: 16384 },
          { type: 0x52, implementationClassUid: '1.2.3' },
        ],
      }),
    )
    return this.nextType()
  }

  echo(): void {
    this.#socket.write(encodePdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand: true, isLast: true, data: C_ECHO_RQ }] }))
  }

  /** The type of the next PDU (PS3.8 9.3.1): 2 accept, 3 reject, 4 data, 6 release response, 7 abort; 0 when the connection ended. */
  async nextType(): Promise<number> {
    for (;;) {
      const bytes = Buffer.concat(this.#received)
      const length = bytes.length < 6 ? Infinity : 6 + bytes.readUInt32BE(2)
      if (bytes.length >= length) {
        this.#received.splice(0, this.#received.length, bytes.subarray(length))
        return bytes.readUInt8(0)
      }
      if (this.#isClosed) return 0
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')])
    }
  }

  release(): Promise<number> {
    this.#socket.write(encodePdu({ type: 'A-RELEASE-RQ' }))
    return this.nextType()
  }

  /** As it is. */
  write(text: string): void {
    this.#socket.write(text)
  }

  end(): void {
    this.#socket.destroy()
  }
}
