import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { delimiter, join } from 'node:path'
import { accessSync, constants } from 'node:fs'
import test from 'ava'
import { decodePdu } from '../../dist/pdu/decode.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { PduFramer } from '../../dist/pdu/framer.js'
import type { AAssociateRq, Pdu } from '../../dist/pdu/types.js'
import { findUserItem } from '../../dist/pdu/user-items/find.js'
import { LIMITS } from './recorder.ts'

// DCMTK as the other reader and writer of the same bytes. It must be installed: without it these are skipped.
const hasDcmtk = (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'echoscu'), constants.X_OK)
    return true
  } catch {
    return false
  }
})
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write('SKIPPED: echoscu of DCMTK is not installed, the PDU codec was not tried against it\n')

interface Exchange {
  /** The PDUs that the peer sent, with the bytes of each. */
  readonly received: readonly { readonly pdu: Pdu; readonly body: Buffer }[]
  readonly output: string
}

/** Runs echoscu against a server that answers each PDU with `answer`. */
async function echoscu(options: readonly string[], answer: (pdu: Pdu) => Pdu | undefined): Promise<Exchange> {
  const received: { pdu: Pdu; body: Buffer }[] = []
  const server = createServer((socket: Socket) => {
    const take = (pdu: Pdu, body: Buffer): void => {
      received.push({ pdu, body })
      const reply = answer(pdu)
      if (reply !== undefined) socket.write(encodePdu(reply))
    }
    let data = Buffer.alloc(0)
    const framer = new PduFramer(
      {
        pdu: (type, body) => take(decodePdu(type, body), Buffer.from(body)),
        pDataStart: () => {
          data = Buffer.alloc(0)
        },
        pdvFragment: (presentationContextId, isCommand, isLast, fragment, _first, end) => {
          data = Buffer.concat([data, fragment])
          if (end) take({ type: 'P-DATA-TF', pdvs: [{ presentationContextId, isCommand, isLast, data }] }, data)
        },
        pDataEnd: () => {},
      },
      LIMITS,
    )
    socket.on('data', (chunk: Buffer) => framer.push(chunk))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const output = await new Promise<string>((resolve) => {
    execFile('echoscu', ['-d', ...options, '127.0.0.1', String(port)], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
  await new Promise((resolve) => server.close(resolve))
  return { received, output }
}

interop('DCMTK: its A-ASSOCIATE-RQ is decoded, and encoded to the same bytes', async (t) => {
  const { received, output } = await echoscu(
    ['-aet', 'MODALITY', '-aec', 'ARCHIVE', '--propose-ts', '3'],
    () => ({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 }),
  )
  const [first] = received
  if (first === undefined) throw new Error('Nothing was received')
  const pdu = first.pdu as AAssociateRq
  t.like(pdu, { type: 'A-ASSOCIATE-RQ', protocolVersion: 1, calledAeTitle: 'ARCHIVE', callingAeTitle: 'MODALITY' })
  t.deepEqual(pdu.presentationContexts, [
    {
      id: 1,
      abstractSyntax: '1.2.840.10008.1.1',
      transferSyntaxes: ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2'],
    },
  ])
  t.is(findUserItem(pdu.userInformation, 0x51)?.maximumLengthReceived, 16384)
  t.regex(findUserItem(pdu.userInformation, 0x55)?.implementationVersionName ?? '', /^OFFIS_DCMTK_/)
  // PS3.8 9.3.2.2 reserves the three bytes after the context id: DCMTK sends ff in one of them, we send 0.
  const expected = Buffer.from(first.body).fill(0, 98, 101)
  t.is(encodePdu(pdu).subarray(6).toString('hex'), expected.toString('hex'))
  t.regex(output, /Called AE Title Not Recognized/i, 'and the rejection is understood')
})

interop('DCMTK: an A-ASSOCIATE-AC, a P-DATA-TF, an A-RELEASE-RP of ours are understood', async (t) => {
  const { received, output } = await echoscu([], (pdu) => {
    switch (pdu.type) {
      case 'A-ASSOCIATE-RQ':
        return {
          ...pdu,
          type: 'A-ASSOCIATE-AC',
          presentationContexts: [{ id: 1, result: 0, transferSyntax: '1.2.840.10008.1.2' }],
          userInformation: [
            { type: 0x51, maximumLengthReceived: 32768 },
            { type: 0x52, implementationClassUid: '2.25.123456789' },
            { type: 0x55, implementationVersionName: 'DICOMTAP1' },
            { type: 0x60, unknown: true, data: Uint8Array.of(1, 2, 3) },
          ],
        }
      case 'P-DATA-TF':
        return {
          type: 'P-DATA-TF',
          pdvs: [{ presentationContextId: 1, isCommand: true, isLast: true, data: ECHO_RSP }],
        }
      case 'A-RELEASE-RQ':
        return { type: 'A-RELEASE-RP' }
      default:
        return undefined
    }
  })
  t.deepEqual(
    received.map(({ pdu }) => pdu.type),
    ['A-ASSOCIATE-RQ', 'P-DATA-TF', 'A-RELEASE-RQ'],
  )
  t.like(received[1]?.pdu, { pdvs: [{ presentationContextId: 1, isCommand: true, isLast: true }] })
  t.regex(output, /Their Implementation Class UID:\s+2\.25\.123456789/)
  t.regex(output, /Their Implementation Version Name:\s+DICOMTAP1/)
  t.regex(output, /Their Max PDU Receive Size:\s+32768/)
  t.regex(output, /Received Echo Response \(Success\)/)
  t.notRegex(output, /^[EF]: /m)
})

/** C-ECHO-RSP to message 1, implicit VR little endian (PS3.7 9.3.5.2). */
const ECHO_RSP = Buffer.from(
  [
    '0000 0000 04000000 42000000', // (0000,0000) Command Group Length: 66
    '0000 0200 12000000 312e322e3834302e31303030382e312e3100', // (0000,0002) Affected SOP Class UID: Verification
    '0000 0001 02000000 3080', // (0000,0100) Command Field: C-ECHO-RSP
    '0000 2001 02000000 0100', // (0000,0120) Message ID Being Responded To: 1
    '0000 0008 02000000 0101', // (0000,0800) Command Data Set Type: none
    '0000 0009 02000000 0000', // (0000,0900) Status: 0000
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
)
