// Our SCP against findscu, storescu, getscu, movescu and echoscu of DCMTK.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decodeDataSet,
  decodePart10Header,
  DEFAULT_TRANSFER_SYNTAXES,
  ModalityWorklist,
  PatientRoot,
  PatientStudyOnly,
  SopClass,
  StudyRoot,
  TransferSyntax,
} from '@dicomtap/framework'
import type { CStoreRequest, DataSet, DicomtapError, InstanceToSend, OutgoingDataSet, StatusAnswer, SupportedContext, UserIdentityRequest } from '@dicomtap/framework'
import { createTestServer, encodedSample, SAMPLE_KINDS, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import { dcmtk, interop, succeeds } from './support/dcmtk.ts'
import { storedIn, temporaryFolder } from './support/files.ts'

const supports = (...abstractSyntaxes: readonly string[]): SupportedContext[] =>
  abstractSyntaxes.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES }))
const MODELS = [ModalityWorklist.Find, PatientRoot.Find, StudyRoot.Find, PatientStudyOnly.Find]
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const address = (port: number): readonly string[] => ['127.0.0.1', String(port)]
const keys = (...all: readonly string[]): string[] => all.flatMap((key) => ['-k', key])

/** Data sets by SOP Instance UID, in no order. */
const digests = (all: ReadonlyMap<string, Uint8Array>): unknown => Object.fromEntries([...all].map(([uid, bytes]) => [uid, digest(bytes)]))

/** The data sets that `findscu -X` wrote, in order. */
async function extracted(folder: string): Promise<DataSet[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('rsp')).sort()
  return Promise.all(
    names.map(async (name) => {
      const file = await readFile(join(folder, name))
      const { meta, dataSetOffset } = decodePart10Header(file)
      return decodeDataSet(file.subarray(dataSetOffset), meta.transferSyntaxUid as string)
    }),
  )
}

/** What `decodeDataSet` makes of values: a name is an object, text of one value stands alone. */
const plain = (dataset: DataSet): unknown => JSON.parse(JSON.stringify(dataset))

interop('findscu: each model and transfer syntax; the keys as it gave them, the matches as we gave them', async (t) => {
  const asked: { model: string; identifier: DataSet; transferSyntax: string }[] = []
  const match = (number: number): DataSet => ({
    SpecificCharacterSet: 'ISO_IR 192',
    PatientName: 'M\u00fcller^\u00c4nne',
    PatientID: `P${number}`,
    ScheduledProcedureStepSequence: [
      { Modality: 'CT', ScheduledProcedureStepStartDate: '20260102', ScheduledProtocolCodeSequence: [{ CodeValue: `C${number}`, CodeMeaning: 'Protocol' }] },
    ],
  })
  const syntaxes = [
    ['-xe', TransferSyntax.ExplicitVRLittleEndian],
    ['-xi', TransferSyntax.ImplicitVRLittleEndian],
    ['-xb', TransferSyntax.ExplicitVRBigEndian],
    ['-xd', TransferSyntax.DeflatedExplicitVRLittleEndian],
  ] as const
  await using server = await createTestServer({
    contexts: MODELS.map((abstractSyntax, index) => ({ abstractSyntax, transferSyntaxes: [syntaxes[index]?.[1] as string] })),
    handlers: {
      async cFind({ affectedSopClassUid, identifier }, { context }) {
        asked.push({ model: affectedSopClassUid, identifier: await identifier.dataset(), transferSyntax: context.transferSyntax })
        return [1, 2, 3].map(match)
      },
    },
  })
  const models = ['-W', '-P', '-S', '-O'] as const
  for (const [index, option] of models.entries()) {
    const folder = await temporaryFolder(t)
    const options = [option, syntaxes[index]?.[0] as string, '-X', '-od', folder, '-pdu', '4096', '--repeat', '2']
    const query = keys('QueryRetrieveLevel=STUDY', 'PatientName=M*', 'StudyDate=20200101-20201231', 'ScheduledProcedureStepSequence[0].Modality=CT')
    await succeeds(t, 'findscu', [...options, ...query, ...address(server.port)])
    const found = await extracted(folder)
    // With --repeat the files of the first time are written over or are followed by those of the second.
    t.true(found.length >= 3)
    t.deepEqual(plain(found[2] as DataSet), { ...(plain(match(3)) as object), PatientName: [{ Alphabetic: 'M\u00fcller^\u00c4nne' }] })
  }
  t.deepEqual(asked.map(({ model }) => model), MODELS.flatMap((model) => [model, model]))
  t.deepEqual(
    asked.filter((_, index) => index % 2 === 0).map(({ transferSyntax }) => transferSyntax),
    syntaxes.map(([, transferSyntaxUid]) => transferSyntaxUid),
  )
  for (const { identifier } of asked) {
    t.like(identifier, { QueryRetrieveLevel: 'STUDY', StudyDate: '20200101-20201231' })
    t.is(String(identifier['PatientName']), 'M*')
    t.is((identifier['ScheduledProcedureStepSequence'] as DataSet[])[0]?.['Modality'], 'CT')
  }
})

