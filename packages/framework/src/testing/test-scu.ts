import { connect } from 'node:net'
import { describeAbort, describeRejection } from '../acse/rejections.ts'
import type { AcceptedContext } from '../acse/types.ts'
import { maximumLengthOf } from '../acse/user-information.ts'
import type { AssociationServer } from '../association-server.ts'
import { encodeDataSet } from '../dataset/index.ts'
import type { DataSet } from '../dataset/types.ts'
import { MessageAssembler } from '../dimse/assembler.ts'
import { CommandField, DATA_SET_PRESENT, NO_DATA_SET, isResponse, responseFieldOf } from '../dimse/command-set.ts'
import type { CommandSet } from '../dimse/command-set.ts'
import { DataSetStream } from '../dimse/data-set-stream.ts'
import { MessageFragmenter } from '../dimse/fragmenter.ts'
import type { DataSetBytes } from '../dimse/fragmenter.ts'
import { ReceiveFlow } from '../dimse/receive-flow.ts'
import type { DulIndication } from '../dul/indication-queue.ts'
import { DulServiceProvider } from '../dul/provider.ts'
import type { TransportSocket } from '../dul/transport.ts'
import { DicomtapError } from '../errors/index.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import { associateRequest } from './associate-request.ts'
import type { AssociateRequestOptions } from './associate-request.ts'
import { memorySocket } from './memory-socket.ts'
import { TestRequest } from './test-scu-request.ts'
import type { TestResponse } from './test-scu-request.ts'

/** A port of 127.0.0.1, or a listener (or what `createTestServer` gave), which is reached without a network. */
export type TestScuTarget = number | AssociationServer | { readonly server: AssociationServer }

/** A request that the SCP sent on the association: a C-STORE sub-operation, an N-EVENT-REPORT. */
export interface IncomingRequest {
  readonly context: AcceptedContext
  readonly command: CommandSet
  readonly bytes: Buffer | undefined
}

export interface TestScuOptions extends AssociateRequestOptions {
  /** How long to wait for an association PDU; default 5 000. */
  readonly acseTimeoutMs?: number
  /** Answers requests of the SCP with a status, or not at all (undefined). Default: 0000. */
  readonly onRequest?: (request: IncomingRequest) => number | undefined | Promise<number | undefined>
}

/** What a {@link TestScu} stores. */
export interface TestInstance {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** Encoded in `transferSyntaxUid`. */
  readonly dataSet: DataSetBytes
}

export interface QueryOptions {
  /** Default: that of the first context accepted for the model. */
  readonly transferSyntaxUid?: string
}

/** A service class user for tests; made by {@link testScu}, associated from the start. */
export class TestScu {
  readonly dul: DulServiceProvider
  readonly accept: AAssociateAc
  /** The contexts that the SCP accepted. */
  readonly contexts: readonly AcceptedContext[]
  /** Requests that the SCP sent, in order. */
  readonly received: IncomingRequest[] = []
  /** Resolves with the indication that ended the association: A-RELEASE-CONFIRMATION, ABORT, CLOSED. */
  readonly ended: Promise<DulIndication>
  readonly #options: TestScuOptions
  readonly #fragmenter: MessageFragmenter
  readonly #assembler: MessageAssembler
  readonly #requests = new Map<number, TestRequest>()
  #lastMessageId = 0
  #deliveries: Promise<void> = Promise.resolve()

