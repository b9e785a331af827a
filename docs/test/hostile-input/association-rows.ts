import { once } from 'node:events'
import { connect } from 'node:net'
import { SopClass } from '@dicomtap/framework'
import {
  ABORT,
  abstractSyntax,
  APPLICATION_CONTEXT,
  command,
  context,
  CONTEXTS,
  counted,
  fixedFields,
  IMPLEMENTATION,
  item,
  maximumLength,
  negotiating,
  pdu,
  proposing,
  REJECT,
  RELEASE,
  RELEASE_RP,
  request,
  requestOf,
  transferSyntax,
  u16,
  userInformation,
} from './bytes.js'
import { itemsOf, userItemsOf } from './scenario.js'
import type { Scenario } from './scenario.js'

/** A user identity item (PS3.7 table D.3-14): type, response requested, two fields with their lengths. */
const identity = (type: number, ...fields: readonly Uint8Array[]): Buffer => item(0x58, Buffer.from([type, 0]), ...fields)
const hasItem = (type: number) => (answer: Buffer) => userItemsOf(answer, type).length === 1
const hasNoItem = (type: number) => (answer: Buffer) => userItemsOf(answer, type).length === 0
const CT = SopClass.CTImageStorage
const CT_SYNTAX = abstractSyntax(CT)

/** Before there is an association: Sta2. */
export const FIRST_BYTES: Readonly<Record<string, Scenario>> = {
  'garbage before an association': { first: Buffer.from([0xde, 0xad, 0xbe, 0xef]) },
  'an HTTP request': { first: Buffer.from('GET / HTTP/1.1\r\nHost: pacs\r\n\r\n') },
  'a TLS ClientHello': { first: Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]) },
  'an A-ASSOCIATE-AC before an association': { first: pdu(0x02, request().subarray(6)) },
  'an A-ASSOCIATE-RJ before an association': { first: REJECT },
  'P-DATA before an association': { first: command() },
  'an A-RELEASE-RQ before an association': { first: RELEASE },
  'an A-RELEASE-RP before an association': { first: RELEASE_RP },
  'an A-ABORT before an association': { first: ABORT },
  'nothing at all': { options: { timeouts: { acseMs: 50 } }, first: Buffer.alloc(0) },
  'half an A-ASSOCIATE-RQ, then silence': { options: { timeouts: { acseMs: 50 } }, first: request().subarray(0, 100) },
}