interop('findscu --cancel: the matches end, and so does the handler', async (t) => {
  let given = 0
  let hasEnded = false
  const statuses: number[] = []
  await using server = await createTestServer({
    contexts: supports(StudyRoot.Find),
    handlers: {
      operationCompleted: ({ status }) => statuses.push(status),
      async cFind(_, { signal }) {
        async function* forever(): AsyncGenerator<OutgoingDataSet> {
          try {
            while (!signal.aborted) {
              yield { PatientID: `P${++given}` }
              // findscu sends C-CANCEL when it has the third: no more before that has come.
              if (given === 4) await new Promise((resolve) => signal.addEventListener('abort', resolve))
            }
          } finally {
            hasEnded = true
          }
        }
        return forever()
      },
    },
  })
  const output = await succeeds(t, 'findscu', ['-d', '-S', '--cancel', '3', ...keys('QueryRetrieveLevel=PATIENT', 'PatientID'), ...address(server.port)])
  t.regex(output, /0xfe00|MatchingTerminatedDueToCancelRequest/i)
  t.is(given, 4)
  t.true(hasEnded)
  t.deepEqual(statuses, [0xfe00])
})

interop('findscu sees the status that ends a query, with its comment', async (t) => {
  const answers: (() => StatusAnswer)[] = [
    () => ({ status: 0xa700, errorComment: 'No room for the answers' }),
    () => ({ status: 0xa900, errorComment: 'No such level', offendingElements: [0x00080052] }),
    () => {
      throw new Error('the database of 10.1.2.3 is gone')
    },
  ]
  const expected = [/0xa700/, /0xa900/, /0x(c...|0110)/]
  await using server = await createTestServer({ contexts: supports(StudyRoot.Find), handlers: { cFind: () => (answers.shift() as () => StatusAnswer)() } })
  for (const [index, pattern] of expected.entries()) {
    const { output } = await dcmtk('findscu', ['-d', '-S', ...keys('QueryRetrieveLevel=STUDY'), ...address(server.port)])
    t.regex(output, pattern)
    if (index === 0) t.regex(output, /No room for the answers/)
    if (index === 1) t.regex(output, /No such level/)
    t.notRegex(output, /10\.1\.2\.3/)
  }
})

/** Keeps what `cStore` receives, by SOP Instance UID. */
function store(status: (request: CStoreRequest) => StatusAnswer = () => 0x0000): { received: Map<string, Buffer>; cStore(request: CStoreRequest): Promise<StatusAnswer> } {
  const received = new Map<string, Buffer>()
  return {
    received,
    async cStore(request) {
      received.set(request.affectedSopInstanceUid, await request.dataSet.buffer())
      return status(request)
    },
  }
}

const SOP_CLASSES = SAMPLE_KINDS.map((kind) => sampleDataset(kind)['SOPClassUID'] as string)

for (const [name, options] of [
  ['only what is required', ['-R']],
  ['everything it knows', []],
  ['transfer syntaxes in one context', ['-R', '+C']],
  ['PDUs of 4096 bytes in both directions', ['-R', '-pdu', '4096', '--max-send-pdu', '4096']],
] as const) {
  interop(`storescu +sd +r, ${name}: each object of a tree arrives byte by byte`, async (t) => {
    const folder = await temporaryFolder(t)
    const sent = new Map<string, Buffer>()
    for (const [index, kind] of SAMPLE_KINDS.entries()) {
      const below = join(folder, 'a', String(index))
      await mkdir(below, { recursive: true })
      for (const seed of [1, 2]) {
        const { sopInstanceUid, dataSet } = await writeSampleFile(join(below, `${seed}.dcm`), kind, undefined, { seed, rows: 64, columns: 64 })
        sent.set(sopInstanceUid, dataSet)
      }
    }
    const { received, cStore } = store()
    await using server = await createTestServer({ contexts: supports(...SOP_CLASSES), handlers: { cStore } })
    await succeeds(t, 'storescu', ['-xe', ...options, '+sd', '+r', ...address(server.port), folder])
    t.deepEqual(digests(received), digests(sent))
  })
}

