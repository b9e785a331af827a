import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { CStoreRequest } from '../../dist/dimse/types.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { associateRequest, createTestServer, cutMessage, hookRecorder, scriptedPeer } from '../../dist/testing/index.js'
import type { ReceivedMessage, ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { bytes } from '../fixtures/pdus.ts'
import { turnsUntil } from '../support/connections.ts'
import { healthy } from '../support/healthy.ts'
import { IDENTIFIER, PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_GET, VERIFICATION } from '../support/uids.ts'
import { scripted, SOME } from '../support/user.ts'

// What has brought down, silenced or fooled DICOM servers before, by its plain name. Each gets its answer, nobody
// is asked who should not be, and the next peer is served.

interface Side {
  readonly server: TestServer
  readonly peer: ScriptedPeer
  /** Instances that a handler was asked about. */
  readonly asked: string[]
  /** Data sets that a handler was given whole. */
  readonly received: Buffer[]
}

const DEFLATED = '1.2.840.10008.1.2.1.99'
const STORE = requestOf('C-STORE').command

async function attacked(t: ExecutionContext, attack: (side: Side) => Promise<void>, options: TestServerOptions = {}): Promise<void> {
  const asked: string[] = []
  const received: Buffer[] = []
  await using server = await createTestServer({
    contexts: SUPPORTED.map((context) => (context.abstractSyntax === CT_IMAGE ? { ...context, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE, DEFLATED] } : context)),
    ...options,
    handlers: {
      cStore: async (request) => {
        asked.push(request.affectedSopInstanceUid)
        return stored(request, received)
      },
      cFind: async (request) => (await request.identifier.dataset(), 0),
      ...options.handlers,
    },
  })
  using peer = await scriptedPeer(server.port)
  await attack({ server, peer, asked, received })
  await healthy(t, server, t.title)
}

async function stored({ dataSet }: CStoreRequest, received: Buffer[]): Promise<number> {
  const whole = await dataSet.buffer()
  received.push(whole)
  return 0
}

const decoding: TestServerOptions = { handlers: { cStore: async (request) => (await request.dataSet.dataset(), 0) } }

async function store(peer: ScriptedPeer, dataSet: Uint8Array, contextId = 3): Promise<ReceivedMessage> {
  await peer.sendMessage(contextId, STORE, dataSet)
  return peer.receiveMessage()
}

/** (0040,A730) SQ and an item in it, both of undefined length, again and again, never closed. */
const nested = (depth: number): Buffer => Buffer.alloc(depth * 16, bytes('40 00 30 a7 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff'))
const abortByProvider = (reason: number): Buffer => bytes('07 00 00 00 00 04 00 00', '02', `0${reason}`)

test('one P-DATA-TF with the command and two or more pieces of the data set', (t) =>
  attacked(t, async ({ peer, received }) => {
    await peer.associate({ contexts: PROPOSED })
    for (const fragmentBytes of [4, 1]) {
      const [whole] = cutMessage(3, STORE, IDENTIFIER, { fragmentBytes: 200, pdvsPerPdu: 100 })
      const pieces = cutMessage(3, STORE, IDENTIFIER, { fragmentBytes, pdvsPerPdu: 10_000 })
      t.is(pieces.length, 1)
      await peer.sendPdu({ type: 'P-DATA-TF', pdvs: [whole!.pdvs[0]!, ...pieces[0]!.pdvs.filter(({ isCommand }) => !isCommand)] })
      t.is((await peer.receiveMessage()).command.status, 0)
    }
    t.deepEqual(received, [Buffer.from(IDENTIFIER), Buffer.from(IDENTIFIER)])
  }))

test('sequences nested 20 000 and 200 000 deep, passed through', (t) =>
  attacked(t, async ({ peer, received }) => {
    await peer.associate({ contexts: PROPOSED })
    for (const depth of [20_000, 200_000]) t.is((await store(peer, nested(depth))).command.status, 0)
    t.deepEqual(received.map(({ length }) => length), [320_000, 3_200_000])
  }))

test('sequences nested 20 000 and 200 000 deep, decoded', (t) =>
  attacked(
    t,
    async ({ peer }) => {
      await peer.associate({ contexts: PROPOSED })
      for (const depth of [20_000, 200_000]) t.is((await store(peer, nested(depth))).command.status, 0xc000)
    },
    decoding,
  ))

test('more than 64 transfer syntaxes in a context', (t) =>
  attacked(t, async ({ peer }) => {
    const unknown = Array.from({ length: 200 }, (_, index) => `1.2.3.${index + 1}`)
    const accept = await peer.associate({ contexts: [[VERIFICATION, ...unknown, IMPLICIT_LE]] })
    t.deepEqual(accept.presentationContexts, [{ id: 1, result: 0, transferSyntax: IMPLICIT_LE }])
  }))