  /** @internal */
  constructor(dul: DulServiceProvider, request: AAssociateRq, accept: AAssociateAc, options: TestScuOptions) {
    this.dul = dul
    this.accept = accept
    this.#options = options
    const abstractSyntaxes = new Map(request.presentationContexts.map((context) => [context.id, context.abstractSyntax]))
    this.contexts = accept.presentationContexts
      .filter(({ result }) => result === 0)
      .map(({ id, transferSyntax }) => ({ id, abstractSyntax: abstractSyntaxes.get(id) ?? '', transferSyntax, asScu: true, asScp: true }))
    this.#fragmenter = new MessageFragmenter(dul, maximumLengthOf(accept.userInformation))
    const flow = new ReceiveFlow(Number.POSITIVE_INFINITY, undefined, () => {}, () => {})
    this.#assembler = new MessageAssembler(
      {
        contextById: (id) => this.contexts.find((context) => context.id === id),
        createDataSet: (context) => new DataSetStream(context.transferSyntax, flow, Number.POSITIVE_INFINITY),
        message: (context, command, dataSet) => {
          this.#deliveries = this.#deliveries.then(async () => this.#deliver({ context, command, bytes: await dataSet?.buffer() }))
          // A data set that the end of the association cut off.
          this.#deliveries = this.#deliveries.catch(() => {})
        },
      },
      Number.POSITIVE_INFINITY,
    )
    this.ended = this.#pump()
  }

  /** The accepted context for an abstract syntax. @throws DICOMTAP_ERR_ACSE_CONTEXT when there is none. */
  contextFor(abstractSyntax: string, transferSyntaxUid?: string): AcceptedContext {
    const found = this.contexts.find(
      (context) =>
        context.abstractSyntax === abstractSyntax && (transferSyntaxUid === undefined || context.transferSyntax === transferSyntaxUid),
    )
    if (found !== undefined) return found
    throw new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', `No accepted context for ${abstractSyntax} ${transferSyntaxUid ?? ''}`)
  }

  /**
   * Sends any request; several may be under way at once. A message ID and the data set type are filled
   * in when the command has none.
   */
  request(context: AcceptedContext | string, command: CommandSet, dataSet?: DataSetBytes): TestRequest {
    const on = typeof context === 'string' ? this.contextFor(context) : context
    const messageId = command.messageId ?? (this.#lastMessageId += 1)
    const commandDataSetType = dataSet === undefined ? NO_DATA_SET : DATA_SET_PRESENT
    const sent = this.#send(on, { commandDataSetType, ...command, messageId }, dataSet)
    const request = new TestRequest(messageId, on, sent)
    this.#requests.set(messageId, request)
    return request
  }

  /** C-ECHO. */
  echo(sopClassUid = '1.2.840.10008.1.1'): Promise<TestResponse> {
    return this.request(sopClassUid, { commandField: CommandField.C_ECHO_RQ, affectedSopClassUid: sopClassUid }).final()
  }

  /** C-STORE; resolves with the response. */
  store(instance: TestInstance): Promise<TestResponse> {
    return this.storing(instance).final()
  }

  /** C-STORE that does not wait, to pipeline or to be interrupted. */
  storing({ sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet }: TestInstance): TestRequest {
    const command = {
      commandField: CommandField.C_STORE_RQ,
      affectedSopClassUid: sopClassUid,
      affectedSopInstanceUid: sopInstanceUid,
      priority: 0,
    }
    return this.request(this.contextFor(sopClassUid, transferSyntaxUid), command, dataSet)
  }

  /** C-FIND; an identifier that is no bytes is encoded. */
  find(identifier: DataSet | Uint8Array, model: string, options: QueryOptions = {}): Promise<TestRequest> {
    return this.#query(CommandField.C_FIND_RQ, identifier, model, options)
  }

  /** C-GET; its sub-operations are answered by `onRequest` and kept in `received`. */
  get(identifier: DataSet | Uint8Array, model: string, options: QueryOptions = {}): Promise<TestRequest> {
    return this.#query(CommandField.C_GET_RQ, identifier, model, options)
  }

  /** C-MOVE. */
  move(identifier: DataSet | Uint8Array, model: string, moveDestination: string, options: QueryOptions = {}): Promise<TestRequest> {
    return this.#query(CommandField.C_MOVE_RQ, identifier, model, options, moveDestination)
  }

  /** C-CANCEL of a request; there is no response to it. */
  async cancel({ messageId, context }: TestRequest): Promise<void> {
    await this.#send(context, {
      commandField: CommandField.C_CANCEL_RQ,
      messageIdBeingRespondedTo: messageId,
      commandDataSetType: NO_DATA_SET,
    })
  }

  /** Releases the association; resolves with the indication that ended it, normally A-RELEASE-CONFIRMATION. */
  async release(): Promise<DulIndication> {
    await this.dul.send({ type: 'A-RELEASE-RQ' })
    return this.ended
  }

  /** A-ABORT, then the connection is cut. */
  async abort(): Promise<void> {
    await this.dul.send({ type: 'A-ABORT', source: 0, reason: 0 })
    await this.ended
  }

  /** Releases when the association stands, else cuts the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.dul.state === 'Sta6' && this.#requests.size === 0) await this.release()
    await this.dul.kill()
  }

  async #query(
    commandField: number,
    identifier: DataSet | Uint8Array,
    model: string,
    { transferSyntaxUid }: QueryOptions,
    moveDestination?: string,
  ): Promise<TestRequest> {
    const context = this.contextFor(model, transferSyntaxUid)
    const bytes = identifier instanceof Uint8Array ? identifier : await encodeDataSet(identifier, context.transferSyntax)
    return this.request(context, { commandField, affectedSopClassUid: model, priority: 0, moveDestination }, bytes)
  }

  async #send(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): Promise<void> {
    try {
      await this.#fragmenter.send(context.id, command, dataSet)
    } catch {
      // The association ended: `ended` and the request's responses say so.
    }
  }

  async #pump(): Promise<DulIndication> {
    for (;;) {
      const indication = await this.dul.receive()
      switch (indication.type) {
        case 'P-DATA':
          this.#assembler.fragment(indication.presentationContextId, indication.isCommand, indication.isLast, indication.data, true, true)
          continue
        case 'A-RELEASE':
          if (this.dul.state === 'Sta8' || this.dul.state === 'Sta9') this.dul.issue({ type: 'A-RELEASE-RP' })
          continue
        default: {
          const message = indication.type === 'ABORT' ? `Aborted: ${describeAbort(indication.source, indication.reason)}` : 'The association ended'
          const error = new DicomtapError('DICOMTAP_ERR_ACSE_ABORTED', message)
          this.#assembler.fail(error)
          await this.#deliveries
          for (const request of this.#requests.values()) request.fail(error)
          return indication
        }
      }
    }
  }

  async #deliver(request: IncomingRequest): Promise<void> {
    const { context, command, bytes } = request
    if (isResponse(command.commandField)) {
      const messageId = command.messageIdBeingRespondedTo ?? -1
      if (this.#requests.get(messageId)?.respond(command, bytes) === true) this.#requests.delete(messageId)
      return
    }
    this.received.push(request)
    const status = this.#options.onRequest === undefined ? 0 : await this.#options.onRequest(request)
    if (status === undefined) return
    await this.#send(context, {
      commandField: responseFieldOf(command.commandField),
      messageIdBeingRespondedTo: command.messageId,
      affectedSopClassUid: command.affectedSopClassUid,
      affectedSopInstanceUid: command.affectedSopInstanceUid,
      commandDataSetType: NO_DATA_SET,
      status,
    })
  }
}

/**
 * Associates with an SCP.
 *
 * @throws DICOMTAP_ERR_ACSE_REJECTED with the A-ASSOCIATE-RJ as `cause`, DICOMTAP_ERR_ACSE_ABORTED when
 * the association does not come about otherwise.
 * @example
 * await using scu = await testScu(server, { contexts: [[SopClass.Verification, TransferSyntax.ImplicitVRLittleEndian]] })
 * t.is((await scu.echo()).status, 0x0000)
 */
