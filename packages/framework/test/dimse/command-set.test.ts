import test from 'ava'
import fc from 'fast-check'
import {
  CommandField,
  commandName,
  decodeCommandSet,
  encodeCommandSet,
  hasDataSet,
  isRequest,
  isResponse,
  missingElements,
  requiresDataSet,
  responseFieldOf,
  serviceOf,
} from '../../dist/dimse/command-set.js'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import { STATUS_CODES, describeStatus, statusCategory, statusLabel, statusServiceOf } from '../../dist/dimse/status.js'
import { DicomtapError } from '../../dist/errors/index.js'

const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20260101)

/** Hexadecimal with blanks to bytes; `'text'` stands for itself. */
function bytes(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'))),
  )
}

const VECTORS: readonly { readonly name: string; readonly command: CommandSet; readonly encoded: Buffer }[] = [
  {
    name: 'C-ECHO-RQ',
    command: {
      affectedSopClassUid: '1.2.840.10008.1.1',
      commandField: CommandField.C_ECHO_RQ,
      messageId: 1,
      commandDataSetType: 0x0101,
    },
    encoded: bytes(
      '0000 0000 04000000 38000000', // Command Group Length: 56 bytes follow
      "0000 0200 12000000", "'1.2.840.10008.1.1'", '00', // Affected SOP Class UID, 17 characters and NUL
      '0000 0001 02000000 3000', // Command Field 0030H
      '0000 1001 02000000 0100', // Message ID 1
      '0000 0008 02000000 0101', // Command Data Set Type 0101H: none
    ),
  },
  {
    name: 'C-STORE-RQ of a C-MOVE',
    command: {
      affectedSopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      commandField: CommandField.C_STORE_RQ,
      messageId: 0xfffe,
      priority: 2,
      commandDataSetType: 1,
      affectedSopInstanceUid: '1.2.3.44',
      moveOriginatorApplicationEntityTitle: 'MOVER',
      moveOriginatorMessageId: 258,
    },
    encoded: bytes(
      '0000 0000 04000000 72000000', // Command Group Length: 34 + 10 + 10 + 10 + 10 + 16 + 14 + 10 = 114
      "0000 0200 1a000000", "'1.2.840.10008.5.1.4.1.1.2'", '00', // Affected SOP Class UID, 25 characters and NUL
      '0000 0001 02000000 0100', // Command Field 0001H
      '0000 1001 02000000 feff', // Message ID
      '0000 0007 02000000 0200', // Priority: low
      '0000 0008 02000000 0100', // Command Data Set Type: one follows
      "0000 0010 08000000", "'1.2.3.44'", // Affected SOP Instance UID, even, no padding
      "0000 3010 06000000", "'MOVER '", // Move Originator AE Title, padded with a space
      '0000 3110 02000000 0201', // Move Originator Message ID 0102H
    ),
  },
  {
    name: 'C-FIND-RSP with a comment and offending elements',
    command: {
      affectedSopClassUid: '1.2.840.10008.5.1.4.31',
      commandField: CommandField.C_FIND_RSP,
      messageIdBeingRespondedTo: 7,
      commandDataSetType: 0x0101,
      status: 0xa900,
      offendingElements: [0x00080052, 0xfffe0010],
      errorComment: 'No level',
    },
    encoded: bytes(
      '0000 0000 04000000 66000000', // Command Group Length 102
      "0000 0200 16000000", "'1.2.840.10008.5.1.4.31'", // Affected SOP Class UID, 22 characters
      '0000 0001 02000000 2080', // Command Field 8020H
      '0000 2001 02000000 0700', // Message ID Being Responded To
      '0000 0008 02000000 0101', // Command Data Set Type: none
      '0000 0009 02000000 00a9', // Status A900H
      '0000 0109 08000000 0800 5200 feff 1000', // Offending Elements, group before element each
      "0000 0209 08000000", "'No level'", // Error Comment
    ),
  },
  {
    name: 'C-MOVE-RSP with the counters',
    command: {
      commandField: CommandField.C_MOVE_RSP,
      messageIdBeingRespondedTo: 9,
      commandDataSetType: 1,
      status: 0xff00,
      numberOfRemainingSuboperations: 300,
      numberOfCompletedSuboperations: 2,
      numberOfFailedSuboperations: 1,
      numberOfWarningSuboperations: 0,
    },
    encoded: bytes(
      '0000 0000 04000000 50000000', // Command Group Length 80
      '0000 0001 02000000 2180', // Command Field 8021H
      '0000 2001 02000000 0900', // Message ID Being Responded To
      '0000 0008 02000000 0100', // Command Data Set Type: an identifier follows
      '0000 0009 02000000 00ff', // Status FF00H
      '0000 2010 02000000 2c01', // Remaining
      '0000 2110 02000000 0200', // Completed
      '0000 2210 02000000 0100', // Failed
      '0000 2310 02000000 0000', // Warning
    ),
  },
  {
    name: 'N-ACTION-RQ',
    command: {
      requestedSopClassUid: '1.2.840.10008.1.20.1',
      commandField: CommandField.N_ACTION_RQ,
      messageId: 3,
      commandDataSetType: 1,
      requestedSopInstanceUid: '1.2.840.10008.1.20.1.1',
      actionTypeId: 1,
    },
    encoded: bytes(
      '0000 0000 04000000 62000000', // Command Group Length 98
      "0000 0300 14000000", "'1.2.840.10008.1.20.1'", // Requested SOP Class UID
      '0000 0001 02000000 3001', // Command Field 0130H
      '0000 1001 02000000 0300', // Message ID
      '0000 0008 02000000 0100', // Command Data Set Type
      "0000 0110 16000000", "'1.2.840.10008.1.20.1.1'", // Requested SOP Instance UID
      '0000 0810 02000000 0100', // Action Type ID
    ),
  },
  {
    name: 'N-GET-RQ with an attribute list, N-EVENT-REPORT and C-MOVE fields beside it',
    command: {
      requestedSopClassUid: '1.2.3',
      commandField: CommandField.N_GET_RQ,
      messageId: 4,
      moveDestination: 'DEST',
      commandDataSetType: 0x0101,
      errorId: 5,
      requestedSopInstanceUid: '1.2',
      eventTypeId: 6,
      attributeIdentifierList: [0x00100010],
    },
    encoded: bytes(
      '0000 0000 04000000 64000000', // Command Group Length: 14 + 10 + 10 + 12 + 10 + 10 + 12 + 10 + 12 = 100
      "0000 0300 06000000", "'1.2.3'", '00', // Requested SOP Class UID
      '0000 0001 02000000 1001', // Command Field 0110H
      '0000 1001 02000000 0400', // Message ID
      "0000 0006 04000000", "'DEST'", // Move Destination
      '0000 0008 02000000 0101', // Command Data Set Type
      '0000 0309 02000000 0500', // Error ID
      "0000 0110 04000000", "'1.2'", '00', // Requested SOP Instance UID
      '0000 0210 02000000 0600', // Event Type ID
      '0000 0510 04000000 1000 1000', // Attribute Identifier List
    ),
  },
]