/** The fixed fields of an A-ASSOCIATE-RQ, and its length. */
export const FIXED_FIELDS: Readonly<Record<string, Scenario>> = {
  'an A-ASSOCIATE-RQ longer than `limits.maximumAssociatePduBytes`': { first: pdu(0x01, Buffer.alloc(0), 0x7fff_ffff) },
  'an A-ASSOCIATE-RQ shorter than its fixed fields': { first: pdu(0x01, fixedFields().subarray(0, 67)) },
  'an A-ASSOCIATE-RQ whose items do not fit their lengths': { first: requestOf({}, APPLICATION_CONTEXT, Buffer.from([0x50, 0, 0xff, 0xff])) },
  'an A-ASSOCIATE-RQ that ends inside the header of an item': { first: requestOf({}, APPLICATION_CONTEXT, Buffer.from([0x50, 0, 0])) },
  'protocol version without bit 0': { first: request({ version: 0x0002 }) },
  'protocol version with bit 0 and others': { first: request({ version: 0xffff }) },
  'reserved bytes that are not zero': {
    first: request({ reserved: 0xa5 }),
    // Bytes 43 to 74 come back as they were (PS3.8 table 9-17).
    check: (answer) => answer.subarray(42, 74).every((byte) => byte === 0xa5),
  },
  'AE titles with spaces before them, or padded with NUL': {
    options: { requireCalledAeTitle: true, requireCallingAeTitles: ['CT 01'] },
    first: request({ called: '    HOSTILE', calling: 'CT 01\0\0\0\0\0\0\0\0\0\0\0' }),
    // Bytes 11 to 42 come back as they were (PS3.8 table 9-17).
    check: (answer) => answer.toString('latin1', 10, 42) === '    HOSTILE     CT 01\0\0\0\0\0\0\0\0\0\0\0',
  },
  'AE titles of spaces alone': { first: request({ called: '', calling: '' }) },
  'AE titles with control characters': { first: request({ calling: '\r\n\x1b[31mADMIN' }) },
  'another called AE title, with `requireCalledAeTitle`': { options: { requireCalledAeTitle: true }, first: request({ called: 'OTHER' }) },
  'a calling AE title that is not in `requireCallingAeTitles`': { options: { requireCallingAeTitles: ['CT01'] }, first: request() },
  'one association more than `limits.maximumAssociations`': {
    options: { limits: { maximumAssociations: 1 } },
    prepare: async (_ae, port) => {
      const other = connect(port, '127.0.0.1')
      other.write(request())
      await once(other, 'data')
      // The abort at the end.
      other.once('data', () => other.destroy())
    },
  },
  'an association request while the server closes': {
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
}

/** Application context, presentation contexts and items in general. */
export const ITEMS: Readonly<Record<string, Scenario>> = {
  'another application context name': { first: requestOf({}, item(0x10, '1.2.3'), ...CONTEXTS, userInformation()) },
  'no application context': { first: requestOf({}, ...CONTEXTS, userInformation()) },
  'two application contexts': { first: requestOf({}, APPLICATION_CONTEXT, APPLICATION_CONTEXT, ...CONTEXTS, userInformation()) },
  'items in another order': { first: requestOf({}, userInformation(), ...[...CONTEXTS].reverse(), APPLICATION_CONTEXT) },
  'items and sub-items of unknown types': {
    first: requestOf({}, item(0x7f, 'x'), APPLICATION_CONTEXT, context(1, item(0x7f, 'x'), CT_SYNTAX, transferSyntax(), item(0x41)), userInformation()),
  },
  'items whose reserved byte is not zero': {
    first: requestOf({}, ...[APPLICATION_CONTEXT, ...CONTEXTS, userInformation()].map((bytes) => Buffer.concat([bytes.subarray(0, 1), Buffer.from([0xff]), bytes.subarray(2)]))),
  },
  'no presentation context': { first: proposing() },
  'only contexts that are not supported': { first: proposing(context(1, abstractSyntax('1.2.3'), transferSyntax())) },
  'only contexts that are not supported, with `rejectWhenNoContext`': {
    options: { rejectWhenNoContext: true },
    first: proposing(context(1, abstractSyntax('1.2.3'), transferSyntax())),
  },
  'no transfer syntax that is supported': { first: proposing(context(1, CT_SYNTAX, transferSyntax('1.2.3'))) },
  'an A-ASSOCIATE-RQ with an even presentation context ID': { first: proposing(context(2, CT_SYNTAX, transferSyntax())) },
  'presentation context ID 0': { first: proposing(context(0, CT_SYNTAX, transferSyntax())) },
  'a presentation context ID twice': { first: proposing(...CONTEXTS, CONTEXTS[0]!) },
  '128 presentation contexts': {
    first: proposing(...Array.from({ length: 128 }, (_, index) => context(2 * index + 1, CT_SYNTAX, transferSyntax()))),
    check: (answer) => itemsOf(answer).filter((bytes) => bytes[0] === 0x21).length === 128,
  },
  'more contexts than `limits.maximumPresentationContexts`': { options: { limits: { maximumPresentationContexts: 3 } } },
  'more items than `limits.maximumAssociateItems`, known or not': {
    options: { limits: { maximumAssociateItems: 50 } },
    first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, ...Array.from({ length: 50 }, () => item(0x7f)), userInformation()),
  },
  'a context without an abstract syntax': { first: proposing(context(1, transferSyntax())) },
  'a context with two abstract syntaxes': { first: proposing(context(1, CT_SYNTAX, CT_SYNTAX, transferSyntax())) },
  'a context without a transfer syntax': { first: proposing(context(1, CT_SYNTAX)) },
  'a context of fewer than 4 bytes': { first: proposing(item(0x20, Buffer.from([1, 0, 0]))) },
  'a sub-item longer than its context': { first: proposing(context(1, CT_SYNTAX, Buffer.from([0x40, 0, 0, 99, 0x31]))) },
  '1000 transfer syntaxes in a context': {
    first: proposing(context(1, CT_SYNTAX, ...Array.from({ length: 1000 }, (_, index) => transferSyntax(`1.2.3.${index + 1}`)), transferSyntax())),
  },
  'an abstract syntax that is no UID': { first: proposing(context(1, abstractSyntax('../../etc/passwd'), transferSyntax())) },
  'a UID padded with NUL or space': { first: proposing(context(1, abstractSyntax(`${CT}\0`), transferSyntax('1.2.840.10008.1.2 '))) },
  'a UID of more than 64 bytes': { first: proposing(context(1, abstractSyntax(`1.${'2'.repeat(63)}`), transferSyntax())) },
  'a UID with control characters': { first: proposing(context(1, abstractSyntax('1.2\r\n.3'), transferSyntax())) },
}

