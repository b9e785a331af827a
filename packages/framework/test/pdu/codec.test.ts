import test from 'ava'
import type { ExecutionContext } from 'ava'
import { AbortReason, DicomtapError, PduError } from '../../dist/errors/index.js'
import type { ErrorCode } from '../../dist/errors/index.js'
import { decodePdu } from '../../dist/pdu/decode.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { DEFAULT_ASSOCIATE_LIMITS } from '../../dist/pdu/limits.js'
import { P_DATA_TF_HEADER_BYTES, writePDataTfHeader } from '../../dist/pdu/p-data-tf.js'
import type { AAssociateAc, AAssociateRq, Pdu } from '../../dist/pdu/types.js'
import { filterUserItems, findUserItem, isKnownUserItem } from '../../dist/pdu/user-items/find.js'
import { UserItemType } from '../../dist/pdu/user-items/item-types.js'
import { A_ASSOCIATE_AC, A_ASSOCIATE_RQ, bytes, P_DATA_TF, PDU_FIXTURES } from '../fixtures/pdus.ts'

const CT = '"1.2.840.10008.5.1.4.1.1.2'
const FIXED_FIELDS = bytes('00 01 00 00', '"ARCHIVE         ', '"MODALITY        ', '00'.repeat(32))

/** An item of given type around its fields, with the length that they have. */
function item(type: string, ...fields: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(fields.map((field) => (typeof field === 'string' ? bytes(field) : field)))
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([bytes(type), length, body])
}

function decodeRq(...items: readonly Buffer[]): AAssociateRq {
  return decodePdu(1, Buffer.concat([FIXED_FIELDS, ...items])) as AAssociateRq
}

function decodeAc(...items: readonly Buffer[]): AAssociateAc {
  return decodePdu(2, Buffer.concat([FIXED_FIELDS, ...items])) as AAssociateAc
}

function decodeUserItems(...items: readonly Buffer[]): AAssociateRq['userInformation'] {
  return decodeRq(item('50 00', ...items)).userInformation
}

function context(id: string, ...subItems: readonly Buffer[]): Buffer {
  return item('20 00', id, '00 00 00', ...subItems)
}

const ABSTRACT = item('30 00', '"1.2.840.10008.1.1')
const TRANSFER = item('40 00', '"1.2.840.10008.1.2')

function refuses(t: ExecutionContext, code: ErrorCode, abortReason: number, decode: () => unknown, name = ''): void {
  const error = t.throws(decode, { instanceOf: PduError, code }, name)
  t.is(error?.abortReason, abortReason as never, name)
  t.notRegex(error?.message ?? '', /\n/)
}

function malformed(t: ExecutionContext, decode: () => unknown, name?: string): void {
  refuses(t, 'DICOMTAP_ERR_PDU_MALFORMED', AbortReason.InvalidPduParameterValue, decode, name)
}

for (const fixture of PDU_FIXTURES) {
  test(`${fixture.name} is decoded from the bytes of the standard`, (t) => {
    t.is(fixture.bytes.readUInt32BE(2), fixture.bytes.length - 6, 'the fixture is consistent')
    t.deepEqual(decodePdu(fixture.type, fixture.bytes.subarray(6)), fixture.pdu)
  })

  test(`${fixture.name} is encoded to the bytes of the standard`, (t) => {
    t.is(encodePdu(fixture.pdu).toString('hex'), fixture.bytes.toString('hex'))
  })

  test(`${fixture.name} cut short at any byte is malformed`, (t) => {
    const body = fixture.bytes.subarray(6)
    // At these lengths an A-ASSOCIATE or P-DATA-TF ends between two items.
    const isBoundary = (length: number): boolean => {
      if (fixture === A_ASSOCIATE_RQ) return [68, 93, 143, 224].includes(length)
      if (fixture === A_ASSOCIATE_AC) return [68, 93, 122, 151].includes(length)
      return fixture === P_DATA_TF && [8, 19].includes(length)
    }
    for (let length = 0; length < body.length; length++) {
      const decode = (): Pdu => decodePdu(fixture.type, body.subarray(0, length))
      if (isBoundary(length)) t.notThrows(decode, `${length}`)
      else malformed(t, decode, `${length}`)
    }
  })
}

