// Our SCU against dcmqrscp of DCMTK: what is stored there is what is found, and comes back by C-GET and C-MOVE.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
  AssociationRejectedError,
  CommandField,
  encodeDataSet,
  PatientRoot,
  PatientStudyOnly,
  presentationContexts,
  presentationContextsFor,
  SopClass,
  StudyRoot,
  TransferSyntax,
} from '@dicomtap/framework'
import type { Association, CStoreRequest, DataSet, RequestedContext, RetrieveResponse } from '@dicomtap/framework'
import { createTestServer, sampleDataset } from '@dicomtap/framework/testing'
import { interop, startScp } from './support/dcmtk.ts'
import type { Scp } from './support/dcmtk.ts'
import { temporaryFolder } from './support/files.ts'
import { associate, collect } from './support/scu.ts'

const STORED = [SopClass.CTImageStorage, SopClass.MRImageStorage]
const stores = (roles?: RequestedContext['roles']): RequestedContext[] =>
  STORED.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian], ...(roles === undefined ? {} : { roles }) }))

interface Instance {
  readonly dataset: DataSet
  readonly bytes: Buffer
}

/** Two patients, three studies, four series, eight instances; by SOP Instance UID. */
async function instances(): Promise<Map<string, Instance>> {
  const all = new Map<string, Instance>()
  const studies = [
    { patient: 0, name: 'Adams^Amy', date: '20200102', series: ['ct', 'mr'] },
    { patient: 0, name: 'Adams^Amy', date: '20210203', series: ['ct'] },
    { patient: 1, name: 'Müller^Änne', date: '20220304', series: ['mr'] },
  ] as const
  for (const [study, { patient, name, date, series }] of studies.entries()) {
    for (const [index, kind] of series.entries()) {
      for (const instance of [1, 2]) {
        const seriesInstanceUid = `2.25.100${study}.${index}`
        const sopInstanceUid = `${seriesInstanceUid}.${instance}`
        const sample = sampleDataset(kind, {
          seed: study + 1,
          patientId: `P${patient}`,
          patientName: name,
          studyInstanceUid: `2.25.100${study}`,
          seriesInstanceUid,
          sopInstanceUid,
        })
        const dataset = { ...sample, StudyDate: date, SeriesNumber: index + 1, InstanceNumber: instance }
        all.set(sopInstanceUid, { dataset, bytes: await encodeDataSet(dataset, TransferSyntax.ExplicitVRLittleEndian) })
      }
    }
  }
  return all
}

interface Archive {
  readonly scp: Scp
  readonly instances: ReadonlyMap<string, Instance>
  connect(contexts: readonly RequestedContext[]): Promise<Association>
}

/** A dcmqrscp that was given the instances by C-STORE. @param destination the port of the title RECEIVER */
async function archive(t: ExecutionContext, destination = 0): Promise<Archive> {
  const { scp, connect } = await emptyArchive(t, destination)
  const all = await instances()
  const association = await connect(stores())
  const sources = [...all.values()].map(({ dataset, bytes }) => ({
    sopClassUid: dataset['SOPClassUID'] as string,
    sopInstanceUid: dataset['SOPInstanceUID'] as string,
    transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
    bytes: () => bytes,
  }))
  const stored = await Promise.all(sources.map((source) => association.cStore(source)))
  t.true(stored.every(({ status }) => status === 0x0000))
  await association.release()
  return { scp, instances: all, connect }
}

async function emptyArchive(t: ExecutionContext, destination: number, settings = 'MaxAssociations = 16'): Promise<Omit<Archive, 'instances'>> {
  const folder = await temporaryFolder(t)
  const [database, config] = [join(folder, 'database'), join(folder, 'dcmqrscp.cfg')]
  await mkdir(database)
  await writeFile(
    config,
    `MaxPDUSize = 16384
${settings}
HostTable BEGIN
receiver = (RECEIVER, localhost, ${destination})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE ${database} RW (100, 1024mb) ANY
AETable END
`,
  )
  const scp = await startScp(t, 'dcmqrscp', (port) => ['-d', '-c', config, '+xe', '+U8', String(port)])
  return { scp, connect: (contexts) => associate(t, scp.port, { calledAeTitle: 'ARCHIVE', contexts }) }
}

const sorted = (values: Iterable<unknown>): string[] => [...values].map(String).sort()

/** The values of an attribute in all matches. */
async function found(association: Association, model: string, query: DataSet, attribute: string): Promise<string[]> {
  const responses = await collect(association.cFind(query, { model }))
  const final = responses.pop()
  if (final?.status !== 0x0000 || final.identifier !== undefined) throw new Error(`${final?.label} ${final?.errorComment}`)
  return sorted(
    responses.map(({ status, identifier }) => {
      if (status !== 0xff00 && status !== 0xff01) throw new Error(`status ${status.toString(16)}`)
      return identifier?.[attribute]
    }),
  )
}

