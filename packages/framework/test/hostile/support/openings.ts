import { A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ, bytes, P_DATA_TF } from '../../fixtures/pdus.ts'

/** A PDU of any type with any body. */
function pdu(type: string, ...body: string[]): Buffer {
  const fields = bytes(...body)
  const header = bytes(type, '00 00 00 00 00')
  header.writeUInt32BE(fields.length, 2)
  return Buffer.concat([header, fields])
}

const TITLES = '00 01 00 00' + '41'.repeat(32) + '00'.repeat(32)
const APPLICATION_CONTEXT = ['10 00 00 15', '"1.2.840.10008.3.1.1.1']
export const VERIFICATION_PROPOSAL: readonly string[] = ['20 00 00 2e', '01 00 00 00', '30 00 00 11', '"1.2.840.10008.1.1', '40 00 00 11', '"1.2.840.10008.1.2']

/** What is no association request, by what it is. */
export const OPENINGS: Readonly<Record<string, Buffer>> = {
  'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: archive\r\n\r\n'),
  'a TLS ClientHello': bytes('16 03 01 02 00 01 00 01 fc 03 03', '00'.repeat(64)),
  'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'),
  'NULs': Buffer.alloc(500),
  'FFs': Buffer.alloc(500, 0xff),
  'an HL7 message': Buffer.from('\x0bMSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.5\r\x1c\r'),
  'noise': Buffer.from(Array.from({ length: 5_000 }, (_, index) => (0x99 + index * index * 7) & 0xff)),
  'PDU type 0': bytes('00 00 00 00 00 04 00 00 00 00'),
  'PDU type 8': bytes('08 00 00 00 00 04 00 00 00 00'),
  'an A-ASSOCIATE-AC': A_ASSOCIATE_AC.bytes,
  'an A-ASSOCIATE-RJ': A_ASSOCIATE_RJ.bytes,
  'a P-DATA-TF': P_DATA_TF.bytes,
  'a P-DATA-TF that claims 4 GiB': bytes('04 00 ff ff ff ff'),
  'an A-RELEASE-RQ': A_RELEASE_RQ.bytes,
  'an A-RELEASE-RP': A_RELEASE_RP.bytes,
  'a request that claims 4 GiB': bytes('01 00 ff ff ff ff'),
  'a request one byte over the limit': bytes('01 00 00 10 00 01'),
  'an empty request': bytes('01 00 00 00 00 00'),
  'a request of one byte': pdu('01', '00'),
  'a request of 67 bytes': pdu('01', '00'.repeat(67)),
  'a request whose item is longer than the request': pdu('01', TITLES, '10 00 ff ff'),
  'a request with half an item header': pdu('01', TITLES, '10 00 00'),
  'a context with an even id': pdu('01', TITLES, ...APPLICATION_CONTEXT, '20 00 00 2e', '02 00 00 00', ...VERIFICATION_PROPOSAL.slice(2)),
  'a context id twice': pdu('01', TITLES, ...APPLICATION_CONTEXT, ...VERIFICATION_PROPOSAL, ...VERIFICATION_PROPOSAL),
  'a context without an abstract syntax': pdu('01', TITLES, ...APPLICATION_CONTEXT, '20 00 00 19', '01 00 00 00', '40 00 00 11', '"1.2.840.10008.1.2'),
  'a context without a transfer syntax': pdu('01', TITLES, ...APPLICATION_CONTEXT, '20 00 00 19', '01 00 00 00', '30 00 00 11', '"1.2.840.10008.1.1'),
  'a UID of 65 characters': pdu('01', TITLES, '10 00 00 41', `"${'1'.repeat(65)}`),
  'a UID with a line feed': pdu('01', TITLES, '10 00 00 04', '31 2e 0a 32'),
  'two application contexts': pdu('01', TITLES, ...APPLICATION_CONTEXT, ...APPLICATION_CONTEXT),
  '2000 user items': pdu('01', TITLES, ...APPLICATION_CONTEXT, '50 00 1f 40', 'ee 00 00 00'.repeat(2_000)),
  'a user identity longer than its item': pdu('01', TITLES, ...APPLICATION_CONTEXT, '50 00 00 0a', '58 00 00 06', '02 01 ff ff 00 00'),
}