test('a type that PS3.8 9.3.1 does not name is unrecognized', (t) => {
  for (const type of [0, 8, 0x16, 0x47, 255]) {
    refuses(t, 'DICOMTAP_ERR_PDU_UNRECOGNIZED', AbortReason.UnrecognizedPdu, () => decodePdu(type, Buffer.alloc(4)))
  }
})

test('PDUs without variable items have exactly 4 bytes, reserved ones untested', (t) => {
  for (const type of [3, 5, 6, 7]) malformed(t, () => decodePdu(type, Buffer.alloc(5)))
  t.deepEqual(decodePdu(3, bytes('ff 02 03 01')), { type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 1 })
  t.deepEqual(decodePdu(7, bytes('ff ff 00 09')), { type: 'A-ABORT', source: 0, reason: 9 })
  t.deepEqual(decodePdu(5, bytes('ff ff ff ff')), { type: 'A-RELEASE-RQ' })
})

test('AE titles lose spaces on both sides and NULs at the end; other bytes are Latin-1', (t) => {
  const titles = (called: Buffer, calling: Buffer): string[] => {
    const pdu = decodePdu(1, Buffer.concat([bytes('00 01 00 00'), called, calling, Buffer.alloc(32)])) as AAssociateRq
    return [pdu.calledAeTitle, pdu.callingAeTitle]
  }
  t.deepEqual(titles(bytes('"  MY ARCHIVE    '), bytes('"SIXTEEN-LETTERS!')), ['MY ARCHIVE', 'SIXTEEN-LETTERS!'])
  t.deepEqual(titles(bytes('"AB', '00'.repeat(14)), bytes('"AB ', '00 20 00', '20'.repeat(10))), ['AB', 'AB'])
  t.deepEqual(titles(bytes('20'.repeat(16)), bytes('00'.repeat(16))), ['', ''])
  t.deepEqual(titles(bytes('e4 f6', '20'.repeat(14)), bytes('ff'.repeat(16))), ['äö', 'ÿ'.repeat(16)])
})

test('the protocol version is kept as it is, and reserved fields are not tested', (t) => {
  const body = Buffer.from(A_ASSOCIATE_RQ.bytes.subarray(6))
  body.writeUInt16BE(0x8003, 0)
  body.writeUInt16BE(0xffff, 2)
  body.fill(0xff, 36, 68)
  const titlesAsSent = new Uint8Array(body.subarray(4, 68))
  t.deepEqual(decodePdu(1, body), { ...A_ASSOCIATE_RQ.pdu, protocolVersion: 0x8003, titlesAsSent } as Pdu)
})

test('titles and reserved field that are not plain are kept for the answer, which repeats them (PS3.8 table 9-17)', (t) => {
  const body = Buffer.from(A_ASSOCIATE_RQ.bytes.subarray(6))
  body.write('  ARCHIVE\0\0\0\0\0\0\0', 4, 'latin1')
  const pdu = decodePdu(1, body) as AAssociateRq
  t.is(pdu.calledAeTitle, 'ARCHIVE')
  t.deepEqual(encodePdu(pdu).subarray(6, 6 + 68), body.subarray(0, 68))
  t.throws(() => encodePdu({ ...pdu, titlesAsSent: new Uint8Array(63) }), { code: 'DICOMTAP_ERR_PDU_VALUE' })
})

test('missing items are for ACSE to judge: no application context, no contexts, no user information', (t) => {
  const pdu = decodeRq()
  t.is(pdu.applicationContextName, '')
  t.deepEqual(pdu.presentationContexts, [])
  t.deepEqual(pdu.userInformation, [])
})

test('items come in any order, and unrecognized ones are skipped at every level (PS3.8 9.3.1)', (t) => {
  const unknown = item('7f 00', '01 02 03')
  const pdu = decodeRq(
    unknown,
    item('50 00', item('51 00', '00 00 40 00')),
    context('01', unknown, TRANSFER, unknown, ABSTRACT),
    item('21 00', '05 00 00 00'),
    item('10 00', '"1.2.840.10008.3.1.1.1'),
    unknown,
  )
  t.is(pdu.applicationContextName, '1.2.840.10008.3.1.1.1')
  t.deepEqual(pdu.presentationContexts, [
    { id: 1, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] },
  ])
  t.deepEqual(pdu.userInformation, [{ type: 0x51, maximumLengthReceived: 16384 }])
})