interop('storescu sees statuses: a warning is stored, a failure stops it, an abort ends it', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'ct.dcm')
  await writeSampleFile(file, 'ct')
  const answers: StatusAnswer[] = [{ status: 0xb000, errorComment: 'Coerced' }, { status: 0xa700, errorComment: 'Disk full' }]
  const { cStore } = store(() => answers.shift() as StatusAnswer)
  await using server = await createTestServer({
    contexts: supports(SopClass.CTImageStorage),
    handlers: {
      cStore: (request, { association }) => {
        if (answers.length > 0) return cStore(request)
        association.abort('enough')
        return 0x0000
      },
    },
  })
  const storescu = (): ReturnType<typeof dcmtk> => dcmtk('storescu', ['-d', '-R', ...address(server.port), file])
  const warned = await storescu()
  t.is(warned.code, 0)
  t.regex(warned.output, /0xb000/)
  t.regex(warned.output, /Coerced/)
  const failed = await storescu()
  t.regex(failed.output, /0xa700/)
  t.regex(failed.output, /Disk full/)
  const aborted = await storescu()
  t.not(aborted.code, 0)
  t.regex(aborted.output, /Peer aborted/i)
})

interop('storescu --abort, and one that is killed inside an object: the handler learns of it, others are served', async (t) => {
  const folder = await temporaryFolder(t)
  const [file, large] = [join(folder, 'ct.dcm'), join(folder, 'large.dcm')]
  await writeSampleFile(file, 'ct')
  await writeSampleFile(large, 'mr', undefined, { rows: 4096, columns: 2048 })
  const ended: string[] = []
  const errors: unknown[] = []
  let storescu: ChildProcess | undefined
  const { received, cStore } = store()
  await using server = await createTestServer({
    contexts: supports(SopClass.CTImageStorage, SopClass.MRImageStorage),
    handlers: {
      async cStore(request) {
        const victim = storescu
        if (victim === undefined) return cStore(request)
        try {
          for await (const _ of request.dataSet.bytes()) victim.kill('SIGKILL')
        } catch (error) {
          errors.push((error as DicomtapError).code)
        }
        return 0x0000
      },
      associationAborted: ({ by, source }) => ended.push(`${by} ${source}`),
      associationReleased: () => ended.push('released'),
    },
  })
  await dcmtk('storescu', ['--abort', '-R', ...address(server.port), file])
  storescu = spawn('storescu', ['-R', ...address(server.port), large], { stdio: 'ignore' })
  await once(storescu, 'exit')
  storescu = undefined
  await succeeds(t, 'storescu', ['-R', ...address(server.port), file])
  // Service-user (PS3.8 table 9-26), then no A-ABORT at all.
  t.deepEqual(ended, ['peer 0', 'network undefined', 'released'])
  t.deepEqual(errors, ['DICOMTAP_ERR_DIMSE_TRUNCATED'])
  t.is(received.size, 1)
})

interop('storescu -usr -pwd -rsp: what it says of its user, and what it is told', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'ct.dcm')
  await writeSampleFile(file, 'ct')
  const asked: UserIdentityRequest[] = []
  await using server = await createTestServer({
    contexts: supports(SopClass.CTImageStorage),
    handlers: {
      cStore: store().cStore,
      userIdentity: (identity) => {
        asked.push(identity)
        return { verified: Buffer.from(identity.secondaryField).toString() === 'right' }
      },
    },
  })
  const right = await dcmtk('storescu', ['-v', '-R', '-usr', 'alice', '-pwd', 'right', '-rsp', ...address(server.port), file])
  t.is(right.code, 0, right.output)
  const wrong = await dcmtk('storescu', ['-v', '-R', '-usr', 'alice', '-pwd', 'wrong', ...address(server.port), file])
  t.not(wrong.code, 0)
  t.regex(wrong.output, /Rejected Transient/i)
  t.deepEqual(
    asked.map(({ userIdentityType, positiveResponseRequested, primaryField }) => [userIdentityType, positiveResponseRequested, Buffer.from(primaryField).toString()]),
    [
      [2, true, 'alice'],
      [2, false, 'alice'],
    ],
  )
})

interop('echoscu is told why it is rejected', async (t) => {
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    requireCalledAeTitle: true,
    requireCallingAeTitles: ['FRIEND'],
    contexts: supports(SopClass.Verification),
    limits: { maximumAssociations: 1 },
  })
  const echo = async (calling: string, called: string): Promise<string> =>
    (await dcmtk('echoscu', ['-v', '-aet', calling, '-aec', called, ...address(server.port)])).output
  t.regex(await echo('FRIEND', 'OTHER'), /Called AE Title Not Recognized/i)
  t.regex(await echo('STRANGER', 'ARCHIVE'), /Calling AE Title Not Recognized/i)
  t.regex(await echo('FRIEND', 'ARCHIVE'), /Received Echo Response \(Success\)/)
  const folder = await temporaryFolder(t)
  await writeSampleFile(join(folder, 'ct.dcm'), 'ct')
  const { code, output } = await dcmtk('storescu', ['-v', '-R', '-aet', 'FRIEND', '-aec', 'ARCHIVE', ...address(server.port), join(folder, 'ct.dcm')])
  t.not(code, 0)
  t.regex(output, /No Acceptable Presentation Contexts/i)
})