for (const { name, command, encoded } of VECTORS) {
  test(`bytes of ${name}`, (t) => {
    t.is(encodeCommandSet(command).toString('hex'), encoded.toString('hex'))
    t.is(encoded.readUInt32LE(8), encoded.length - 12, 'the vector itself is consistent')
    t.deepEqual(decodeCommandSet(encoded), command)
    t.deepEqual(decodeCommandSet(new Uint8Array(encoded)), command)
  })
}

const number = fc.integer({ min: 0, max: 0xffff })
const uid = fc.stringMatching(/^[0-9.]{1,64}$/)
const title = fc.stringMatching(/^[!-~]([ -~]{0,14}[!-~])?$/)
const tags = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 40 })
const anyCommand = fc.record<CommandSet>(
  {
    affectedSopClassUid: uid,
    requestedSopClassUid: uid,
    commandField: number,
    messageId: number,
    messageIdBeingRespondedTo: number,
    moveDestination: title,
    priority: number,
    commandDataSetType: number,
    status: number,
    offendingElements: tags,
    errorComment: fc.stringMatching(/^[!-[\]-~]([ -[\]-~]{0,62}[!-[\]-~])?$/),
    errorId: number,
    affectedSopInstanceUid: uid,
    requestedSopInstanceUid: uid,
    eventTypeId: number,
    attributeIdentifierList: tags,
    actionTypeId: number,
    numberOfRemainingSuboperations: number,
    numberOfCompletedSuboperations: number,
    numberOfFailedSuboperations: number,
    numberOfWarningSuboperations: number,
    moveOriginatorApplicationEntityTitle: title,
    moveOriginatorMessageId: number,
  },
  { requiredKeys: ['commandField'] },
)