test('an item longer than what contains it is malformed at every level', (t) => {
  malformed(t, () => decodeRq(bytes('10 00 00 02 31')))
  malformed(t, () => decodeRq(bytes('7f 00 ff ff')))
  malformed(t, () => decodeRq(bytes('10 00 00')))
  malformed(t, () => decodeRq(context('01', bytes('30 00 00 05', '"1.2')), Buffer.alloc(64)))
  malformed(t, () => decodeRq(item('50 00', bytes('51 00 00 04 00 00')), Buffer.alloc(64)))
  malformed(t, () => decodeUserItems(bytes('7f 00 00 01')))
})

test('an item that may occur once and occurs twice is an unexpected parameter', (t) => {
  const application = item('10 00', '"1.2.840.10008.3.1.1.1')
  const refusesRepeat = (decode: () => unknown): void =>
    refuses(t, 'DICOMTAP_ERR_PDU_MALFORMED', AbortReason.UnexpectedPduParameter, decode)
  refusesRepeat(() => decodeRq(application, application))
  refusesRepeat(() => decodeRq(item('50 00'), item('50 00')))
  refusesRepeat(() => decodeRq(context('01', ABSTRACT, ABSTRACT, TRANSFER)))
  refusesRepeat(() => decodeAc(item('21 00', '01 00 00 00', TRANSFER, TRANSFER)))
})

test('UIDs lose padding; other characters are no reason to end the association', (t) => {
  const uidOf = (...name: readonly string[]): string | undefined =>
    decodeRq(context('01', item('30 00', bytes(...name)), TRANSFER)).presentationContexts[0]?.abstractSyntax
  t.is(uidOf('"1.2.840.10008.1.1', '00'), '1.2.840.10008.1.1')
  t.is(uidOf('"1.2.840.10008.1.1', '20 00 20'), '1.2.840.10008.1.1')
  t.is(uidOf(), '')
  t.is(uidOf('"1.02.x..3/../', 'e9'), '1.02.x..3/../é')
  t.is(uidOf(`"${'1'.repeat(64)}`), '1'.repeat(64))
})

test('a UID over 64 bytes or with control characters is a value that no peer may send', (t) => {
  const long = `"${'1'.repeat(65)}`
  for (const uid of [long, '"1.2\n3', '"1.2\u00003', '"1.2\u007f', '"1.2\u0085']) {
    const withLength = item('00 00', uid).subarray(2)
    const decoders = {
      application: () => decodeRq(item('10 00', uid)),
      abstract: () => decodeRq(context('01', item('30 00', uid), TRANSFER)),
      transfer: () => decodeRq(context('01', ABSTRACT, item('40 00', uid))),
      acceptedTransfer: () => decodeAc(item('21 00', '01 00 00 00', item('40 00', uid))),
      implementationClass: () => decodeUserItems(item('52 00', uid)),
      role: () => decodeUserItems(item('54 00', withLength, '01 01')),
      extended: () => decodeUserItems(item('56 00', withLength)),
      commonSop: () => decodeUserItems(item('57 00', withLength, '00 00 00 00')),
      commonService: () => decodeUserItems(item('57 00', '00 00', withLength, '00 00')),
      commonRelated: () => decodeUserItems(item('57 00', '00 00 00 00', item('00 00', withLength).subarray(2))),
    }
    for (const [name, decode] of Object.entries(decoders)) {
      refuses(t, 'DICOMTAP_ERR_PDU_VALUE', AbortReason.InvalidPduParameterValue, decode, name)
    }
  }
})

test('a presentation context of a request has one abstract syntax and at least one transfer syntax', (t) => {
  malformed(t, () => decodeRq(context('01', TRANSFER)))
  malformed(t, () => decodeRq(context('01', ABSTRACT)))
  malformed(t, () => decodeRq(item('20 00', '01 00 00')))
  malformed(t, () => decodeRq(item('20 00')))
})

