import test from 'ava'
import {
  ApplicationEventStatus,
  MediaCreationStatus,
  PrintManagementStatus,
  QueryStatus,
  RelevantPatientQueryStatus,
  RetrieveStatus,
  RtMachineVerificationStatus,
  SOP_CLASSES,
  Status,
  statusCategory,
  statusCodesOf,
  StorageManagementStatus,
  StorageStatus,
  UnifiedProcedureStepStatus,
} from '@dicomtap/framework'
import type { ServiceClass, StatusCode } from '@dicomtap/framework'
import { STATUS_CODES, statusLabel, statusServiceOf } from '../../dist/dimse/status.js'
import type { StatusService } from '../../dist/dimse/status.js'

const hex = (code: number): string => code.toString(16).padStart(4, '0')
const rangeOf = ({ from, to }: StatusCode): string => (from === to ? hex(from) : `${hex(from)}-${hex(to)}`)

/** PS3.7 annex C: what any service may answer; 0001 stands in PS3.4 with each service that has it. */
const GENERAL = [
  '0000', '0001', '0105', '0106', '0107', '0110', '0111', '0112', '0113', '0114', '0115', '0116', '0117', '0118', '0119',
  '0120', '0121', '0122', '0123', '0124', '0210', '0211', '0212', '0213', 'fe00',
]

const FIND = ['a700', 'a710', 'a900', 'b001', 'c000-cfff', 'ff00', 'ff01']
const MOVE = ['a701', 'a702', 'a801', 'a900', 'aa00', 'aa01', 'aa02', 'aa03', 'aa04', 'b000', 'c000-cfff', 'ff00']
const GET = MOVE.filter((code) => code !== 'a801')

/** The codes that each service adds, by the clauses of PS3.4. */
const OWN: Readonly<Record<ServiceClass | StatusService, readonly string[]>> = {
  general: [],
  verification: [], // A.4
  storage: ['a700-a7ff', 'a900-a9ff', 'b000', 'b006', 'b007', 'c000-cfff'], // table B.2-1
  'query-retrieve-find': FIND, // table C.4-1
  'query-retrieve-move': MOVE, // tables C.4-2, Y.3-1
  'query-retrieve-get': GET, // tables C.4-3, Y.3-2
  'query-retrieve': [...new Set([...FIND, ...MOVE])],
  'procedure-step': ['0001'], // F.7.2, F.8.2
  'print-management': [
    'b600', 'b601', 'b602', 'b603', 'b604', 'b605', 'b609', 'b60a', 'c600', 'c601', 'c602', 'c603', 'c604', 'c605', 'c613', 'c616',
  ], // H.4
  'storage-commitment': [], // J.3
  'basic-worklist': ['a700', 'a900', 'c000-cfff', 'ff00', 'ff01'], // table K.4-1
  'application-event': ['b101', 'b102', 'b104', 'c101', 'c102', 'c103', 'c104', 'c10e', 'c110', 'c111'], // P.3.2, P.4.2
  'relevant-patient-query': ['a700', 'a900', 'c000', 'c100', 'c200', 'ff00'], // table Q.2-1
  'instance-availability': [], // R.3.2.1.4
  'media-creation': ['0001', 'a510', 'c201', 'c202', 'c203'], // S.3.2
  'hanging-protocol': [...new Set([...FIND, ...MOVE])], // U.4
  'substance-administration': ['a700', 'a900', 'c000-cfff', 'ff00', 'ff01'], // V.4
  'color-palette': [...new Set([...FIND, ...MOVE])], // X.4
  'implant-template': [...new Set([...FIND, ...MOVE])], // BB.4
  'unified-procedure-step': [
    '0001', 'a700', 'a900', 'b300', 'b301', 'b304', 'b305', 'b306', 'c000-c2ff', 'c300', 'c301', 'c302', 'c303', 'c304', 'c305-c306', 'c307',
    'c308', 'c309', 'c30a-c30f', 'c310', 'c311', 'c312', 'c313', 'c314', 'c315', 'c316-cfff', 'ff00', 'ff01',
  ], // CC.2
  'rt-machine-verification': ['c112', 'c221', 'c222', 'c223', 'c224', 'c225', 'c226', 'c227'], // DD.3.2
  'display-system': [], // EE.2.2
  'non-patient-object': ['a700', 'a900', 'c000'], // table GG.4-1
  'defined-procedure': [...new Set([...FIND, ...MOVE])], // HH.4
  'protocol-approval': [...new Set([...FIND, ...MOVE])], // II.4
  inventory: [...new Set([...FIND, ...MOVE])], // JJ.4
  'storage-management': ['b010'], // KK.2
  'media-storage': [],
}

test('the statuses of each service are those of the standard: its own, then the general ones', (t) => {
  t.deepEqual(statusCodesOf('general').map(rangeOf), GENERAL)
  for (const [service, own] of Object.entries(OWN) as [ServiceClass | StatusService, readonly string[]][]) {
    // A pending FF00 of C-FIND and one of C-MOVE mean different things, and both are listed.
    const ranges = [...new Set(statusCodesOf(service).map(rangeOf))]
    t.deepEqual(ranges.toSorted(), [...own, ...GENERAL.filter((code) => !own.includes(code))].toSorted(), service)
    t.deepEqual(ranges.slice(0, own.length).toSorted(), [...own].toSorted(), service)
  }
})

test('no service class is left out of the table', (t) => {
  const services = new Set(SOP_CLASSES.flatMap(({ service }) => service ?? []))
  for (const service of services) t.true(Object.hasOwn(OWN, service), service)
  for (const list of Object.keys(STATUS_CODES)) t.true(Object.hasOwn(OWN, list), list)
})