interop('C-FIND: each level of each model, by key, wildcard, range and list of UIDs', async (t) => {
  const { connect } = await archive(t)
  const association = await connect(presentationContexts.queryRetrieve.filter(({ abstractSyntax }) => [PatientRoot.Find, StudyRoot.Find, PatientStudyOnly.Find].includes(abstractSyntax)))
  const cases: readonly [model: string, query: DataSet, attribute: string, values: readonly string[]][] = [
    [PatientRoot.Find, { QueryRetrieveLevel: 'PATIENT', PatientID: '' }, 'PatientID', ['P0', 'P1']],
    [PatientRoot.Find, { QueryRetrieveLevel: 'PATIENT', PatientName: 'Ad*', PatientID: '' }, 'PatientID', ['P0']],
    [PatientRoot.Find, { QueryRetrieveLevel: 'PATIENT', PatientName: '?dams^Amy' }, 'PatientName', ['Adams^Amy']],
    [PatientRoot.Find, { QueryRetrieveLevel: 'PATIENT', PatientID: 'P9' }, 'PatientID', []],
    [PatientRoot.Find, { QueryRetrieveLevel: 'STUDY', PatientID: 'P0', StudyInstanceUID: '' }, 'StudyInstanceUID', ['2.25.1000', '2.25.1001']],
    [PatientRoot.Find, { QueryRetrieveLevel: 'SERIES', PatientID: 'P0', StudyInstanceUID: '2.25.1000', SeriesInstanceUID: '', Modality: '' }, 'Modality', ['CT', 'MR']],
    [
      PatientRoot.Find,
      { QueryRetrieveLevel: 'IMAGE', PatientID: 'P1', StudyInstanceUID: '2.25.1002', SeriesInstanceUID: '2.25.1002.0', SOPInstanceUID: '' },
      'SOPInstanceUID',
      ['2.25.1002.0.1', '2.25.1002.0.2'],
    ],
    [PatientStudyOnly.Find, { QueryRetrieveLevel: 'PATIENT', PatientID: '' }, 'PatientID', ['P0', 'P1']],
    [PatientStudyOnly.Find, { QueryRetrieveLevel: 'STUDY', PatientID: 'P0', StudyDate: '' }, 'StudyDate', ['20200102', '20210203']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' }, 'StudyInstanceUID', ['2.25.1000', '2.25.1001', '2.25.1002']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'STUDY', StudyDate: '20200601-20211231', StudyInstanceUID: '' }, 'StudyInstanceUID', ['2.25.1001']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'STUDY', StudyDate: '20210203-', StudyInstanceUID: '' }, 'StudyInstanceUID', ['2.25.1001', '2.25.1002']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: ['2.25.1000', '2.25.1002', '2.25.9'] }, 'StudyInstanceUID', ['2.25.1000', '2.25.1002']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'STUDY', AccessionNumber: 'ACC3', PatientID: '' }, 'PatientID', ['P1']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '2.25.1000', SeriesNumber: 2, SeriesInstanceUID: '' }, 'SeriesInstanceUID', ['2.25.1000.1']],
    [
      StudyRoot.Find,
      { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '2.25.1001', SeriesInstanceUID: '2.25.1001.0', InstanceNumber: '' },
      'InstanceNumber',
      ['1', '2'],
    ],
    // It asks for the text in UTF-8; the archive has ISO_IR 100.
    [StudyRoot.Find, { SpecificCharacterSet: 'ISO_IR 192', QueryRetrieveLevel: 'STUDY', PatientName: 'Müller*' }, 'PatientName', ['Müller^Änne']],
    [StudyRoot.Find, { SpecificCharacterSet: 'ISO_IR 100', QueryRetrieveLevel: 'STUDY', PatientName: '*Änne' }, 'PatientName', ['Müller^Änne']],
    // A sequence is no key that dcmqrscp knows: it goes there and back without harm.
    [
      StudyRoot.Find,
      { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.1000', ProcedureCodeSequence: [{ CodeValue: '', CodeMeaning: '' }] },
      'StudyInstanceUID',
      ['2.25.1000'],
    ],
  ]
  for (const [model, query, attribute, values] of cases) {
    t.deepEqual(await found(association, model, query, attribute), sorted(values), JSON.stringify(query))
  }
  await association.release()
})

interop('C-FIND that the archive refuses is a status; one that is left early cancels; the association goes on', async (t) => {
  const { connect } = await archive(t)
  const association = await connect([...presentationContextsFor([StudyRoot.Find]), ...presentationContexts.verification])
  const [refusal, ...more] = await collect(association.cFind({ QueryRetrieveLevel: 'STUDIO', StudyInstanceUID: '' }, { model: StudyRoot.Find }))
  t.is(more.length, 0)
  t.is(refusal?.category, 'failure')

  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' }
  for await (const { category, identifier } of association.cFind(query, { model: StudyRoot.Find })) {
    t.is(category, 'pending')
    t.is(typeof identifier?.['StudyInstanceUID'], 'string')
    break
  }
  // With a signal the responses go on until the final one, cancelled or too late for it.
  const controller = new AbortController()
  association.bind('dimseSent', ({ command }) => {
    if (command.commandField === CommandField.C_FIND_RQ) controller.abort()
  })
  const responses = association.cFind(query, { model: StudyRoot.Find, signal: controller.signal })
  const statuses = (await collect(responses)).map(({ status }) => status)
  t.true([0xfe00, 0x0000].includes(statuses.pop() as number))
  t.true(statuses.every((status) => status === 0xff00 || status === 0xff01))
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

/** Receives as a handler of `cStore`, and answers with what `status` says. */
function receiver(status: (request: CStoreRequest) => number = () => 0x0000): {
  readonly received: Map<string, Buffer>
  readonly requests: CStoreRequest[]
  cStore(request: CStoreRequest): Promise<number>
} {
  const received = new Map<string, Buffer>()
  const requests: CStoreRequest[] = []
  return {
    received,
    requests,
    async cStore(request) {
      requests.push(request)
      received.set(request.affectedSopInstanceUid, await request.dataSet.buffer())
      return status(request)
    },
  }
}

/** The final response, after checking that the counters of the others add up. */
function finalOf(t: ExecutionContext, responses: readonly RetrieveResponse[], total: number): RetrieveResponse {
  for (const response of responses.slice(0, -1)) {
    t.is(response.status, 0xff00)
    const { numberOfRemainingSuboperations: remaining, numberOfCompletedSuboperations: completed } = response
    const done = (completed ?? 0) + (response.numberOfFailedSuboperations ?? 0) + (response.numberOfWarningSuboperations ?? 0)
    t.is((remaining ?? 0) + done, total)
  }
  return responses.at(-1) as RetrieveResponse
}

interop('C-GET: each level, and every instance comes as it was stored, byte by byte', async (t) => {
  const { connect, instances: all } = await archive(t)
  const association = await connect([...presentationContextsFor([StudyRoot.Get, PatientRoot.Get]), ...stores({ scu: false, scp: true })])
  t.deepEqual(
    association.acceptedContexts.filter(({ asScp }) => asScp).map(({ abstractSyntax }) => abstractSyntax),
    STORED,
  )
  const cases: readonly [model: string, query: DataSet, uids: RegExp][] = [
    [PatientRoot.Get, { QueryRetrieveLevel: 'PATIENT', PatientID: 'P0' }, /^2\.25\.100[01]\./],
    [StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.1000' }, /^2\.25\.1000\./],
    [StudyRoot.Get, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '2.25.1000', SeriesInstanceUID: '2.25.1000.1' }, /^2\.25\.1000\.1\./],
    [
      StudyRoot.Get,
      { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '2.25.1000', SeriesInstanceUID: '2.25.1000.1', SOPInstanceUID: '2.25.1000.1.2' },
      /^2\.25\.1000\.1\.2$/,
    ],
    [StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.9' }, /^-$/],
  ]
  for (const [model, query, uids] of cases) {
    const expected = [...all.keys()].filter((uid) => uids.test(uid))
    const { received, cStore } = receiver()
    association.bind('cStore', cStore)
    const final = finalOf(t, await collect(association.cGet(query, { model })), expected.length)
    association.unbind('cStore', cStore)
    t.is(final.status, 0x0000, JSON.stringify(query))
    t.is(final.numberOfCompletedSuboperations, expected.length)
    t.deepEqual(sorted(received.keys()), sorted(expected))
    for (const [uid, bytes] of received) t.true(bytes.equals(all.get(uid)?.bytes as Buffer), uid)
  }
  await association.release()
})

interop('C-GET: what this side does not store is in the list of failures; a cancelled one ends early', async (t) => {
  const { connect } = await archive(t)
  const association = await connect([...presentationContextsFor([StudyRoot.Get]), ...stores({ scu: false, scp: true })])
  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.1000' }
  // Refused: out of resources; warning: coercion of data elements (PS3.4 table B.2-1).
  const refusing = receiver(({ affectedSopInstanceUid: uid }) => (uid === '2.25.1000.0.2' ? 0xa700 : uid === '2.25.1000.1.1' ? 0xb000 : 0x0000))
  association.bind('cStore', refusing.cStore)
  const final = finalOf(t, await collect(association.cGet(query, { model: StudyRoot.Get })), 4)
  association.unbind('cStore', refusing.cStore)
  t.is(final.status, 0xb000)
  t.is(final.category, 'warning')
  t.is(final.numberOfFailedSuboperations, 1)
  t.deepEqual(final.failedSopInstanceUids, ['2.25.1000.0.2'])
  t.is(refusing.received.size, 4)

  const controller = new AbortController()
  const cancelling = receiver(() => {
    controller.abort()
    return 0x0000
  })
  association.bind('cStore', cancelling.cStore)
  const cancelled = (await collect(association.cGet(query, { model: StudyRoot.Get, signal: controller.signal }))).at(-1)
  t.is(cancelled?.status, 0xfe00)
  t.is(cancelled?.category, 'cancel')
  t.true(cancelling.received.size < 4, `${cancelling.received.size}`)
  await association.release()
})

interop('C-MOVE to an ApplicationEntity of ours; to one that is not known; to one that is not there', async (t) => {
  const { received, requests, cStore } = receiver()
  await using destination = await createTestServer({
    aeTitle: 'RECEIVER',
    contexts: STORED.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] })),
    handlers: { cStore },
  })
  const { connect, instances: all } = await archive(t, destination.port)
  const titles = new Set<string>()
  destination.ae.bind('associationEstablished', ({ association }) => titles.add(`${association.callingAeTitle} ${association.calledAeTitle}`))
  const association = await connect([...presentationContextsFor([StudyRoot.Move]), ...presentationContexts.verification])
  t.is((await association.cEcho()).status, 0x0000)
  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: ['2.25.1000', '2.25.1002'] }
  const responses = await collect(association.cMove(query, { model: StudyRoot.Move, destination: 'RECEIVER' }))
  const final = finalOf(t, responses, 6)
  t.is(final.status, 0x0000)
  t.is(final.numberOfCompletedSuboperations, 6)
  t.deepEqual(sorted(received.keys()), sorted([...all.keys()].filter((uid) => !uid.startsWith('2.25.1001'))))
  for (const [uid, bytes] of received) t.true(bytes.equals(all.get(uid)?.bytes as Buffer), uid)
  // C-MOVE was the second request; its title and message ID come with each C-STORE (PS3.7 9.3.1.1).
  t.deepEqual(new Set(requests.map((request) => `${request.moveOriginatorApplicationEntityTitle} ${request.moveOriginatorMessageId}`)), new Set(['SCU 2']))
  t.deepEqual([...titles], ['ARCHIVE RECEIVER'])

  const unknown = await collect(association.cMove(query, { model: StudyRoot.Move, destination: 'NOBODY' }))
  t.deepEqual(unknown.map(({ status }) => status), [0xa801])
  t.regex(unknown[0]?.label ?? '', /destination/i)

  await destination.ae.close({ deadlineMs: 0 })
  const lost = await collect(association.cMove(query, { model: StudyRoot.Move, destination: 'RECEIVER' }))
  t.is(lost.at(-1)?.category, 'failure', lost.at(-1)?.label)
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

interop('C-MOVE: instances that the destination refuses are listed', async (t) => {
  const { cStore } = receiver(({ affectedSopInstanceUid: uid }) => (uid.endsWith('.1') ? 0xa700 : 0x0000))
  await using destination = await createTestServer({
    aeTitle: 'RECEIVER',
    contexts: STORED.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] })),
    handlers: { cStore },
  })
  const { connect } = await archive(t, destination.port)
  const association = await connect(presentationContextsFor([PatientRoot.Move]))
  const query = { QueryRetrieveLevel: 'PATIENT', PatientID: 'P1' }
  const final = finalOf(t, await collect(association.cMove(query, { model: PatientRoot.Move, destination: 'RECEIVER' })), 2)
  t.is(final.status, 0xb000)
  t.deepEqual([final.numberOfCompletedSuboperations, final.numberOfFailedSuboperations], [1, 1])
  t.deepEqual(final.failedSopInstanceUids, ['2.25.1002.0.1'])
  await association.release()
})

interop('associations that dcmqrscp rejects: the title is not known, there are too many', async (t) => {
  const { scp, connect } = await emptyArchive(t, 0, 'MaxAssociations = 1')
  const titled = associate(t, scp.port, { calledAeTitle: 'OTHER', contexts: presentationContexts.verification })
  const unknown = await t.throwsAsync(titled, { instanceOf: AssociationRejectedError })
  // Permanent, service-user, called AE title not recognized (PS3.8 table 9-21).
  t.deepEqual([unknown?.result, unknown?.source, unknown?.reason], [1, 1, 7])
  const first = await connect(presentationContexts.verification)
  const second = await t.throwsAsync(connect(presentationContexts.verification), { instanceOf: AssociationRejectedError })
  t.deepEqual([second?.result, second?.source, second?.reason], [2, 3, 2])
  t.is((await first.cEcho()).status, 0x0000)
  await first.release()
})