test('a UID of 65 bytes', (t) =>
  attacked(t, async ({ peer }) => {
    const request = encodePdu(associateRequest({ contexts: [[`1.${'2'.repeat(62)}`]] }))
    // The length of the abstract syntax and of what it is in, one byte more each.
    const at = request.indexOf(bytes('30 00 00 40'))
    const longer = Buffer.concat([request.subarray(0, at + 4), Buffer.from('3'), request.subarray(at + 4)])
    longer.writeUInt16BE(0x41, at + 2)
    longer.writeUInt16BE(longer.readUInt16BE(at - 6) + 1, at - 6)
    longer.writeUInt32BE(longer.length - 6, 2)
    await peer.send(longer)
    t.deepEqual(await peer.receiveRawPdu(), bytes('07 00 00 00 00 04 00 00 00 00'))
  }))

test.serial('a request that stops after 100 bytes, and a peer that stays after a reject or a release: ARTIM ends each', (t) =>
  attacked(
    t,
    async ({ server, peer }) => {
      using rejected = await scriptedPeer(server.port)
      using released = await scriptedPeer(server.port)
      await peer.send(encodePdu(associateRequest({ contexts: PROPOSED })).subarray(0, 100))
      await rejected.requestAssociation({ applicationContextName: '1.2.3' })
      await released.associate()
      await released.sendPdu({ type: 'A-RELEASE-RQ' })
      await released.receivePdu()
      await Promise.all([peer, rejected, released].map((each) => each.receiveClose()))
      t.true(await turnsUntil(() => server.server.connections === 0, 20_000))
    },
    { timeouts: { acseMs: 1_500 } },
  ))

test('AE titles with spaces before them are the titles', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', requireCalledAeTitle: true, requireCallingAeTitles: ['CT'] })
  for (const [calledAeTitle, callingAeTitle, answer] of [['   ARCHIVE', '  CT', 'A-ASSOCIATE-AC'], ['ARCHIVE', 'C T', 'A-ASSOCIATE-RJ'], ['ARCHIV', 'CT', 'A-ASSOCIATE-RJ']] as const) {
    using peer = await scriptedPeer(server.port)
    t.is((await peer.requestAssociation({ calledAeTitle, callingAeTitle })).type, answer, calledAeTitle)
  }
})

test.serial('a deflated data set of 130 KB that becomes 128 MB', (t) =>
  attacked(
    t,
    async ({ peer }) => {
      await peer.associate({ contexts: [[CT_IMAGE, DEFLATED]] })
      // (7FE0,0010) OB of 1 GiB, of which 128 MB come: zeros.
      const deflated = deflateRawSync(Buffer.concat([bytes('e0 7f 10 00 4f 42 00 00 00 00 00 40'), Buffer.alloc(128_000_000)]), { level: 9 })
      const before = process.memoryUsage()
      t.is((await store(peer, deflated.length % 2 === 0 ? deflated : Buffer.concat([deflated, Buffer.alloc(1)]), 1)).command.status, 0xc000)
      const after = process.memoryUsage()
      const grown = after.heapUsed + after.external - before.heapUsed - before.external
      t.true(grown < 100_000_000, `${grown} bytes`)
    },
    decoding,
  ))

test('a data set that nobody can decode still gets its response, and the next one too', (t) =>
  attacked(
    t,
    async ({ peer }) => {
      await peer.associate({ contexts: [...PROPOSED, [CT_IMAGE, EXPLICIT_LE]] })
      const preamble = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), bytes('02 00 10 00', '"UI', '12 00', '"1.2.840.10008.1.2', '00')])
      const bad: Readonly<Record<string, readonly [number, Buffer]>> = {
        'a file with its preamble': [3, preamble],
        'text': [3, Buffer.from('GET / HTTP/1.1\r\nHost: archive\r\n\r\n')],
        'an element that claims 4 GiB': [3, bytes('10 00 10 00 fe ff ff ff', '"Doe')],
        'an element that ends before its length': [3, bytes('10 00 10 00 10 00 00 00', '"Doe')],
        'a VR that there is not': [15, bytes('10 00 10 00', '"??', '04 00', '"Doe ')],
        'half a tag': [3, bytes('10 00')],
      }
      for (const [name, [contextId, dataSet]] of Object.entries(bad)) {
        const { command } = await store(peer, dataSet, contextId)
        t.true(command.status === 0xc000 || command.status === 0, `${name}: ${command.status?.toString(16)}`)
      }
      t.is((await store(peer, bytes('10 00 10 00 fe ff ff ff', '"Doe'))).command.status, 0xc000)
      t.is((await store(peer, IDENTIFIER)).command.status, 0)
    },
    decoding,
  ))