test('presentation context ids are odd and used once', (t) => {
  for (const id of ['00', '02', '80', 'fe']) {
    refuses(t, 'DICOMTAP_ERR_PDU_VALUE', 6, () => decodeRq(context(id, ABSTRACT, TRANSFER)))
    refuses(t, 'DICOMTAP_ERR_PDU_VALUE', 6, () => decodeAc(item('21 00', id, '00 00 00', TRANSFER)))
  }
  const twice = context('ff', ABSTRACT, TRANSFER)
  refuses(t, 'DICOMTAP_ERR_PDU_VALUE', 6, () => decodeRq(twice, twice))
  const accepted = item('21 00', '05 00 00 00', TRANSFER)
  refuses(t, 'DICOMTAP_ERR_PDU_VALUE', 6, () => decodeAc(accepted, accepted))
})

test('128 presentation contexts are the most there can be', (t) => {
  const contexts = Array.from({ length: 128 }, (_, index) =>
    context((2 * index + 1).toString(16).padStart(2, '0'), ABSTRACT, TRANSFER),
  )
  t.is(decodeRq(...contexts).presentationContexts.length, 128)
  refuses(t, 'DICOMTAP_ERR_PDU_TOO_LARGE', 6, () => decodeRq(...contexts, context('01', ABSTRACT, TRANSFER)))
})

test('more transfer syntaxes than any peer knows are read', (t) => {
  const many = Array.from({ length: 500 }, (_, index) => item('40 00', `"1.2.${index}`))
  t.is(decodeRq(context('01', ABSTRACT, ...many)).presentationContexts[0]?.transferSyntaxes.length, 500)
})

test('the transfer syntax of a rejected context is not tested, that of an accepted one is (PS3.8 9.3.3.2)', (t) => {
  const result = (...rest: readonly (string | Buffer)[]): unknown =>
    decodeAc(item('21 00', '01 00', ...rest)).presentationContexts[0]
  t.deepEqual(result('03 00'), { id: 1, result: 3, transferSyntax: '' })
  t.deepEqual(result('03 00', item('40 00')), { id: 1, result: 3, transferSyntax: '' })
  t.deepEqual(result('04 00', item('40 00', '31'.repeat(65))), { id: 1, result: 4, transferSyntax: '' })
  t.deepEqual(result('04 00', item('40 00', '"1\n')), { id: 1, result: 4, transferSyntax: '' })
  t.deepEqual(result('01 ff', TRANSFER, TRANSFER), { id: 1, result: 1, transferSyntax: '1.2.840.10008.1.2' })
  malformed(t, () => result('00 00'))
})

test('a known user item whose length is not that of its fields is malformed', (t) => {
  const uid = bytes('00 19', CT)
  const wrong: Readonly<Record<string, readonly Buffer[]>> = {
    maximumLength: [item('51 00'), item('51 00', '00 00 40'), item('51 00', '00 00 40 00 00')],
    asynchronousOperations: [item('53 00', '00 01 00'), item('53 00', '00 01 00 01 00')],
    role: [
      item('54 00', uid, '01'),
      item('54 00', uid, '01 01 00'),
      item('54 00', '00 1a', CT, '"1'),
      item('54 00', '00 1c', CT, '01 01'),
    ],
    extended: [item('56 00'), item('56 00', '00'), item('56 00', '00 1a', CT)],
    common: [
      item('57 00', uid),
      item('57 00', uid, '00 05', '"1.2'),
      item('57 00', uid, '00 00', '00 01'),
      item('57 00', uid, '00 00', '00 01 00'),
      item('57 00', uid, '00 00', '00 04 00 03', '"1.'),
    ],
    identity: [
      item('58 00', '01 00'),
      item('58 00', '01 00 00 06', '"alice', '00 00'),
      item('58 00', '01 00 00 05', '"alice'),
      item('58 00', '02 00 00 05', '"alice', '00 07', '"secret'),
      item('58 00', '02 00 00 05', '"alice', '00 06', '"secret!'),
    ],
    identityResponse: [item('59 00', '00'), item('59 00', '00 02 00'), item('59 00', '00 00 00')],
  }
  for (const [name, items] of Object.entries(wrong)) {
    for (const bad of items) malformed(t, () => decodeUserItems(bad, item('51 00', '00 00 40 00')), name)
  }
})

