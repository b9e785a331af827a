import { ModalityWorklist, QueryStatus, presentationContexts } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { worklist } from '../dist/worklist.js'
import { all, associate, hex } from './support/requestor.js'

const { Find: model } = ModalityWorklist

function item(id: string, name: string, modality: string, date: string, time: string): DataSet {
  return {
    PatientName: name,
    PatientID: id,
    AccessionNumber: `A-${id}`,
    StudyInstanceUID: `2.25.${id}`,
    RequestedProcedureID: `RP-${id}`,
    ScheduledProcedureStepSequence: [
      {
        Modality: modality,
        ScheduledStationAETitle: `${modality}01`,
        ScheduledProcedureStepStartDate: date,
        ScheduledProcedureStepStartTime: time,
        ScheduledProtocolCodeSequence: [{ CodeValue: 'P1', CodingSchemeDesignator: '99X', CodeMeaning: 'Head' }],
      },
    ],
  }
}

const ITEMS = [
  item('1', 'Doe^John', 'CT', '20260705', '0900'),
  item('2', 'Doe^Jane', 'MR', '20260705', '1100'),
  item('3', 'Müller^Max', 'CT', '20260706', '0800'),
  item('4', 'Roe^Ann', 'CT', '20260707', '1900'),
]

/** The Patient IDs that a query finds, behind the statuses that came. */
async function asked(t: ExecutionContext, query: DataSet, options = {}): Promise<{ statuses: string[]; ids: unknown[]; matches: DataSet[] }> {
  await using server = await createTestServer({ plugins: [worklist({ items: ITEMS, ...options })] })
  const association = await associate(t, server, { contexts: presentationContexts.basicWorklist })
  const responses = await all(association.cFind({ PatientID: '', ...query }, { model }))
  const matches = responses.flatMap(({ identifier }) => (identifier === undefined ? [] : [identifier]))
  await association.release()
  return { statuses: responses.map(({ status }) => hex(status)), ids: matches.map(({ PatientID }) => PatientID), matches }
}

const step = (keys: DataSet): DataSet => ({ ScheduledProcedureStepSequence: [keys] })

test('universal, single value, wildcard, range and sequence matching', async (t) => {
  const cases: [query: DataSet, expected: string[]][] = [
    [{}, ['1', '2', '3', '4']],
    [{ PatientName: '*' }, ['1', '2', '3', '4']],
    [{ AccessionNumber: 'A-2' }, ['2']],
    [{ AccessionNumber: 'a-2' }, []],
    [{ PatientName: 'doe^*' }, ['1', '2']],
    [{ PatientName: 'Doe^J?ne' }, ['2']],
    [{ PatientName: 'Müller^*' }, ['3']],
    [{ PatientName: 'Doe' }, []],
    [{ StudyInstanceUID: ['2.25.1', '2.25.4'] }, ['1', '4']],
    [step({ Modality: 'CT' }), ['1', '3', '4']],
    [step({ Modality: 'CT', ScheduledStationAETitle: 'MR01' }), []],
    [step({ ScheduledProcedureStepStartDate: '20260705' }), ['1', '2']],
    [step({ ScheduledProcedureStepStartDate: '20260706-' }), ['3', '4']],
    [step({ ScheduledProcedureStepStartDate: '-20260705' }), ['1', '2']],
    [step({ ScheduledProcedureStepStartTime: '0800-1059' }), ['1', '3']],
    [step({ ScheduledProtocolCodeSequence: [{ CodeValue: 'P1' }], Modality: 'MR' }), ['2']],
    [step({ ScheduledProtocolCodeSequence: [{ CodeValue: 'P2' }] }), []],
    // One range, not two: on the 6th every time of day is in it.
    [step({ ScheduledProcedureStepStartDate: '20260705-20260707', ScheduledProcedureStepStartTime: '1000-1800' }), ['2', '3']],
    // There is no Medical Alerts in the items: unknown fails to match (PS3.4 K.2.2.1.1.1).
    [{ MedicalAlerts: 'X' }, []],
  ]
  for (const [query, expected] of cases) {
    const { statuses, ids } = await asked(t, query)
    t.deepEqual(ids, expected, JSON.stringify(query))
    t.deepEqual(statuses, [...expected.map(() => 'FF00'), '0000'], JSON.stringify(query))
  }
})

test('a match has what the query asks for, and nothing else', async (t) => {
  const { matches } = await asked(t, {
    AccessionNumber: 'A-1',
    Allergies: '',
    ...step({ Modality: '', ScheduledProtocolCodeSequence: [] }),
  })
  t.deepEqual(JSON.parse(JSON.stringify(matches)), [
    {
      AccessionNumber: 'A-1',
      Allergies: null,
      PatientID: '1',
      ScheduledProcedureStepSequence: [
        { Modality: 'CT', ScheduledProtocolCodeSequence: [{ CodeMeaning: 'Head', CodeValue: 'P1', CodingSchemeDesignator: '99X' }] },
      ],
    },
  ])
})

test('FF01 when an optional key is not supported, also within the sequence', async (t) => {
  for (const query of [{ PatientComments: 'x' }, step({ ScheduledProcedureStepEndDate: '20260705' })]) {
    const { statuses, matches } = await asked(t, { AccessionNumber: 'A-1', ...query })
    t.deepEqual(statuses, ['FF01', '0000'])
    t.false('PatientComments' in (matches[0] ?? {}))
  }
})

test('A900 for two items of the key sequence; A700 for too many matches', async (t) => {
  await using server = await createTestServer({ plugins: [worklist({ items: ITEMS, maximumMatches: 2 })] })
  const association = await associate(t, server, { contexts: presentationContexts.basicWorklist })
  const twoItems = { ScheduledProcedureStepSequence: [{ Modality: 'CT' }, { Modality: 'MR' }] }
  const [mismatch] = await all(association.cFind(twoItems, { model }))
  t.like(mismatch, { status: QueryStatus.IdentifierMismatch, offendingElements: [0x00400100] })
  const [tooMany] = await all(association.cFind({ PatientID: '' }, { model }))
  t.like(tooMany, { status: QueryStatus.OutOfResources, errorComment: 'Too many matches' })
})

test('a query that is left is cancelled, and the association goes on', async (t) => {
  // More than the network holds: the C-CANCEL arrives while there are matches left to send.
  const items = Array.from({ length: 5000 }, (_, index) => item(String(index), `Doe^${index}`, 'CT', '20260705', '0900'))
  await using server = await createTestServer({ plugins: [worklist({ items, maximumMatches: 5000 })] })
  const association = await associate(t, server, { contexts: presentationContexts.basicWorklist })
  const abort = new AbortController()
  const statuses: string[] = []
  for await (const { status } of association.cFind({ PatientID: '' }, { model, signal: abort.signal })) {
    statuses.push(hex(status))
    abort.abort()
  }
  t.is(statuses.at(-1), 'FE00')
  t.true(statuses.length < 5000)
  for await (const { identifier } of association.cFind({ PatientID: '' }, { model })) if (identifier !== undefined) break
  const next = await all(association.cFind({ PatientID: '7' }, { model }))
  t.deepEqual(next.map(({ status }) => hex(status)), ['FF00', '0000'])
})