test('the fragments of two messages, interleaved, become neither', (t) =>
  attacked(t, async ({ peer, received }) => {
    await peer.associate({ contexts: PROPOSED })
    const one = cutMessage(3, STORE, Buffer.alloc(20, 1), { fragmentBytes: 200 })
    const two = cutMessage(5, requestOf('C-FIND').command, Buffer.alloc(20, 2), { fragmentBytes: 200 })
    await peer.sendPdu(one[0]!, two[0]!, one[1]!, two[1]!)
    t.deepEqual(await peer.receiveRawPdu(), abortByProvider(5))
    t.deepEqual(received, [])
  }))

test('a C-STORE without a data set, or without an element it must have, is no C-STORE', (t) =>
  attacked(t, async ({ peer, asked }) => {
    await peer.associate({ contexts: PROPOSED })
    await peer.sendMessage(3, { ...STORE, commandDataSetType: 0x0101 })
    t.is((await peer.receiveMessage()).command.status, 0x0212)
    for (const element of requestOf('C-STORE').mandatory.filter((name) => name !== 'messageId')) {
      await peer.sendMessage(3, { ...STORE, [element]: undefined }, IDENTIFIER)
      t.is((await peer.receiveMessage()).command.status, 0x0212, element)
    }
    t.deepEqual(asked, [])
  }))

test('a P-DATA-TF longer than was announced', (t) =>
  attacked(
    t,
    async ({ peer }) => {
      const { userInformation } = await peer.associate({ contexts: PROPOSED })
      t.like(userInformation[0], { type: 0x51, maximumLengthReceived: 8_192 })
      await peer.sendMessage(3, STORE, Buffer.alloc(20_000), { fragmentBytes: 8_187 })
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(6))
    },
    { limits: { maximumPduBytes: 8_192 } },
  ))

test('a C-STORE after an A-RELEASE-RQ, an A-ABORT or a second A-ASSOCIATE-RQ stores nothing', (t) =>
  attacked(t, async ({ server, peer, asked }) => {
    using recorder = hookRecorder(server.ae, ['connectionClosed'])
    const late = cutMessage(3, { ...STORE, affectedSopInstanceUid: '9.9.9' }, IDENTIFIER).map(encodePdu)
    for (const before of [encodePdu({ type: 'A-RELEASE-RQ' }), encodePdu({ type: 'A-ABORT', source: 0, reason: 0 }), encodePdu(associateRequest())]) {
      using each = await scriptedPeer(server.port)
      await each.associate({ contexts: PROPOSED })
      // In one write, so that nothing else is between.
      await each.send(before, ...late)
      each.end()
      await recorder.next('connectionClosed')
    }
    t.deepEqual(asked, [])
    await peer.close()
  }))

test('nothing is sent that is longer than the peer takes, be that 7 bytes', (t) =>
  attacked(t, async ({ server }) => {
    for (const maximumLength of [7, 8, 100, 131_072]) {
      using peer = await scriptedPeer(server.port)
      await peer.associate({ contexts: [[VERIFICATION]], maximumLength })
      await peer.sendMessage(1, requestOf('C-ECHO').command)
      const { command, pduLengths } = await peer.receiveMessage()
      t.is(command.status, 0)
      t.true(Math.max(...pduLengths) <= maximumLength, `${Math.max(...pduLengths)} of ${maximumLength}`)
      await peer.release()
    }
  }))

test('UIDs that are paths reach no handler', (t) =>
  attacked(t, async ({ peer, asked }) => {
    await peer.associate({ contexts: PROPOSED })
    for (const affectedSopInstanceUid of ['../../x', '/etc/passwd', 'C:\\x', '1.2.3/../../x', '1.2.3\u00004', '..', '.', '1..2', '%2e%2e', '1.2.3;rm -rf', '$(id)', '1.2.3\n']) {
      await peer.sendMessage(3, { ...STORE, affectedSopInstanceUid }, IDENTIFIER)
      t.is((await peer.receiveMessage()).command.status, 0x0117, JSON.stringify(affectedSopInstanceUid))
    }
    t.deepEqual(asked, [])
  }))