/** User information: PS3.8 annex D, PS3.7 annex D.3.3. */
export const USER_INFORMATION: Readonly<Record<string, Scenario>> = {
  'no user information': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS) },
  'two user informations': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, userInformation(), userInformation()) },
  'an unknown user information item': { first: negotiating(item(0x7a, 'x')) },
  'more user information items than `limits.maximumUserItems`': { first: negotiating(...Array.from({ length: 1024 }, () => item(0x7a))) },
  'no maximum length': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, item(0x50, IMPLEMENTATION)) },
  'no implementation class UID': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, item(0x50, maximumLength(0))) },
  'a maximum length into which no data fits': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, item(0x50, maximumLength(6))) },
  'a maximum length of 7': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, item(0x50, maximumLength(7))) },
  'a maximum length item of 3 bytes': { first: requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, item(0x50, item(0x51, Buffer.alloc(3)))) },
  'an implementation version name of more than 16 characters': { first: negotiating(item(0x55, 'A'.repeat(300))) },
  'an asynchronous operations window, without a plugin for it': { first: negotiating(item(0x53, u16(0), u16(0))), check: hasNoItem(0x53) },
  'an asynchronous operations window of 5 bytes': { first: negotiating(item(0x53, Buffer.alloc(5))) },
  'a role selection for a SOP class that is not proposed': { first: negotiating(item(0x54, counted('1.2.3'), Buffer.from([1, 1]))), check: hasNoItem(0x54) },
  'a role selection whose UID is longer than its item': { first: negotiating(item(0x54, u16(200), '1.2', Buffer.from([1, 1]))) },
  'extended negotiation for a SOP class that is not proposed': { first: negotiating(item(0x56, counted('1.2.3'), Buffer.from([1]))), check: hasNoItem(0x56) },
  'common extended negotiation whose list is longer than its item': { first: negotiating(item(0x57, counted(CT), counted('1.2.840.10008.4.2'), u16(99), '1')) },
  'no user identity, with `requireUserIdentity`': { options: { requireUserIdentity: true } },
  'a user identity, without a plugin for it': { first: negotiating(identity(1, counted('jane'), u16(0))), check: hasNoItem(0x59) },
  'a user identity of an unknown type, with `requireUserIdentity`': {
    options: { requireUserIdentity: true },
    first: negotiating(identity(77, counted('jane'), u16(0))),
  },
  'a user identity longer than its item': { first: negotiating(identity(2, u16(0xffff), u16(0))) },
  'a user identity response in a request': { first: negotiating(item(0x59, counted('x'))), check: hasItem(0x51) },
}
