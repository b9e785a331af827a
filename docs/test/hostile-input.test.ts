import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import test from 'ava'
import { ApplicationEntity, encodeCommandSet, encodePdu, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { AAssociateRq, ApplicationEntityOptions, CommandSet, UserItem } from '@dicomtap/framework'
import { readPage, tableRows } from './pages.js'

const CONTEXT_ID = 1
const OTHER_CONTEXT_ID = 3

const REQUEST: AAssociateRq = {
  type: 'A-ASSOCIATE-RQ',
  protocolVersion: 1,
  calledAeTitle: 'HOSTILE',
  callingAeTitle: 'PEER',
  applicationContextName: '1.2.840.10008.3.1.1.1',
  presentationContexts: [
    { id: CONTEXT_ID, abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] },
    { id: OTHER_CONTEXT_ID, abstractSyntax: SopClass.MRImageStorage, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] },
    { id: 5, abstractSyntax: SopClass.ModalityPerformedProcedureStep, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] },
  ],
  userInformation: [
    { type: 0x51, maximumLengthReceived: 16_384 },
    { type: 0x52, implementationClassUid: '2.25.1' },
  ],
}

const STORE: CommandSet = {
  commandField: 0x0001,
  affectedSopClassUid: SopClass.CTImageStorage,
  affectedSopInstanceUid: '2.25.7',
  messageId: 1,
  priority: 0,
  commandDataSetType: 0x0001,
}
const NO_DATA_SET = 0x0101

interface Scenario {
  readonly options?: ApplicationEntityOptions
  /** Sent at once. */
  readonly first?: Buffer
  /** Sent when the association stands. */
  readonly next?: readonly Buffer[]
  readonly prepare?: (ae: ApplicationEntity, port: number) => Promise<unknown>
  /** Answers that come before the one that counts. */
  readonly skip?: number
}

function request(changes: Partial<AAssociateRq> = {}): Buffer {
  return Buffer.from(encodePdu({ ...REQUEST, ...changes }))
}

/** A PDU of any type and length (PS3.8 9.3.1). */
function pdu(type: number, body: Buffer, length: number = body.length): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0])
  header.writeUInt32BE(length, 2)
  return Buffer.concat([header, body])
}

/** A P-DATA-TF with one PDV (PS3.8 9.3.5, annex E.2): control bit 0 command, bit 1 last. */
function pData(id: number, control: number, data: Uint8Array): Buffer {
  const pdv = Buffer.concat([Buffer.alloc(6), data])
  pdv.writeUInt32BE(data.length + 2, 0)
  pdv[4] = id
  pdv[5] = control
  return pdu(0x04, pdv)
}

function command(changes: Partial<CommandSet> = {}, id: number = CONTEXT_ID): Buffer {
  return pData(id, 3, encodeCommandSet({ ...STORE, ...changes }))
}
const withoutDataSet = (changes: Partial<CommandSet>, id?: number): Buffer => command({ ...changes, commandDataSetType: NO_DATA_SET }, id)
const DATA_SET = pData(CONTEXT_ID, 2, Buffer.from([0x08, 0, 0x18, 0, 0, 0, 0, 0]))
const RELEASE = pdu(0x05, Buffer.alloc(4))

/** (0000,0002) left out: the elements of the others, with their group length. */
function commandWithout(element: number): Buffer {
  const bytes = encodeCommandSet(STORE)
  const kept: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32LE(at + 4)
    if (bytes.readUInt16LE(at + 2) !== element) kept.push(bytes.subarray(at, end))
    at = end
  }
  return pData(CONTEXT_ID, 3, Buffer.concat(kept))
}

/** An item whose length goes beyond the PDU: application context, 0x10. */
function brokenItems(): Buffer {
  const bytes = request()
  bytes.writeUInt16BE(0xffff, 6 + 68 + 2)
  return bytes
}

