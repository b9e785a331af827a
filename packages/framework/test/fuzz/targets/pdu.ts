import assert from 'node:assert/strict'
import { decodePdu } from '../../../dist/pdu/decode.js'
import { encodePdu } from '../../../dist/pdu/encode.js'
import type { UserItem } from '../../../dist/pdu/user-items/types.js'
import { encodeUserItem } from '../../../dist/pdu/user-items/encode.js'
import { PduWriter } from '../../../dist/pdu/writer.js'
import { decodeExtendedNegotiation } from '../../../dist/acse/service-class-information-items.js'
import { negotiateContexts } from '../../../dist/acse/negotiate-contexts.js'
import { rolesOf, sopClassCommonExtendedOf } from '../../../dist/acse/user-information.js'
import { associateRequest } from '../../../dist/testing/index.js'
import { PDU_FIXTURES } from '../../fixtures/pdus.ts'
import { SUPPORTED } from '../../support/requests.ts'
import { attempt } from './target.ts'
import type { FuzzTarget } from './target.ts'

const CODES = ['DICOMTAP_ERR_PDU_UNRECOGNIZED', 'DICOMTAP_ERR_PDU_TOO_LARGE', 'DICOMTAP_ERR_PDU_MALFORMED', 'DICOMTAP_ERR_PDU_VALUE']

/** Input: a PDU. Its length field is not looked at, that is for the framer. */
export const pdu: FuzzTarget = {
  name: 'pdu',
  limits: { maximumInputBytes: 8_192, freeBytes: 20_000, blocksPerByte: 40, memoryPerByte: 8 },
  seeds: () => PDU_FIXTURES.map(({ bytes }) => bytes),
  run(input) {
    const value = attempt(CODES, () => decodePdu(input[0] ?? 0, input.subarray(6)))
    if (value === undefined) return
    const again = encodePdu(value)
    assert.deepEqual(decodePdu(again.readUInt8(0), again.subarray(6)), value)
    if (value.type === 'A-ASSOCIATE-RQ') negotiate(value.presentationContexts, value.userInformation)
  },
}

const SUPPORTED_CONTEXTS = new Map(SUPPORTED.map((context) => [context.abstractSyntax, context]))

/** Each context is answered once, and what is accepted was proposed (PS3.8 9.3.3.2). */
function negotiate(proposals: Parameters<typeof negotiateContexts>[0], items: readonly UserItem[]): void {
  for (const unrestrictedStorage of [false, true]) {
    const { accepted, rejected } = negotiateContexts(proposals, rolesOf(items), {
      supportedContexts: SUPPORTED_CONTEXTS,
      unrestrictedStorage,
      commonExtended: new Map(sopClassCommonExtendedOf(items).map((item) => [item.sopClassUid, item])),
      roleAnswers: new Map(),
    })
    const ids = [...accepted, ...rejected].map(({ id }) => id)
    assert.deepEqual(ids.toSorted((a, b) => a - b), proposals.map(({ id }) => id).toSorted((a, b) => a - b))
    for (const { id, abstractSyntax, transferSyntax } of accepted) {
      const proposal = proposals.find((one) => one.id === id)
      assert.equal(proposal?.abstractSyntax, abstractSyntax)
      assert.ok(proposal.transferSyntaxes.includes(transferSyntax))
    }
  }
}

const ITEMS = PDU_FIXTURES.flatMap((fixture) => ('userInformation' in fixture.pdu ? fixture.pdu.userInformation : []))

const PLAIN_REQUEST = associateRequest()
const FIXED_FIELDS = encodePdu({ ...PLAIN_REQUEST, presentationContexts: [], userInformation: [] }).subarray(6, 6 + 68)

/** Input: the sub-items of a user information item (PS3.8 9.3.2.3), which stands alone in its A-ASSOCIATE-RQ. */
export const userItems: FuzzTarget = {
  name: 'user-items',
  limits: { maximumInputBytes: 8_192, freeBytes: 20_000, blocksPerByte: 40, memoryPerByte: 8 },
  seeds: () => [encodeItems(ITEMS), ...ITEMS.map((item) => encodeItems([item]))],
  run(input) {
    const items = attempt(CODES, () => decodeItems(input))
    if (items === undefined) return
    assert.deepEqual(decodeItems(encodeItems(items)), items)
    for (const item of items) if (item.type === 0x56 && !('unknown' in item)) decodeExtendedNegotiation(item)
  },
}

function decodeItems(bytes: Buffer): readonly UserItem[] {
  const name = Buffer.from(PLAIN_REQUEST.applicationContextName)
  const body = Buffer.concat([FIXED_FIELDS, Buffer.of(0x10, 0, 0, name.length), name, Buffer.of(0x50, 0, bytes.length >> 8, bytes.length & 0xff), bytes])
  const value = decodePdu(1, body)
  return value.type === 'A-ASSOCIATE-RQ' ? value.userInformation : []
}

function encodeItems(items: readonly UserItem[]): Buffer {
  const writer = new PduWriter()
  for (const item of items) encodeUserItem(writer, item)
  return Buffer.from(writer.bytes)
}