/** Instances to retrieve, CT but for the last, which is MR; and their bytes. */
async function archive(): Promise<{ instances: InstanceToSend[]; bytes: Map<string, Buffer> }> {
  const bytes = new Map<string, Buffer>()
  const instances: InstanceToSend[] = []
  for (const [index, kind] of (['ct', 'ct', 'ct', 'mr'] as const).entries()) {
    const sopInstanceUid = `2.25.88${index}`
    const encoded = await encodedSample(kind, TransferSyntax.ExplicitVRLittleEndian, { sopInstanceUid, seed: index + 1, rows: 128, columns: 128 })
    bytes.set(sopInstanceUid, encoded)
    const sopClassUid = kind === 'ct' ? SopClass.CTImageStorage : SopClass.MRImageStorage
    instances.push({ sopClassUid, sopInstanceUid, transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian, bytes: () => [encoded] })
  }
  return { instances, bytes }
}

const STUDY = keys('QueryRetrieveLevel=STUDY', 'StudyInstanceUID=2.25.1')

interop('getscu: what it has no context for is a failure of that instance alone', async (t) => {
  const folder = await temporaryFolder(t)
  const { instances, bytes } = await archive()
  const [first] = instances as [InstanceToSend]
  const raw: InstanceToSend = { ...first, sopInstanceUid: '2.25.999', transferSyntaxUid: TransferSyntax.JPEGBaseline8Bit }
  const gone: InstanceToSend = {
    ...first,
    sopInstanceUid: '2.25.998',
    bytes: () => {
      throw new Error('The file is gone')
    },
  }
  const sent: string[] = []
  await using server = await createTestServer({
    contexts: [
      ...supports(PatientRoot.Get),
      ...supports(SopClass.CTImageStorage, SopClass.MRImageStorage).map((context) => ({ ...context, roles: { scu: true, scp: true } })),
    ],
    handlers: {
      cGet: () => ({ instances: [raw, ...instances, gone], total: 6 }),
      subOperationCompleted: ({ sopInstanceUid, status }) => sent.push(`${sopInstanceUid} ${status === 0 ? 'stored' : 'failed'}`),
    },
  })
  const { output } = await dcmtk('getscu', ['-d', '-P', '+B', '+xe', '-pdu', '4096', '-od', folder, ...STUDY, ...address(server.port)])
  // Sub-operations complete, one or more failures (PS3.4 table C.4-3).
  t.regex(output, /0xb000/)
  t.regex(output, /Failed Suboperations *: 2/)
  t.regex(output, /Completed Suboperations *: 4/)
  t.deepEqual(sent, ['2.25.999 failed', ...instances.map(({ sopInstanceUid }) => `${sopInstanceUid} stored`), '2.25.998 failed'])
  const stored = await storedIn(folder)
  t.is(stored.size, 4)
  for (const [uid, { dataSet }] of stored) t.true(dataSet.equals(bytes.get(uid) as Buffer), uid)
})

interop('movescu: to an AE of ours, which refuses one and warns of one; with a cancel', async (t) => {
  const { instances, bytes } = await archive()
  const { received, cStore } = store(({ affectedSopInstanceUid: uid }) => (uid === '2.25.881' ? 0xa700 : uid === '2.25.882' ? 0xb007 : 0x0000))
  await using destination = await createTestServer({ aeTitle: 'RECEIVER', contexts: supports(SopClass.CTImageStorage, SopClass.MRImageStorage), handlers: { cStore } })
  let isEndless = false
  let given = 0
  await using server = await createTestServer({
    contexts: supports(StudyRoot.Move),
    handlers: {
      cMove: () => {
        if (!isEndless) return { instances, total: instances.length }
        return {
          instances: (function* () {
            for (;;) {
              given += 1
              yield instances[0] as InstanceToSend
            }
          })(),
        }
      },
      moveDestination: (title) => (title === 'RECEIVER' ? { host: '127.0.0.1', port: destination.port } : undefined),
    },
  })
  const move = ['-d', '-S', '-aem', 'RECEIVER', ...STUDY, ...address(server.port)]
  const { output } = await dcmtk('movescu', move)
  t.regex(output, /0xb000/)
  const final = output.slice(output.lastIndexOf('Message Type'))
  for (const line of [/Completed Suboperations *: 2/, /Failed Suboperations *: 1/, /Warning Suboperations *: 1/]) t.regex(final, line)
  t.regex(output, /2\.25\.881/)
  t.deepEqual(digests(received), digests(bytes))

  isEndless = true
  const cancelled = await dcmtk('movescu', ['--cancel', '2', ...move])
  t.regex(cancelled.output, /0xfe00/)
  t.true(given >= 2)
})