test('what later versions add to a common extended negotiation is skipped (PS3.7 D.3.3.6)', (t) => {
  t.deepEqual(decodeUserItems(item('57 02', '00 19', CT, '00 00', '00 00', 'ff ff ff')), [
    {
      type: 0x57,
      subItemVersion: 2,
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      serviceClassUid: '',
      relatedGeneralSopClassUids: [],
    },
  ])
})

test('only 1 stands for a role, and for a response that is requested', (t) => {
  const [role, identity] = decodeUserItems(
    item('54 00', '00 00', '02 01'),
    item('58 00', '01 02', '00 00', '00 00'),
  )
  t.deepEqual(role, { type: 0x54, sopClassUid: '', scuRole: false, scpRole: true })
  t.like(identity, { positiveResponseRequested: false })
})

test('an implementation version name over 16 characters is cut; padding is removed', (t) => {
  t.deepEqual(
    decodeUserItems(item('55 00', '"ABCDEFGHIJKLMNOPQRST'), item('55 00', '"NAME  ', '00'), item('55 00')),
    ['ABCDEFGHIJKLMNOP', 'NAME', ''].map((implementationVersionName) => ({ type: 0x55, implementationVersionName })),
  )
})

test('user items that occur again are kept in order, up to a limit', (t) => {
  const one = item('51 00', '00 00 00 01')
  t.deepEqual(decodeUserItems(one, item('51 00', '00 00 00 02')), [
    { type: 0x51, maximumLengthReceived: 1 },
    { type: 0x51, maximumLengthReceived: 2 },
  ])
  const many = Array.from({ length: DEFAULT_ASSOCIATE_LIMITS.maximumUserItems }, () => one)
  t.is(decodeUserItems(...many).length, DEFAULT_ASSOCIATE_LIMITS.maximumUserItems)
  refuses(t, 'DICOMTAP_ERR_PDU_TOO_LARGE', 6, () => decodeUserItems(...many, item('7f 00')))
})

test('what is decoded outlives the buffer it came in', (t) => {
  const body = Buffer.from(A_ASSOCIATE_RQ.bytes.subarray(6))
  const pdu = decodePdu(1, body)
  body.fill(0xff)
  t.deepEqual(pdu, A_ASSOCIATE_RQ.pdu)
})

test('known user items are found by type, and an unknown one never passes for them', (t) => {
  const items = [
    { type: 0x51, unknown: true, data: Uint8Array.of(1) } as const,
    { type: 0x51, maximumLengthReceived: 7 } as const,
    { type: 0x51, maximumLengthReceived: 8 } as const,
  ]
  t.is(findUserItem(items, UserItemType.MaximumLength)?.maximumLengthReceived, 7)
  t.deepEqual(filterUserItems(items, UserItemType.MaximumLength), items.slice(1))
  t.is(findUserItem(items, UserItemType.ImplementationClassUid), undefined)
  t.deepEqual(items.map(isKnownUserItem), [false, true, true])
})

test('P-DATA-TF: lengths and context ids are checked as the framer does', (t) => {
  malformed(t, () => decodePdu(4, Buffer.alloc(0)))
  for (const length of ['00 00 00 00', '00 00 00 01', '00 00 00 03', 'ff ff ff ff']) {
    malformed(t, () => decodePdu(4, bytes(length, '01 00')), length)
  }
  for (const id of ['00', '02', 'fe']) refuses(t, 'DICOMTAP_ERR_PDU_VALUE', 6, () => decodePdu(4, bytes('00 00 00 02', id, '00')))
  t.like(decodePdu(4, bytes('00 00 00 02', '01 fc')), { pdvs: [{ isCommand: false, isLast: false }] })
})