function evenContextId(): Buffer {
  const bytes = request()
  // Behind the PDU header, the fixed fields and the application context: 6 + 68 + 25.
  bytes[99 + 4] = 2
  return bytes
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'garbage before an association': { first: Buffer.from([0xde, 0xad, 0xbe, 0xef]) },
  'an HTTP request': { first: Buffer.from('GET / HTTP/1.1\r\nHost: pacs\r\n\r\n') },
  'a TLS ClientHello': { first: Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]) },
  'an A-ASSOCIATE-RQ longer than `limits.maximumAssociatePduBytes`': { first: pdu(0x01, Buffer.alloc(0), 0x7fff_ffff) },
  'an A-ASSOCIATE-RQ whose items do not fit their lengths': { first: brokenItems() },
  'an A-ASSOCIATE-RQ with an even presentation context ID': { first: evenContextId() },
  'P-DATA before an association': { first: command() },
  'nothing at all': { options: { timeouts: { acseMs: 50 } } },
  'protocol version without bit 0': { first: request({ protocolVersion: 2 }) },
  'another application context name': { first: request({ applicationContextName: '1.2.3' }) },
  'a maximum length into which no data fits': { first: request({ userInformation: [{ type: 0x51, maximumLengthReceived: 6 }] }) },
  'another called AE title, with `requireCalledAeTitle`': { options: { requireCalledAeTitle: true }, first: request({ calledAeTitle: 'OTHER' }) },
  'a calling AE title that is not in `requireCallingAeTitles`': { options: { requireCallingAeTitles: ['CT01'] }, first: request() },
  'no user identity, with `requireUserIdentity`': { options: { requireUserIdentity: true }, first: request() },
  'only contexts that are not supported, with `rejectWhenNoContext`': {
    options: { rejectWhenNoContext: true },
    first: request({ presentationContexts: [{ id: 1, abstractSyntax: '1.2.3', transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }] }),
  },
  'one association more than `limits.maximumAssociations`': {
    options: { limits: { maximumAssociations: 1 } },
    first: request(),
    prepare: async (_ae, port) => {
      const other = connect(port, '127.0.0.1')
      other.write(request())
      await once(other, 'data')
      // The abort at the end.
      other.once('data', () => other.destroy())
    },
  },
  'an association request while the server closes': {
    first: request(),
    prepare: async (ae) => {
      // The close waits in preClose, as it does for a plugin.
      const isClosing = new Promise<void>((resolve) => {
        ae.bind('preClose', async () => {
          resolve()
          await new Promise<void>((done) => ae.bind('associationRejected', () => done()))
        })
      })
      void ae.close({ deadlineMs: 0 })
      await isClosing
    },
  },
  'an unknown user information item': { first: request({ userInformation: [...REQUEST.userInformation, { type: 0x7a, unknown: true, data: Buffer.from('x') } as UserItem] }) },
  'an unknown PDU type in an association': { next: [pdu(0x0a, Buffer.alloc(4))] },
  'a second A-ASSOCIATE-RQ': { next: [request()] },
  'an A-RELEASE-RP that nobody asked for': { next: [pdu(0x06, Buffer.alloc(4))] },
  // The first request keeps the association in Sta8, waiting for the end of its handler.
  'P-DATA after its own A-RELEASE-RQ': { next: [command(), DATA_SET, RELEASE, command({ messageId: 2 })] },
  'an A-RELEASE-RQ of a wrong length': { next: [pdu(0x05, Buffer.alloc(8))] },
  'a P-DATA-TF longer than `limits.maximumPduBytes`': { options: { limits: { maximumPduBytes: 4096 } }, next: [pdu(0x04, Buffer.alloc(0), 4097)] },
  'a P-DATA-TF without a PDV': { next: [pdu(0x04, Buffer.alloc(0))] },
  'a PDV longer than its P-DATA-TF': { next: [pdu(0x04, Buffer.from([0, 0, 0, 9, 1, 3, 0, 0]))] },
  'a PDV on an even presentation context ID': { next: [pData(2, 3, Buffer.alloc(8))] },
  'a PDV on a context that was not accepted': { next: [pData(99, 3, Buffer.alloc(8))] },
  'a data set without a command': { next: [DATA_SET] },
  'a fragment of another context inside a message': { next: [pData(CONTEXT_ID, 1, Buffer.alloc(8)), pData(OTHER_CONTEXT_ID, 1, Buffer.alloc(8))] },
  'a command fragment inside a data set': { next: [command(), command()] },
  'a data set fragment inside a command': { next: [pData(CONTEXT_ID, 1, Buffer.alloc(8)), DATA_SET] },
  'a command set longer than `limits.maximumCommandSetBytes`': { options: { limits: { maximumCommandSetBytes: 1024 } }, next: [pData(CONTEXT_ID, 3, Buffer.alloc(1026))] },
  'a command set that cannot be read': { next: [pData(CONTEXT_ID, 3, Buffer.from('not a command'))] },
  'a request without a Message ID': { next: [commandWithout(0x0110)] },
  'half a PDU, then silence': { options: { timeouts: { networkMs: 50 } }, next: [command().subarray(0, 8)] },
  'half a message, then silence': { options: { timeouts: { dimseMs: 50 } }, next: [command()] },
  'nothing in an established association': { options: { timeouts: { networkMs: 50 } }, next: [] },

  'a request without a mandatory element': { next: [commandWithout(0x1000), DATA_SET] },
  'a C-STORE without a data set': { next: [withoutDataSet({})] },
  'a command field that is no request': { next: [withoutDataSet({ commandField: 0x0555 })] },
  // The first request is answered too, when the second one has arrived.
  'a Message ID that is in use': { next: [command({ affectedSopInstanceUid: '2.25.9' }), DATA_SET, command(), DATA_SET], skip: 1 },
  'a SOP Instance UID that is no UID': { next: [command({ affectedSopInstanceUid: '../../etc/passwd' }), DATA_SET] },
  'a C service for another SOP class than its context\'s': { next: [command({ affectedSopClassUid: SopClass.MRImageStorage }), DATA_SET] },
  'an N service for a SOP class of another service': {
    next: [
      withoutDataSet(
        {
          commandField: 0x0110,
          affectedSopClassUid: undefined,
          affectedSopInstanceUid: undefined,
          requestedSopClassUid: SopClass.BasicFilmSession,
          requestedSopInstanceUid: '2.25.7',
        },
        5,
      ),
    ],
  },
  'a request for which no plugin answers': { next: [command({ affectedSopInstanceUid: '2.25.8' }), DATA_SET] },
  'a C-CANCEL for an operation that does not exist': { next: [withoutDataSet({ commandField: 0x0fff, messageIdBeingRespondedTo: 99, messageId: undefined })] },
  'a response that answers no request': { next: [withoutDataSet({ commandField: 0x8001, messageIdBeingRespondedTo: 99, messageId: undefined, status: 0 })] },
}