test('categories follow the code, labels say something, ranges of one list do not overlap', (t) => {
  for (const list of Object.keys(STATUS_CODES) as StatusService[]) {
    const codes = statusCodesOf(list).toSorted((a, b) => a.from - b.from)
    for (const [index, { from, to, category, label }] of codes.entries()) {
      t.is(statusCategory(from), category, `${list} ${hex(from)}`)
      t.is(statusCategory(to), category, `${list} ${hex(to)}`)
      t.true(label.length > 3 && from <= to && from > (codes[index - 1]?.to ?? -1), `${list} ${hex(from)}`)
    }
  }
})

test('a DIMSE service has the statuses of the service class that it stands for', (t) => {
  t.deepEqual(statusCodesOf('C-STORE'), statusCodesOf('storage'))
  t.deepEqual(statusCodesOf('C-FIND'), statusCodesOf('query-retrieve-find'))
  t.deepEqual(statusCodesOf('C-MOVE'), statusCodesOf('query-retrieve-move'))
  t.deepEqual(statusCodesOf('C-GET'), statusCodesOf('query-retrieve-get'))
  t.deepEqual(statusCodesOf('N-SET'), statusCodesOf('general'))
  t.deepEqual(statusCodesOf('C-ECHO'), statusCodesOf('verification'))
})

test('which list an operation on a SOP class has', (t) => {
  const of = (service: Parameters<typeof statusServiceOf>[0], uid: string): StatusService => statusServiceOf(service, `1.2.840.10008.${uid}`)
  t.is(of('C-STORE', '5.1.4.1.1.2'), 'storage')
  t.is(of('C-STORE', '5.1.4.38.1'), 'non-patient-object')
  t.is(of('C-FIND', '5.1.4.38.2'), 'query-retrieve-find')
  t.is(of('C-MOVE', '5.1.4.1.1.201.3'), 'query-retrieve-move')
  t.is(of('C-GET', '5.1.4.1.2.5.3'), 'query-retrieve-get')
  t.is(of('C-FIND', '5.1.4.1.1.201.6'), 'query-retrieve-find')
  t.is(of('C-FIND', '5.1.4.37.2'), 'relevant-patient-query')
  t.is(of('C-FIND', '5.1.4.41'), 'substance-administration')
  t.is(of('C-FIND', '5.1.4.34.6.5'), 'unified-procedure-step')
  t.is(of('N-CREATE', '5.1.4.34.6.1'), 'unified-procedure-step')
  t.is(of('N-SET', '3.1.2.3.3'), 'procedure-step')
  t.is(of('N-ACTION', '5.1.1.2'), 'print-management')
  t.is(of('N-ACTION', '5.1.1.33'), 'media-creation')
  t.is(of('N-ACTION', '1.40'), 'application-event')
  t.is(of('N-ACTION', '1.20.1'), 'general')
  t.is(of('N-ACTION', '5.1.4.34.8'), 'rt-machine-verification')
  t.is(of('N-ACTION', '5.1.4.1.1.201.5'), 'storage-management')
  t.is(of('N-GET', '5.1.1.40'), 'general')
})

test('a class that the registry does not know has the list of the service class that was negotiated for it', (t) => {
  t.is(statusServiceOf('N-ACTION', '1.2.826.0.1.99'), 'general')
  t.is(statusServiceOf('N-ACTION', '1.2.826.0.1.99', 'unified-procedure-step'), 'unified-procedure-step')
  t.is(statusServiceOf('C-MOVE', '1.2.826.0.1.99', 'query-retrieve'), 'query-retrieve-move')
  t.is(statusServiceOf('C-STORE', '1.2.840.10008.5.1.4.38.1', 'storage'), 'non-patient-object', 'what is known goes before')
})

test('named statuses are codes of their service', (t) => {
  const named: readonly (readonly [Readonly<Record<string, number>>, StatusService | ServiceClass])[] = [
    [StorageStatus, 'storage'],
    [QueryStatus, 'query-retrieve-find'],
    [RetrieveStatus, 'query-retrieve-move'],
    [RelevantPatientQueryStatus, 'relevant-patient-query'],
    [PrintManagementStatus, 'print-management'],
    [MediaCreationStatus, 'media-creation'],
    [ApplicationEventStatus, 'application-event'],
    [UnifiedProcedureStepStatus, 'unified-procedure-step'],
    [RtMachineVerificationStatus, 'rt-machine-verification'],
    [StorageManagementStatus, 'storage-management'],
  ]
  for (const [names, service] of named) {
    const codes = Object.values(names)
    t.is(new Set(codes).size, codes.length, service)
    const single = statusCodesOf(service).filter(({ from, to }) => from === to && OWN[service].includes(hex(from)))
    // Every code of the list that is no range has a name, but for what other lists name and what is retired.
    const unnamed = single.filter(({ from, label }) => !codes.includes(from) && !label.includes('retired')).map(({ from }) => hex(from))
    t.deepEqual(unnamed.filter((code) => !['0001', 'a700', 'a900', 'ff00', 'ff01'].includes(code)), [], service)
    for (const code of codes) t.true(statusCodesOf(service).some(({ from }) => from === code), `${service} ${hex(code)}`)
  }
  t.deepEqual(Object.values(Status).map(hex).toSorted(), [...GENERAL, 'ff00'].toSorted())
  t.is(statusLabel(Status.NotAuthorized), 'Refused: not authorized')
  t.is(statusLabel(Status.OptionalAttributesNotSupported, 'N-GET'), 'Optional attributes not supported')
  t.is(statusLabel(PrintManagementStatus.FilmBoxNotPrinted, 'print-management'), 'A film box is not printed yet')
})