test('a Move Destination that is longer than any title reaches no handler', (t) => {
  const asked: string[] = []
  const cMove = ({ moveDestination }: { readonly moveDestination: string }): number => {
    asked.push(moveDestination)
    return 0xa702
  }
  return attacked(
    t,
    async ({ peer }) => {
      const { contextId, command, dataSet } = requestOf('C-MOVE')
      await peer.associate({ contexts: PROPOSED })
      for (const moveDestination of [`A${' '.repeat(60_000)}A`, 'A'.repeat(17)]) {
        await peer.sendMessage(contextId, { ...command, moveDestination }, dataSet)
        t.is((await peer.receiveMessage()).command.status, 0xa801)
      }
      t.deepEqual(asked, [])
      await peer.sendMessage(contextId, { ...command, moveDestination: ' A234567890123456 ' }, dataSet)
      t.is((await peer.receiveMessage()).command.status, 0xa702)
      t.deepEqual(asked, ['A234567890123456'])
    },
    { handlers: { cMove } },
  )
})

test('the receiving side of a C-GET is a server too: UIDs that are paths reach no handler there', async (t) => {
  const asked: string[] = []
  const { association, peer, answer } = await scripted([{ abstractSyntax: STUDY_ROOT_GET }, { abstractSyntax: CT_IMAGE, roles: { scu: true, scp: true } }])
  association.bind('cStore', async (request) => {
    asked.push(request.affectedSopInstanceUid)
    return 0
  })
  const responses = association.cGet(IDENTIFIER, { model: STUDY_ROOT_GET })
  const final = responses.next()
  const request = await peer.receiveMessage()
  for (const affectedSopInstanceUid of ['../../x', '/x', '1.2.3']) {
    await peer.sendMessage(3, { ...STORE, affectedSopInstanceUid, commandDataSetType: SOME }, IDENTIFIER)
    t.is((await peer.receiveMessage()).command.status, affectedSopInstanceUid === '1.2.3' ? 0 : 0x0117)
  }
  await answer(request, { status: 0, numberOfCompletedSuboperations: 1, numberOfFailedSuboperations: 2 })
  t.is((await final).value?.status, 0)
  t.deepEqual(asked, ['1.2.3'])
  association.abort()
  await peer.close()
  await association.closed
})

test('AE titles that are paths, of another area, or too clever are titles and nothing else', (t) =>
  attacked(t, async ({ server }) => {
    for (const title of ['../../../x', 'A/../B', '$(reboot)', '`id`', "'; DROP TABLE", '%s%s%n', '{{7*7}}', '__proto__']) {
      using peer = await scriptedPeer(server.port)
      await peer.associate({ contexts: [[VERIFICATION]], calledAeTitle: title, callingAeTitle: title })
      t.like(server.ae.activeAssociations.at(-1), { calledAeTitle: title, callingAeTitle: title })
      await peer.release()
    }
  }))

test('names of elements and of SOP classes that JavaScript has a meaning for', (t) =>
  attacked(t, async ({ server }) => {
    for (const uid of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      using peer = await scriptedPeer(server.port)
      const { presentationContexts } = await peer.associate({ contexts: [[uid, uid], [VERIFICATION]] })
      t.deepEqual(presentationContexts.map(({ result }) => result), [3, 0])
      await peer.sendMessage(3, { ...requestOf('C-ECHO').command, affectedSopClassUid: uid })
      t.is((await peer.receiveMessage()).command.status, 0x0122)
      await peer.release()
    }
  }))

test.serial('an element that claims gigabytes costs the bytes that came', (t) =>
  attacked(t, async ({ peer }) => {
    await peer.associate({ contexts: PROPOSED })
    const find = cutMessage(5, requestOf('C-FIND').command, bytes('10 00 10 00 fe ff ff 7f', '"Doe^'), { fragmentBytes: 200 })
    const before = process.memoryUsage()
    await peer.sendPdu(...find)
    t.is((await peer.receiveMessage()).command.status, 0xc000)
    const after = process.memoryUsage()
    t.true(after.arrayBuffers - before.arrayBuffers < 50_000_000)
  }))

test('each request gets one final response, in whatever way its handler fails', (t) =>
  attacked(
    t,
    async ({ peer }) => {
      await peer.associate({ contexts: PROPOSED })
      for (let messageId = 1; messageId <= 5; messageId++) {
        await peer.sendMessage(3, { ...STORE, messageId }, IDENTIFIER)
        const { command } = await peer.receiveMessage()
        t.like(command, { messageIdBeingRespondedTo: messageId, commandField: 0x8001 })
        t.not(command.status, 0)
      }
      t.is(peer.unreadBytes, 0)
      await peer.release()
    },
    {
      handlers: {
        cStore: ({ messageId }) => {
          const failures: readonly (() => unknown)[] = [
            () => {
              throw new Error('/srv/dicom/secret.dcm')
            },
            () => Promise.reject(new TypeError('no')),
            () => 'nonsense',
            () => null,
            () => undefined,
          ]
          return failures[messageId - 1]!() as never
        },
      },
    },
  ))