const rows = tableRows(readPage('docs/reference/hostile-input.md'))
const documented = new Map(rows.map(([sends = '', gets = '']) => [sends, gets]))

for (const [sends, scenario] of Object.entries(SCENARIOS)) {
  test(`hostile input: ${sends}`, async (t) => {
    const gets = documented.get(sends) ?? 'no row in the page'
    t.is(await answerTo(scenario), gets.replace(/ after `.*`$/, '').replace(/^the connection is closed$/, 'closed'))
  })
}

test('every row that has a test is in the page, and the other way round', (t) => {
  const text = readPage('docs/reference/hostile-input.md').text
  const tested = text.slice(text.indexOf('## Bytes'), text.indexOf('## Data sets'))
  const inTables = tableRows({ path: '', text: tested }).map(([sends = '']) => sends).filter((sends) => sends !== 'the peer sends')
  t.deepEqual(inTables.sort(), Object.keys(SCENARIOS).sort())
})

/** Sends a scenario to a server of its own and tells the answer in the words of the page. */
async function answerTo({ options, first = request(), next, prepare, skip = 0 }: Scenario): Promise<string> {
  const ae = new ApplicationEntity({ aeTitle: 'HOSTILE', logLevel: 'silent', ...options })
  for (const { abstractSyntax } of REQUEST.presentationContexts) ae.addSupportedContext(abstractSyntax)
  // Answers nothing; leaves instance 2.25.7 hanging until the association ends, 2.25.9 until the next request.
  ae.bind('cStore', async (store, operation) => {
    const { affectedSopInstanceUid } = store
    if (affectedSopInstanceUid === '2.25.7') await once(operation.signal, 'abort')
    if (affectedSopInstanceUid === '2.25.9') await new Promise<void>((resolve) => ae.bind('dimseReceived', () => resolve()))
    return undefined
  })
  const { port } = await ae.listen({ port: 0, host: '127.0.0.1' })
  await prepare?.(ae, port)
  const socket = connect(port, '127.0.0.1')
  const answers = pdusOf(socket)
  try {
    const isSilent = options?.timeouts?.acseMs !== undefined
    if (!isSilent) socket.write(first)
    const answer = await answers.next()
    if (next === undefined || answer.done === true) return describe(answer.value)
    for (const bytes of next) socket.write(bytes)
    // Where nothing is answered, the answer to the release is the next thing.
    if (next.length === 1 && isIgnored(next[0] as Buffer)) socket.write(RELEASE)
    for (let skipped = 0; skipped < skip; skipped++) await answers.next()
    const { value } = await answers.next()
    return describe(value)
  } finally {
    socket.destroy()
    ae.abort()
    await ae.close({ deadlineMs: 0 })
  }
}

function isIgnored(bytes: Buffer): boolean {
  return bytes[0] === 0x04 && [0x8001, 0x0fff].some((field) => bytes.includes(Buffer.from([0, 0, 0, 1, 2, 0, 0, 0, field & 0xff, field >> 8])))
}

async function* pdusOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 6 && bytes.length >= 6 + bytes.readUInt32BE(2)) {
      const end = 6 + bytes.readUInt32BE(2)
      yield bytes.subarray(0, end)
      bytes = bytes.subarray(end)
    }
  }
  return undefined
}

function describe(answer: Buffer | undefined): string {
  switch (answer?.[0]) {
    case undefined:
      return 'closed'
    case 0x02:
      return 'A-ASSOCIATE-AC'
    case 0x03:
      return `A-ASSOCIATE-RJ ${answer.subarray(7, 10).join(',')}`
    case 0x06:
      return 'nothing'
    case 0x07:
      return `A-ABORT ${answer.subarray(8, 10).join(',')}`
    default:
      return `status ${statusOf(answer as Buffer)}`
  }
}

/** Status (0000,0900), US: tag, length 2, value. */
function statusOf(answer: Buffer): string {
  const at = answer.indexOf(Buffer.from([0x00, 0x00, 0x00, 0x09, 2, 0, 0, 0]))
  return answer.readUInt16LE(at + 8).toString(16).toUpperCase().padStart(4, '0')
}