test('decoding undoes encoding, whatever the elements', (t) => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      const encoded = encodeCommandSet(command)
      t.is(encoded.length % 2, 0)
      t.is(encoded.readUInt32LE(8), encoded.length - 12)
      t.deepEqual(decodeCommandSet(encoded), command)
    }),
    { numRuns: runs, seed },
  )
})

test('random and mutilated bytes only ever throw DICOMTAP_ERR_DIMSE_COMMAND', (t) => {
  const attempt = (input: Uint8Array): void => {
    try {
      decodeCommandSet(input)
    } catch (error) {
      t.true(error instanceof DicomtapError)
      t.is((error as DicomtapError).code, 'DICOMTAP_ERR_DIMSE_COMMAND')
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: runs, seed })
  const mutilated = fc
    .tuple(anyCommand, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }), fc.nat())
    .map(([command, changes, cut]) => {
      const encoded = encodeCommandSet(command)
      for (const [at, value] of changes) encoded[at % encoded.length] = value
      return encoded.subarray(0, cut % (encoded.length + 1))
    })
  fc.assert(fc.property(mutilated, attempt), { numRuns: runs, seed })
})

const FIELD = '0000 0001 02000000 3000'

test('malformed command sets are refused with the reason', (t) => {
  const refuse = (pattern: RegExp, ...parts: string[]): void => {
    const error = t.throws(() => decodeCommandSet(bytes(...parts)), { instanceOf: DicomtapError })
    t.is(error?.code, 'DICOMTAP_ERR_DIMSE_COMMAND')
    t.regex(error?.message ?? '', pattern)
  }
  refuse(/no Command Field/)
  refuse(/no Command Field/, '0000 1001 02000000 0100')
  refuse(/no Command Field/, '0000 0001 00000000')
  refuse(/within the header/, FIELD, '0000 1001 0200')
  refuse(/claims more bytes/, FIELD, '0000 1001 04000000 0100')
  refuse(/claims more bytes/, FIELD, '0000 0209 ffffff7f 4141')
  refuse(/undefined length/, FIELD, '0000 0209 ffffffff 4141')
  refuse(/\(0008,0016\)/, FIELD, '0800 1600 02000000 3100')
  refuse(/occurs twice/, FIELD, FIELD)
  refuse(/does not fit its VR/, FIELD, '0000 1001 01000000 01')
  refuse(/does not fit its VR/, FIELD, '0000 1001 03000000 010203')
  refuse(/does not fit its VR/, FIELD, '0000 0109 06000000 0800 1600 0800')
})