test('writePDataTfHeader writes what encodePdu writes before the data', (t) => {
  const data = Buffer.alloc(70000, 1)
  for (const [isCommand, isLast] of [[true, true], [true, false], [false, true], [false, false]] as const) {
    const target = Buffer.alloc(P_DATA_TF_HEADER_BYTES + 8, 0xee)
    writePDataTfHeader(target, 5, 129, isCommand, isLast, data.length)
    const whole = encodePdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 129, isCommand, isLast, data }] })
    t.deepEqual(target.subarray(5, 17), whole.subarray(0, 12))
    t.deepEqual([...target.subarray(0, 5), ...target.subarray(17)], Array<number>(8).fill(0xee))
  }
})

test('writePDataTfHeader: the bytes of the standard', (t) => {
  const target = Buffer.alloc(12)
  writePDataTfHeader(target, 0, 3, false, true, 0x10203)
  // type, reserved, PDU length = data + 6, PDV item length = data + 2, context id, message control header
  t.is(target.toString('hex'), bytes('04', '00', '00 01 02 09', '00 01 02 05', '03', '02').toString('hex'))
})

test('a PDU that does not fit its fields is not encoded', (t) => {
  const rq = A_ASSOCIATE_RQ.pdu as AAssociateRq
  const [first] = rq.presentationContexts
  if (first === undefined) throw new Error('unreachable')
  const ac = A_ASSOCIATE_AC.pdu as AAssociateAc
  const withItem = (userItem: AAssociateRq['userInformation'][number]): Pdu => ({ ...rq, userInformation: [userItem] })
  const pdv = { presentationContextId: 1, isCommand: true, isLast: true, data: new Uint8Array(1) }
  const wrong: readonly Pdu[] = [
    { ...rq, calledAeTitle: 'SEVENTEEN-LETTERS' },
    { ...rq, callingAeTitle: 'ЖЖ' },
    { ...rq, protocolVersion: 65536 },
    { ...rq, applicationContextName: '1'.repeat(65) },
    { ...rq, presentationContexts: [{ ...first, id: 2 }] },
    { ...rq, presentationContexts: [{ ...first, id: 257 }] },
    { ...rq, presentationContexts: [first, first] },
    { ...rq, presentationContexts: [{ ...first, transferSyntaxes: Array<string>(9000).fill('1.2.3.4') }] },
    { ...ac, presentationContexts: [{ id: 1.5, result: 0, transferSyntax: '' }] },
    { ...ac, presentationContexts: [{ id: 1, result: 256, transferSyntax: '' }] },
    withItem({ type: 0x51, maximumLengthReceived: -1 }),
    withItem({ type: 0x51, maximumLengthReceived: 2 ** 32 }),
    withItem({ type: 0x53, maximumNumberOperationsInvoked: Number.NaN, maximumNumberOperationsPerformed: 1 }),
    withItem({ type: 0x55, implementationVersionName: 'SEVENTEEN-LETTERS' }),
    withItem({ type: 0x56, sopClassUid: '1', serviceClassApplicationInformation: new Uint8Array(65536) }),
    withItem({ type: 0x59, serverResponse: new Uint8Array(65534) }),
    withItem({ type: 256, unknown: true, data: new Uint8Array(0) }),
    { type: 'A-ASSOCIATE-RJ', result: -1, source: 0, reason: 0 },
    { type: 'A-ABORT', source: 0, reason: 1.5 },
    { type: 'P-DATA-TF', pdvs: [] },
    { type: 'P-DATA-TF', pdvs: [{ ...pdv, presentationContextId: 4 }] },
  ]
  for (const pdu of wrong) {
    const error = t.throws(() => encodePdu(pdu), { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_PDU_VALUE' })
    t.false(error instanceof PduError, 'a mistake of this side is no violation of the peer')
  }
})

test('a PDU that fills its length fields is encoded', (t) => {
  const rq = A_ASSOCIATE_RQ.pdu as AAssociateRq
  const pdu: AAssociateRq = {
    ...rq,
    userInformation: [{ type: 0x59, serverResponse: new Uint8Array(65535 - 4 - 2).fill(7) }],
  }
  t.deepEqual(decodePdu(1, encodePdu(pdu).subarray(6)), pdu)
})