export async function testScu(target: TestScuTarget, options: TestScuOptions = {}): Promise<TestScu> {
  const { acseTimeoutMs = 5_000, maximumLength = 16_384 } = options
  const dul = new DulServiceProvider({
    connect: () => connectTo(target),
    acseTimeoutMs,
    connectionTimeoutMs: acseTimeoutMs,
    networkTimeoutMs: null,
    maximumPduBytes: maximumLength,
  })
  const request = associateRequest(options)
  dul.issue(request)
  const answer = await dul.receive()
  if (answer.type === 'A-ASSOCIATE-AC') return new TestScu(dul, request, answer, options)
  await dul.kill()
  if (answer.type === 'A-ASSOCIATE-RJ') {
    throw new DicomtapError('DICOMTAP_ERR_ACSE_REJECTED', `Rejected: ${describeRejection(answer)}`, { cause: answer })
  }
  const why = answer.type === 'ABORT' ? (answer.message ?? describeAbort(answer.source, answer.reason)) : answer.type
  throw new DicomtapError('DICOMTAP_ERR_ACSE_ABORTED', `No association: ${why}`, { cause: answer })
}

function connectTo(target: TestScuTarget): TransportSocket {
  if (typeof target === 'number') return connect({ port: target, host: '127.0.0.1' })
  const [client, socket] = memorySocket()
  const server = 'server' in target ? target.server : target
  // As a network does: connected a turn later.
  setImmediate(() => {
    client.emit('connect')
    server.inject(socket)
  })
  return client
}