test('what senders get wrong without harm is tolerated', (t) => {
  const decode = (...parts: string[]): CommandSet => decodeCommandSet(bytes(FIELD, ...parts))
  t.is(decode('0000 1001 04000000 0100 0200').messageId, 1, 'the first of several')
  t.is(decode('0000 1001 00000000').messageId, undefined, 'empty')
  t.deepEqual(decode('0000 0100 02000000 4141', '0000 5555 02000000 4141'), { commandField: 0x30 }, 'retired and unknown')
  t.is(decode("0000 0200 06000000", "'1.2.3 '").affectedSopClassUid, '1.2.3', 'a UID padded with a space')
  t.is(decode("0000 0600 00000000", "0000 0006 06000000", "' DEST'", '00').moveDestination, 'DEST')
  t.is(decode("0000 0200 02000000", '0000').affectedSopClassUid, undefined, 'nothing but padding')
  t.is(decode('0000 0000 04000000 ffffffff', '0000 1001 02000000 0900').messageId, 9, 'a wrong group length, out of order')
  t.is(decode("0000 0209 04000000", "'a\\b '").errorComment, 'a\\b')
})

test('encoding keeps to what each element can hold', (t) => {
  const decoded = (command: CommandSet): CommandSet => decodeCommandSet(encodeCommandSet(command))
  const base = { commandField: CommandField.C_STORE_RSP }
  t.is(decoded({ ...base, errorComment: 'é\\\n/x' }).errorComment, '???/x', 'only the default repertoire, no backslash')
  t.is(decoded({ ...base, errorComment: 'x'.repeat(100) }).errorComment?.length, 64)
  t.is(decoded({ ...base, numberOfRemainingSuboperations: 70_000 }).numberOfRemainingSuboperations, 0xffff)
  t.deepEqual(decoded({ ...base, affectedSopInstanceUid: '', offendingElements: [], messageId: undefined }), base)
  for (const wrong of [-1, 65536, 1.5, Number.NaN]) {
    t.throws(() => encodeCommandSet({ ...base, messageId: wrong }), { code: 'DICOMTAP_ERR_DIMSE_COMMAND' })
  }
})

test('command fields have names, services and responses', (t) => {
  const requests = Object.entries(CommandField).filter(([key]) => key.endsWith('_RQ') && key !== 'C_CANCEL_RQ')
  t.is(requests.length, 11)
  for (const [key, field] of requests) {
    const name = key.replaceAll('_', '-')
    const response = CommandField[key.replace('_RQ', '_RSP') as keyof typeof CommandField]
    t.is(commandName(field), name)
    t.is(commandName(response), name.replace('-RQ', '-RSP'))
    t.is(responseFieldOf(field), response)
    t.is(serviceOf(field), serviceOf(response))
    t.is(`${serviceOf(field)}-RQ`, name)
    t.true(isRequest(field) && !isResponse(field) && isResponse(response) && !isRequest(response))
  }
  t.is(commandName(CommandField.C_CANCEL_RQ), 'C-CANCEL-RQ')
  t.false(isRequest(CommandField.C_CANCEL_RQ))
  t.is(commandName(0x1234), '0x1234')
  t.false(isRequest(0x1234) || isResponse(0x9234))
  t.is(serviceOf(0x1234), undefined)
})

test('missing mandatory elements are named', (t) => {
  const missing = (command: CommandSet): readonly string[] => missingElements(command)
  t.deepEqual(missing({ commandField: CommandField.C_STORE_RQ }), [
    'affectedSopClassUid', 'messageId', 'priority', 'commandDataSetType', 'affectedSopInstanceUid',
  ])
  t.deepEqual(missing({ commandField: CommandField.C_MOVE_RQ, affectedSopClassUid: '1.2', messageId: 0, priority: 0, commandDataSetType: 1 }), ['moveDestination'])
  t.deepEqual(missing({ commandField: CommandField.N_EVENT_REPORT_RQ }), [
    'affectedSopClassUid', 'messageId', 'commandDataSetType', 'affectedSopInstanceUid', 'eventTypeId',
  ])
  t.deepEqual(missing({ commandField: CommandField.N_ACTION_RQ }), [
    'requestedSopClassUid', 'messageId', 'commandDataSetType', 'requestedSopInstanceUid', 'actionTypeId',
  ])
  t.deepEqual(missing({ commandField: CommandField.N_CREATE_RQ, messageId: 1, commandDataSetType: 1 }), ['affectedSopClassUid'])
  t.deepEqual(missing({ commandField: CommandField.C_CANCEL_RQ }), ['messageIdBeingRespondedTo', 'commandDataSetType'])
  t.deepEqual(missing({ commandField: CommandField.N_DELETE_RSP }), ['messageIdBeingRespondedTo', 'commandDataSetType', 'status'])
  t.deepEqual(missing({ commandField: 0x1234 }), [])
  for (const { command } of VECTORS) t.deepEqual(missing(command), [])
})

