// Our SCU against wlmscpfs of DCMTK: modality worklist (PS3.4 annex K).
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { AssociationRejectedError, ModalityWorklist, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { interop, startScp, succeeds } from './support/dcmtk.ts'
import { temporaryFolder } from './support/files.ts'
import { associate, collect } from './support/scu.ts'

interface Step {
  readonly name: string
  readonly patientId: string
  readonly accession: string
  readonly modality: 'CT' | 'MR'
  readonly date: string
  readonly time: string
  readonly station: string
}

const STEPS: readonly Step[] = [
  { name: 'Adams^Amy', patientId: 'P1', accession: 'A1', modality: 'CT', date: '20260102', time: '080000', station: 'CT1' },
  { name: 'Baker^Bob', patientId: 'P2', accession: 'A2', modality: 'MR', date: '20260102', time: '093000', station: 'MR1' },
  { name: 'M\u00fcller^\u00c4nne', patientId: 'P3', accession: 'A3', modality: 'CT', date: '20260103', time: '101500', station: 'CT2' },
]

/** As dump2dcm reads it. wlmscpfs wants every attribute of type 1 in its files. */
function dump({ name, patientId, accession, modality, date, time, station }: Step): string {
  return `(0008,0005) CS ISO_IR 192
(0008,0050) SH ${accession}
(0008,0090) PN Doctor^Who
(0010,0010) PN ${name}
(0010,0020) LO ${patientId}
(0010,0030) DA 19700101
(0010,0040) CS O
(0020,000d) UI 2.25.${accession.slice(1)}
(0032,1032) PN Doctor^Who
(0032,1060) LO Procedure ${accession}
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS ${modality}
(0040,0001) AE ${station}
(0040,0002) DA ${date}
(0040,0003) TM ${time}
(0040,0006) PN Doctor^Who
(0040,0007) LO Step of ${accession}
(0040,0008) SQ
(fffe,e000) -
(0008,0100) SH CODE-${accession}
(0008,0102) SH 99TEST
(0008,0104) LO Protocol
(fffe,e00d) -
(fffe,e0dd) -
(0040,0009) SH S${accession}
(0040,0010) SH ROOM
(fffe,e00d) -
(fffe,e0dd) -
(0040,1001) SH R${accession}
(0040,1003) SH MEDIUM
`
}

/** A wlmscpfs for the title WORKLIST. */
async function worklist(t: ExecutionContext, options: readonly string[] = []): Promise<{ connect(calledAeTitle?: string): Promise<Association> }> {
  const folder = await temporaryFolder(t)
  const list = join(folder, 'WORKLIST')
  await mkdir(list)
  // Without it wlmscpfs does not know the title.
  await writeFile(join(list, 'lockfile'), '')
  for (const step of STEPS) {
    const source = join(folder, `${step.accession}.dump`)
    await writeFile(source, dump(step))
    await succeeds(t, 'dump2dcm', [source, join(list, `${step.accession}.wl`)])
  }
  const scp = await startScp(t, 'wlmscpfs', (port) => ['-d', '-dfp', folder, '-csk', ...options, String(port)])
  return {
    connect: (calledAeTitle = 'WORKLIST') =>
      associate(t, scp.port, { calledAeTitle, contexts: [...presentationContexts.basicWorklist, ...presentationContexts.verification] }),
  }
}

/** Every return key that the tests look at, and these matching keys. */
function query(keys: DataSet = {}, step: DataSet = {}): DataSet {
  return {
    AccessionNumber: '',
    PatientName: '',
    PatientID: '',
    StudyInstanceUID: '',
    RequestedProcedureID: '',
    ...keys,
    ScheduledProcedureStepSequence: [
      {
        Modality: '',
        ScheduledStationAETitle: '',
        ScheduledProcedureStepStartDate: '',
        ScheduledProcedureStepStartTime: '',
        ScheduledProcedureStepID: '',
        ScheduledProtocolCodeSequence: [{ CodeValue: '', CodingSchemeDesignator: '', CodeMeaning: '' }],
        ...step,
      },
    ],
  }
}

async function matches(association: Association, identifier: DataSet): Promise<DataSet[]> {
  const responses = await collect(association.cFind(identifier, { model: ModalityWorklist.Find }))
  const final = responses.pop()
  if (final?.status !== 0x0000) throw new Error(`${final?.label} ${final?.errorComment}`)
  return responses.map((response) => response.identifier as DataSet)
}

const accessions = (found: readonly DataSet[]): string[] => found.map(({ AccessionNumber: accession }) => String(accession)).sort()

interop('worklist: a match is the item, with its nested sequences', async (t) => {
  const { connect } = await worklist(t)
  const association = await connect()
  const [match, ...more] = await matches(association, query({ SpecificCharacterSet: 'ISO_IR 192', PatientName: 'M\u00fcller*' }))
  t.is(more.length, 0)
  t.is(String(match?.['PatientName']), 'M\u00fcller^\u00c4nne')
  t.like(match, { AccessionNumber: 'A3', PatientID: 'P3', StudyInstanceUID: '2.25.3', RequestedProcedureID: 'RA3' })
  const [step, ...steps] = (match as DataSet)['ScheduledProcedureStepSequence'] as DataSet[]
  t.is(steps.length, 0)
  t.like(step, {
    Modality: 'CT',
    ScheduledStationAETitle: 'CT2',
    ScheduledProcedureStepStartDate: '20260103',
    ScheduledProcedureStepStartTime: '101500',
    ScheduledProcedureStepID: 'SA3',
  })
  const [code] = (step as DataSet)['ScheduledProtocolCodeSequence'] as DataSet[]
  t.like(code, { CodeValue: 'CODE-A3', CodingSchemeDesignator: '99TEST', CodeMeaning: 'Protocol' })
  await association.release()
})

interop('worklist: by modality, station, date, range of dates and times, patient', async (t) => {
  const { connect } = await worklist(t)
  const association = await connect()
  const cases: readonly [identifier: DataSet, expected: readonly string[]][] = [
    [query(), ['A1', 'A2', 'A3']],
    [query({}, { Modality: 'CT' }), ['A1', 'A3']],
    [query({}, { ScheduledStationAETitle: 'MR1' }), ['A2']],
    [query({}, { ScheduledProcedureStepStartDate: '20260102' }), ['A1', 'A2']],
    [query({}, { ScheduledProcedureStepStartDate: '20260103-20260131' }), ['A3']],
    [query({}, { ScheduledProcedureStepStartDate: '20260102', ScheduledProcedureStepStartTime: '090000-' }), ['A2']],
    [query({}, { Modality: 'MR', ScheduledProcedureStepStartDate: '20260103' }), []],
    [query({ PatientName: '*^B?b' }), ['A2']],
    [query({ PatientID: 'P1' }, { Modality: 'CT' }), ['A1']],
    // Zero items in a sequence ask for all of it.
    [{ AccessionNumber: '', ScheduledProcedureStepSequence: [] }, ['A1', 'A2', 'A3']],
  ]
  for (const [identifier, expected] of cases) t.deepEqual(accessions(await matches(association, identifier)), expected, JSON.stringify(identifier))
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

interop('worklist: C-CANCEL while wlmscpfs works through its matches', async (t) => {
  const { connect } = await worklist(t, ['--sleep-during', '1'])
  const association = await connect()
  const controller = new AbortController()
  const statuses: number[] = []
  for await (const { status } of association.cFind(query(), { model: ModalityWorklist.Find, signal: controller.signal })) {
    statuses.push(status)
    controller.abort()
  }
  t.is(statuses.at(-1), 0xfe00, statuses.map((status) => status.toString(16)).join())
  t.true(statuses.length < 4)

  // The loop that is left sends C-CANCEL as well; the next request has its own responses.
  for await (const { category } of association.cFind(query(), { model: ModalityWorklist.Find })) {
    t.is(category, 'pending')
    break
  }
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

interop('worklist: a title without a list is rejected; --refuse rejects everybody', async (t) => {
  const { connect } = await worklist(t)
  const unknown = await t.throwsAsync(connect('OTHER'), { instanceOf: AssociationRejectedError })
  // Permanent, service-user, called AE title not recognized (PS3.8 table 9-21).
  t.deepEqual([unknown?.result, unknown?.source, unknown?.reason], [1, 1, 7])
  const refusing = await worklist(t, ['--refuse'])
  const refused = await t.throwsAsync(refusing.connect(), { instanceOf: AssociationRejectedError })
  t.deepEqual([refused?.result, refused?.source, refused?.reason], [1, 1, 1])
})
