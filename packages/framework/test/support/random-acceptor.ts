import type { Duplex } from 'node:stream'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { decodeCommandSet, hasDataSet } from '../../dist/dimse/command-set.js'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import { decodePdu } from '../../dist/pdu/decode.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import type { AAssociateAc, AAssociateRq, Pdu, Pdv } from '../../dist/pdu/types.js'
import { cutMessage } from '../../dist/testing/index.js'
import type { Random } from './random.ts'
import { IDENTIFIER, REQUESTS } from './requests.ts'
import { NONE, SOME } from './user.ts'

interface Received {
  readonly contextId: number
  readonly command: CommandSet
}

/** Of those that are wrong at all, one answer in so many. */
const WRONG_ONCE_IN = 3

/**
 * An acceptor that answers most things as it should, some as it must not, and ends the association when it
 * likes to, by each way there is.
 */
export class RandomAcceptor {
  readonly #socket: Duplex
  readonly #random: Random
  #unread: Buffer = Buffer.alloc(0)
  #pdvs: Pdv[] = []
  #command: CommandSet | undefined
  #reading: Promise<void> = Promise.resolve()
  readonly #performing = new Set<Promise<void>>()
  readonly #isWrong: boolean

  constructor(socket: Duplex, random: Random) {
    this.#socket = socket
    this.#random = random
    this.#isWrong = random.once(2)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, chunk])
      this.#reading = this.#reading.then(() => this.#read())
    })
  }

  /** Cuts the connection; resolves when nothing is under way here. */
  async stop(): Promise<void> {
    this.#socket.destroy()
    await this.#reading
    await Promise.all(this.#performing)
  }

  async #read(): Promise<void> {
    while (!this.#socket.destroyed && this.#unread.length >= 6 && this.#unread.length >= 6 + this.#unread.readUInt32BE(2)) {
      const end = 6 + this.#unread.readUInt32BE(2)
      const bytes = this.#unread.subarray(0, end)
      this.#unread = this.#unread.subarray(end)
      await this.#received(decodePdu(bytes.readUInt8(0), bytes.subarray(6)))
    }
  }

  async #received(pdu: Pdu): Promise<void> {
    const random = this.#random
    // Slow readers.
    if (random.once(12)) {
      this.#socket.pause()
      await pause(random.below(20))
      this.#socket.resume()
    }
    if (pdu.type === 'A-ASSOCIATE-RQ') await this.#associate(pdu)
    else if (pdu.type === 'A-RELEASE-RQ') await this.#released()
    else if (pdu.type === 'A-ABORT') this.#socket.end()
    else if (pdu.type === 'P-DATA-TF') {
      for (const pdv of pdu.pdvs) {
        if (this.#isWrong && random.once(200)) await this.#disturb()
        this.#pdv(pdv)
      }
    }
  }

  async #released(): Promise<void> {
    const random = this.#random
    if (this.#isWrong && random.once(6)) {
      await random.one([
        async () => {},
        () => this.#send({ type: 'A-RELEASE-RQ' }, { type: 'A-RELEASE-RP' }),
        () => this.#disturb(),
        () => this.#write(random.bytes(20)),
      ])()
    } else {
      await this.#send({ type: 'A-RELEASE-RP' })
      if (!random.once(8)) this.#socket.end()
    }
  }

  async #associate(request: AAssociateRq): Promise<void> {
    const random = this.#random
    const accept: AAssociateAc = {
      type: 'A-ASSOCIATE-AC',
      protocolVersion: 1,
      calledAeTitle: request.calledAeTitle,
      callingAeTitle: request.callingAeTitle,
      applicationContextName: request.applicationContextName,
      presentationContexts: request.presentationContexts.map(({ id, transferSyntaxes }) => ({ id, result: 0, transferSyntax: transferSyntaxes[0] ?? '' })),
      userInformation: [
        { type: 0x51, maximumLengthReceived: random.one([0, 16_384, 16_384, 1_000, 60]) },
        { type: 0x52, implementationClassUid: '2.25.2' },
        ...request.userInformation.filter(({ type }) => type === 0x53 || type === 0x54),
      ],
    }
    if (!this.#isWrong || !random.once(4)) return this.#send(accept)
    const [first, ...others] = accept.presentationContexts
    await random.one<() => void | Promise<void>>([
      () => {},
      () => this.#disturb(),
      () => this.#send({ type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 1 }),
      () => this.#send({ ...accept, presentationContexts: [{ id: 201, result: 0, transferSyntax: '1.2.840.10008.1.2' }] }),
      () => this.#send({ ...accept, presentationContexts: [{ ...first!, transferSyntax: '1.2.840.10008.1.2.4.50' }, ...others] }),
      () => {
        // Behind the header and the fixed fields, which are 74 bytes.
        const bytes = encodePdu(accept)
        bytes[74 + random.below(bytes.length - 74)]! ^= 1 << random.below(8)
        return this.#write(bytes)
      },
      () => this.#send({ ...accept, presentationContexts: accept.presentationContexts.map((context) => ({ ...context, result: random.below(6) })) }),
      () => this.#send({ ...accept, userInformation: [{ type: 0x51, maximumLengthReceived: random.one([1, 7, 8]) }] }),
      () => this.#send({ ...accept, userInformation: [] }),
      () => this.#send(accept, accept),
      // Two transfer syntaxes in one context cannot be encoded: cut into the middle of the PDU.
      () => this.#write(Buffer.concat([encodePdu(accept), Buffer.alloc(4)])),
      () => this.#write(encodePdu(accept).subarray(0, 100)),
      async () => {
        await this.#send(accept)
        await this.#disturb()
      },
    ])()
  }

  #pdv(pdv: Pdv): void {
    this.#pdvs.push(pdv)
    if (!pdv.isLast) return
    const bytes = Buffer.concat(this.#pdvs.map(({ data }) => data))
    this.#pdvs = []
    if (pdv.isCommand) this.#command = decodeCommandSet(bytes)
    const command = this.#command!
    if (pdv.isCommand && hasDataSet(command)) return
    // A window lets others overtake it.
    const performed = this.#perform({ contextId: pdv.presentationContextId, command }).finally(() => this.#performing.delete(performed))
    this.#performing.add(performed)
  }

  async #perform(request: Received): Promise<void> {
    const random = this.#random
    const field = request.command.commandField
    // Responses, and cancels: of what was cancelled another answer is under way.
    if ((field & 0x8000) !== 0 || field === 0x0fff) return
    for (let turns = random.below(4); turns > 0; turns--) await turn()
    if (random.once(10)) await pause(random.below(30))
    const isMulti = field === 0x0020 || field === 0x0010 || field === 0x0021
    if (isMulti) {
      const matches = random.one([0, 1, 3, 100, 300])
      for (let count = 0; count < matches && !this.#socket.destroyed; count++) {
        await this.#answer(request, { status: 0xff00, numberOfRemainingSuboperations: 1 }, field === 0x0020 ? IDENTIFIER : undefined)
        if (random.once(50)) await pause(1)
      }
      if (field === 0x0010 && random.once(2)) await this.#request(1)
    }
    if (this.#isWrong && random.once(WRONG_ONCE_IN)) await this.#wrong(request)
    else await this.#answer(request, { status: random.one([0, 0, 0, 0xa700, 0xb000, 0xfe00]) })
    if (random.once(12)) await this.#request()
  }

  #answer({ contextId, command }: Received, over: Partial<CommandSet>, dataSet?: Uint8Array): Promise<void> {
    const response: CommandSet = {
      commandField: command.commandField | 0x8000,
      messageIdBeingRespondedTo: command.messageId,
      affectedSopClassUid: command.affectedSopClassUid ?? command.requestedSopClassUid,
      commandDataSetType: dataSet === undefined ? NONE : SOME,
      ...over,
    }
    return this.#send(...cutMessage(contextId, response, dataSet, this.#random.once(4) ? { fragmentBytes: 11, pdvsPerPdu: 3 } : {}))
  }

  /** What PS3.7 does not allow, or nothing at all. */
  async #wrong(request: Received): Promise<void> {
    const random = this.#random
    const ok = { status: 0 }
    await random.one<() => void | Promise<void>>([
      () => {},
      () => this.#disturb(),
      () => this.#answer(request, { ...ok, messageIdBeingRespondedTo: random.below(70_000) & 0xffff }),
      () => this.#answer(request, { ...ok, commandField: random.one([0x8030, 0x8001, 0x8020, 0x8150, 0x8999]) }),
      () => this.#answer({ ...request, contextId: random.one([1, 3, 7, 99]) }, ok),
      () => this.#answer(request, { status: undefined }),
      () => this.#answer(request, { status: 0xff00 }),
      () => this.#answer(request, ok, IDENTIFIER),
      () => this.#answer(request, ok, random.bytes(40)),
      () => this.#answer(request, { status: 0xff00 }, random.bytes(40)),
      // A data set that is announced and does not come; one that is not announced.
      () => this.#answer(request, { ...ok, commandDataSetType: SOME }),
      () => this.#answer(request, { ...ok, commandDataSetType: NONE }, IDENTIFIER),
      async () => {
        await this.#answer(request, ok)
        await this.#answer(request, ok)
      },
      () => this.#write(random.bytes(1 + random.below(60))),
    ])()
  }

  /** A request of its own, which this side may or may not serve. */
  async #request(only?: number): Promise<void> {
    const { contextId, command, dataSet } = only === undefined ? this.#random.one(REQUESTS) : REQUESTS[only]!
    await this.#send(...cutMessage(contextId, { ...command, messageId: this.#random.below(5) }, dataSet))
  }

  async #disturb(): Promise<void> {
    await this.#random.one<() => unknown>([
      () => this.#send({ type: 'A-ABORT', source: this.#random.one([0, 2]), reason: this.#random.below(7) }),
      () => this.#send({ type: 'A-RELEASE-RQ' }),
      () => this.#send({ type: 'A-RELEASE-RP' }),
      () => this.#send({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 }),
      () => this.#write(Buffer.from('0400ffffffff', 'hex')),
      () => this.#socket.destroy(),
      () => this.#socket.end(),
    ])()
  }

  #send(...pdus: Pdu[]): Promise<void> {
    return this.#write(Buffer.concat(pdus.map(encodePdu)))
  }

  async #write(bytes: Buffer): Promise<void> {
    const chunkBytes = this.#random.one([1_000_000, 1_000_000, 1_000_000, 13])
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      if (this.#socket.destroyed || this.#socket.writableEnded) return
      if (!this.#socket.write(bytes.subarray(at, at + chunkBytes))) await turn()
    }
  }
}