test('whether a data set follows, and whether one must', (t) => {
  t.true(hasDataSet({ commandField: 1, commandDataSetType: 0 }))
  t.true(hasDataSet({ commandField: 1, commandDataSetType: 0x0102 }))
  t.false(hasDataSet({ commandField: 1, commandDataSetType: 0x0101 }))
  t.false(hasDataSet({ commandField: 1 }))
  const needing = Object.values(CommandField).filter(requiresDataSet).map(commandName)
  t.deepEqual(needing.toSorted(), ['C-FIND-RQ', 'C-GET-RQ', 'C-MOVE-RQ', 'C-STORE-RQ', 'N-SET-RQ'])
})

test('status classes follow PS3.7 annex C, for every code there is', (t) => {
  const counts: Record<string, number> = {}
  for (let status = 0; status <= 0xffff; status++) {
    const category = statusCategory(status)
    counts[category] = (counts[category] ?? 0) + 1
  }
  t.deepEqual(counts, {
    success: 1, // 0000
    warning: 3 + 0x1000, // 0001, 0107, 0116, Bxxx
    failure: 0x200 - 2 + 2 * 0x1000, // 01xx and 02xx without 0107 and 0116, Axxx, Cxxx
    cancel: 1, // FE00
    pending: 2, // FF00, FF01
    unknown: 0x10000 - 1 - 0x1003 - 0x21fe - 1 - 2,
  })
  for (const status of [0x0001, 0x0107, 0x0116, 0xb000]) t.is(statusCategory(status), 'warning')
  for (const status of [0x0100, 0x0122, 0x02ff, 0xa700, 0xc001]) t.is(statusCategory(status), 'failure')
  for (const status of [0x0002, 0x00ff, 0x0300, 0xff02, 0xd000]) t.is(statusCategory(status), 'unknown')
})

test('status labels come from the service first', (t) => {
  t.deepEqual(describeStatus(0xa7ff, 'C-STORE'), { category: 'failure', label: 'Refused: out of resources' })
  t.is(statusLabel(0xb001, 'C-FIND'), 'Response limit reached, a later request may return more matches')
  t.is(statusLabel(0xb001, 'C-STORE'), '0xb001')
  t.is(statusLabel(0x0122, 'C-STORE'), 'Refused: SOP Class not supported')
  t.is(statusLabel(0xc302, statusServiceOf('N-ACTION', '1.2.840.10008.5.1.4.34.6.1')), 'UPS already IN PROGRESS')
  t.is(statusLabel(0xff01, statusServiceOf('C-FIND', '1.2.840.10008.5.1.4.31')), 'Match supplied, optional keys not supported')
  t.is(statusServiceOf('C-GET', '1.2.840.10008.5.1.4.1.2.2.3'), 'query-retrieve-get')
  t.is(statusServiceOf('N-SET'), 'general')
  for (const ranges of Object.values(STATUS_CODES)) {
    for (const [from, to, category, label] of ranges) {
      t.true(from <= to && label.length > 0)
      t.is(statusCategory(from), category, label)
      t.is(statusCategory(to), category, label)
    }
  }
})
