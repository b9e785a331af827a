import { PatientRoot, StudyRoot } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'

/** An identifier of a query or retrieval, to a server with plugin-storage and plugin-query-retrieve that holds nothing. */
export interface IdentifierScenario {
  /** Default: FIND of the study root. */
  readonly sopClassUid?: string
  /** An identifier, or its bytes in Implicit VR Little Endian. */
  readonly identifier: DataSet | Uint8Array
  readonly moveDestination?: string
}

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))
const study = (keys: DataSet): DataSet => ({ QueryRetrieveLevel: 'STUDY', ...keys })
const nested = (depth: number): DataSet => (depth === 0 ? { CodeValue: 'X' } : { EquivalentCodeSequence: [nested(depth - 1)] })
const privateKeys = (count: number): DataSet => Object.fromEntries(many(count, (index) => [(0x00111000 + index).toString(16).padStart(8, '0').toUpperCase(), null]))
const vrsOf = (keys: DataSet): DataSet => ({ ...keys, _vrMap: Object.fromEntries(Object.keys(keys).map((name) => [name, 'LO'])) })

/** An element in Implicit VR Little Endian: tag, 32-bit length, value (PS3.5 7.1.3). */
function element(group: number, number: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
  const header = Buffer.alloc(8)
  header.writeUInt16LE(group, 0)
  header.writeUInt16LE(number, 2)
  header.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}
const LEVEL = element(0x0008, 0x0052, 'STUDY ')
const UTF_8 = element(0x0008, 0x0005, 'ISO_IR 192')

const FINDS: Readonly<Record<string, IdentifierScenario>> = {
  'an identifier without anything in it': { identifier: {} },
  'no Query/Retrieve Level': { identifier: { StudyInstanceUID: '1.2' } },
  'a Query/Retrieve Level in lower case': { identifier: { QueryRetrieveLevel: 'study' } },
  'a Query/Retrieve Level that the model does not have': { identifier: { QueryRetrieveLevel: 'PATIENT' } },
  'two Query/Retrieve Levels': { identifier: { QueryRetrieveLevel: ['STUDY', 'SERIES'] } },
  'no unique key of a level above': { identifier: { QueryRetrieveLevel: 'SERIES' } },
  'a wildcard in the unique key of a level above': { sopClassUid: PatientRoot.Find, identifier: study({ PatientID: 'P*' }) },
  'a wildcard in a UID': { identifier: study({ StudyInstanceUID: '1.2.*' }) },
  'a wildcard in a date': { identifier: study({ StudyDate: '2024*' }) },
  'a UID of more than 64 characters': { identifier: study({ StudyInstanceUID: `1.${'2'.repeat(63)}` }) },
  'a date that is none': { identifier: study({ StudyDate: '20241301' }) },
  'a range that ends before it begins': { identifier: study({ StudyDate: '20240201-20240101' }) },
  'several values in a key that is no UID, when that was not negotiated': { identifier: study({ AccessionNumber: ['A1', 'A2'] }) },
  'a key twice': { identifier: Buffer.concat([LEVEL, element(0x0020, 0x000d, '1.2\0'), element(0x0020, 0x000d, '1.3\0')]) },
  'keys that are not in the order of their tags': { identifier: Buffer.concat([element(0x0020, 0x000d, '1.2\0'), LEVEL]) },
  'a key that claims more bytes than there are': { identifier: Buffer.concat([LEVEL, element(0x0020, 0x000d, '1.2\0').subarray(0, 10)]) },
  'a sequence with two items': { identifier: study({ ProcedureCodeSequence: [{ CodeValue: 'X' }, { CodeValue: 'Y' }] }) },
  'sequences nested seven deep': { identifier: study({ ProcedureCodeSequence: [nested(6)] }) },
  'an item with 257 keys': { identifier: study({ ProcedureCodeSequence: [vrsOf(privateKeys(257))] }) },
  '1025 keys': { identifier: study(vrsOf(privateKeys(1025))) },
  'a private key': { identifier: study(vrsOf({ '00111010': 'X' })) },
  'a list of 50 000 UIDs': { identifier: study({ StudyInstanceUID: many(50_000, (index) => `1.2.${index}`) }) },
  'a list of more than 65 536 UIDs': { identifier: study({ StudyInstanceUID: many(65_537, (index) => `1.${index}`) }) },
  'more than 256 values in another key': { identifier: study({ ModalitiesInStudy: many(257, (index) => `M${index}`) }) },
  'a text of 60 KiB': { identifier: study({ PatientID: 'A'.repeat(61_440) }) },
  'a wildcard pattern of more than 256 characters': { identifier: study({ PatientID: '*A'.repeat(129) }) },
  'SQL in a key': { identifier: study({ PatientID: `'; drop table study; --` }) },
  'what LIKE and GLOB of a database mean, in a wildcard key': { identifier: study({ PatientID: '%_[!-~]*' }) },
  'NUL in a text': { identifier: Buffer.concat([UTF_8, LEVEL, element(0x0010, 0x0020, 'A\0*B')]) },
  'text that is not of its character set': { identifier: Buffer.concat([UTF_8, LEVEL, element(0x0010, 0x0020, 'A\xff')]) },
  'text beyond ASCII in a character set that is not known': { identifier: Buffer.concat([element(0x0008, 0x0005, 'EBCDIC'), LEVEL, element(0x0010, 0x0020, 'A\xe4')]) },
}

const RETRIEVALS: Readonly<Record<string, IdentifierScenario>> = {
  'a retrieval of a level that the model does not have': { sopClassUid: StudyRoot.Get, identifier: { QueryRetrieveLevel: 'PATIENT', PatientID: '1' } },
  'a retrieval without the unique key of its level': { sopClassUid: StudyRoot.Get, identifier: study({}) },
  'a retrieval without the unique key of a level above': { sopClassUid: StudyRoot.Get, identifier: { QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '1.2' } },
  'a retrieval with a wildcard': { sopClassUid: PatientRoot.Get, identifier: { QueryRetrieveLevel: 'PATIENT', PatientID: '*' } },
  'a retrieval with a list of Patient IDs': { sopClassUid: PatientRoot.Get, identifier: { QueryRetrieveLevel: 'PATIENT', PatientID: ['1', '2'] } },
  'a retrieval with a key that is not unique': { sopClassUid: StudyRoot.Get, identifier: study({ StudyInstanceUID: '1.2', StudyDate: '20240101' }) },
  'a retrieval with a key below its level': { sopClassUid: StudyRoot.Get, identifier: study({ StudyInstanceUID: '1.2', SeriesInstanceUID: '1.3' }) },
  'a retrieval of a UID that is a path': { sopClassUid: StudyRoot.Get, identifier: study({ StudyInstanceUID: '../../etc/passwd' }) },
  'a retrieval of 50 000 UIDs of nothing that is there': { sopClassUid: StudyRoot.Get, identifier: study({ StudyInstanceUID: many(50_000, (index) => `1.2.${index}`) }) },
  'a retrieval whose identifier cannot be decoded': { sopClassUid: StudyRoot.Get, identifier: Buffer.from('no data set') },
  'a C-MOVE to a destination that nobody knows': { sopClassUid: StudyRoot.Move, identifier: study({ StudyInstanceUID: '1.2' }), moveDestination: 'NOWHERE' },
}

export const IDENTIFIERS: Readonly<Record<string, IdentifierScenario>> = { ...FINDS, ...RETRIEVALS }
