// Other clients than DCMTK's: dcmjs-dimse, and our own `dicomtap find` for what has to be negotiated. And identifiers
// that are wrong, with what is answered.
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import test from 'ava'
import { createRequire } from 'node:module'
import dimse from 'dcmjs-dimse'
import type { Client, requests, responses, Scp } from 'dcmjs-dimse'
import { encodePdu } from '@dicomtap/framework'
import { STUDY_OF } from '../corpus/questions.js'
import type { CorpusFile } from '../corpus/write-corpus.js'
import { writeCorpus } from '../corpus/write-corpus.js'
import { BIN, freePort, makeSite, startArchive, store } from './support/archive.js'
import type { RunningArchive } from './support/archive.js'
import { interop } from './support/interop.js'
import { run } from './support/programs.js'
import { getscu, movescu } from './support/retrieve.js'

const STUDY = (patient: number, study: number): string => STUDY_OF(1, patient, study)
const [JAPANESE, SEQUENCES] = [0, 28]

// dcmjs writes what it thinks of data sets to the console otherwise.
interface Log {
  setLevel(level: string): void
}
const dcmjs = createRequire(import.meta.resolve('dcmjs-dimse'))('dcmjs') as { log: Log & { getLogger(name: string): Log } }
dcmjs.log.setLevel('silent')
dcmjs.log.getLogger('validation.dcmjs').setLevel('silent')

interface Site {
  readonly folder: string
  readonly files: readonly CorpusFile[]
  readonly archive: RunningArchive
  readonly destinationPort: number
}

let opened: Promise<Site> | undefined
const site = (): Promise<Site> => (opened ??= open())

async function open(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-clients-'))
  const files = await writeCorpus(join(folder, 'corpus'), { largestStudy: 0 })
  const destinationPort = await freePort()
  await makeSite(join(folder, 'site'), { database: { sqlite: './index/index.sqlite' }, destinations: { DCMJS: destinationPort } })
  const archive = await startArchive(join(folder, 'site'))
  const complaints = await store(files, archive.port)
  if (complaints !== '') throw new Error(complaints)
  return { folder, files, archive, destinationPort }
}

test.after.always(async () => {
  const { folder, archive } = (await opened) ?? {}
  await archive?.stop('SIGKILL')
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

// ── what has to be negotiated ───────────────────────────────────────────────────────────────────────────

/** `dicomtap find`: one attribute of each match, sorted. */
async function found(attribute: string, ...args: readonly string[]): Promise<string[]> {
  const { archive } = await site()
  const { code, output } = await run(process.execPath, [BIN, 'find', `ARCHIVE@127.0.0.1:${archive.port}`, '--json', '-q', ...args, attribute])
  if (code !== 0) throw new Error(`dicomtap find ${args.join(' ')}: exit ${code} ${output}`)
  const text = Buffer.from(output, 'latin1').toString('utf8')
  return text.split('\n').filter((line) => line.startsWith('{')).map((line) => (JSON.parse(line) as Record<string, string | null>)[attribute] ?? '').toSorted()
}

interop(['dcmtk'], 'relational queries: keys of any level without the unique ones above', async (t) => {
  const series = [1, 2].map((number) => `${STUDY(SEQUENCES, 0)}.${number}`)
  t.deepEqual(await found('SeriesInstanceUID', '-P', '--relational', '--level', 'SERIES', 'PatientName=Sequence^Sue', 'Modality=CT'), series)
  t.deepEqual(await found('SOPInstanceUID', '-S', '--relational', '--level', 'IMAGE', 'PatientID=JP-1', 'Modality=SR'), [`${STUDY(JAPANESE, 0)}.2.1`])
  t.deepEqual(await found('StudyInstanceUID', '-P', '--relational', '--level', 'STUDY', 'AccessionNumber=JA?'), [STUDY(0, 0), STUDY(0, 1), STUDY(1, 0)])
  const refused = await t.throwsAsync(found('SeriesInstanceUID', '-P', '--level', 'SERIES', 'Modality=CT'))
  t.regex(refused.message, /exit 1 .*A900/s)
})

interop(['dcmtk'], 'fuzzy names, empty values, several values', async (t) => {
  const smiths = await found('PatientID', '-P', '--fuzzy', '--level', 'PATIENT', 'PatientName=Smit')
  t.true(smiths.length >= 5)
  t.deepEqual(await found('PatientID', '-P', '--fuzzy', '--level', 'PATIENT', 'PatientName=Seqence'), ['SEQ'])
  t.deepEqual(await found('PatientID', '-P', '--fuzzy', '--level', 'PATIENT', 'PatientName=SUE'), ['SEQ'])
  t.deepEqual(await found('AccessionNumber', '--empty-values', 'StudyDate=""', 'PatientID=TIMES'), ['', 'T6'])
  // Each value of the key has to be there (PS3.4 C.2.2.2.8).
  const withIds = (ids: string): Promise<string[]> => found('PatientID', '-P', '--multiple-values', '--level', 'PATIENT', `OtherPatientIDs=${ids}`)
  t.deepEqual(await withIds('OLD2\\OLD1'), ['SEQ'])
  t.deepEqual(await withIds('OLD2\\OLD3'), [])
})

interop(['dcmtk'], 'date and time as one, and in the time zone of the query', async (t) => {
  // T4 is a microsecond after midnight, within the second of the bound; T5 has a date alone, which stands for the day.
  const range = ['StudyDate=20191231-20200101', 'StudyTime=235900-000000', 'PatientID=TIMES']
  t.deepEqual(await found('AccessionNumber', '--date-time', ...range), ['T1', 'T2', 'T3', 'T4', 'T5'])
  // T7 is at 0130 in +0900, which is 1630 of the day before; T8 at 2200 in -0500, 0300 of the day after (the others are in UTC).
  const of = (date: string, time: string, zone: string): Promise<string[]> =>
    found('AccessionNumber', '--date-time', '--timezone', `StudyDate=${date}`, `StudyTime=${time}`, 'PatientID=TIMES', `TimezoneOffsetFromUTC=${zone}`)
  t.deepEqual(await of('20191231-20191231', '163000-163000', '+0000'), ['T7'])
  t.deepEqual(await of('20200101-20200101', '030000-030000', '+0000'), ['T5', 'T8'])
  t.deepEqual(await of('20200101-20200101', '005900-005959', '+0100'), ['T1', 'T2'])
})

// ── what is wrong ───────────────────────────────────────────────────────────────────────────────────────

interop(['dcmtk'], 'findscu: identifiers that do not fit their SOP class are answered A900, with the key and a comment', async (t) => {
  const { archive } = await site()
  const cases: readonly [args: readonly string[], offending: string, comment: RegExp][] = [
    [['-S', '-k', 'StudyInstanceUID='], '0008,0052', /Level is missing/],
    [['-S', '-k', 'QueryRetrieveLevel=PATIENT', '-k', 'PatientID='], '0008,0052', /Level is not one of the model/],
    [['-O', '-k', 'QueryRetrieveLevel=SERIES', '-k', 'PatientID=1', '-k', 'StudyInstanceUID=1.2'], '0008,0052', /Level is not one of the model/],
    [['-P', '-k', 'QueryRetrieveLevel=FOO'], '0008,0052', /Level is not one of the model/],
    [['-P', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID='], '0010,0020', /PatientID/],
    [['-P', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'PatientID=J*'], '0010,0020', /single value/],
    [['-S', '-k', 'QueryRetrieveLevel=SERIES', '-k', 'SeriesInstanceUID='], '0020,000d', /StudyInstanceUID/],
    [['-S', '-k', 'QueryRetrieveLevel=SERIES', '-k', 'StudyInstanceUID=1.2\\1.3'], '0020,000d', /single value/],
    [['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID=2.25*'], '0020,000d', /UID/],
    [['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyDate=2024-01-01'], '0008,0020', /StudyDate/],
    [['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyDate=20240201-20240101'], '0008,0020', /StudyDate/],
  ]
  for (const [args, offending, comment] of cases) {
    const { output } = await run('findscu', ['-d', '-aec', 'ARCHIVE', ...args, '127.0.0.1', String(archive.port)])
    const why = `${args.join(' ')}\n${output.slice(-1500)}`
    t.regex(output, /DIMSE Status *: 0xa900/i, why)
    t.true(output.includes(`(0000,0901) AT (${offending})`), why)
    t.regex(/\(0000,0902\) LO \[(.*?)\]/.exec(output)?.[1] ?? '', comment, why)
  }
})

interop(['dcmtk'], 'getscu and movescu: wrong identifiers are answered A900, an unknown destination A801', async (t) => {
  const { archive, folder } = await site()
  const cases = [
    { root: 'S', level: 'STUDY', keys: {} },
    { root: 'S', level: 'PATIENT', keys: { PatientID: 'JP-1' } },
    { root: 'P', level: 'STUDY', keys: { StudyInstanceUID: STUDY(0, 0) } },
    { root: 'P', level: 'PATIENT', keys: { PatientID: '*' } },
    { root: 'S', level: 'SERIES', keys: { StudyInstanceUID: `${STUDY(0, 0)}\\${STUDY(0, 1)}`, SeriesInstanceUID: '1.2' } },
    { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: STUDY(0, 0), SeriesInstanceUID: '1.2' } },
    { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: '2.25.*' } },
  ] as const
  for (const wrong of cases) {
    const got = await getscu(wrong, archive.port, join(folder, 'wrong'))
    t.is(got.status.toLowerCase(), '0xa900', JSON.stringify(wrong))
    t.truthy(got.comment, JSON.stringify(wrong))
    t.is((await movescu(wrong, archive.port, 'DCMJS', join(folder, 'wrong'))).status.toLowerCase(), '0xa900')
  }
  const right = { root: 'P', level: 'PATIENT', keys: { PatientID: 'JP-1' } } as const
  t.is((await movescu(right, archive.port, 'NOBODY', join(folder, 'wrong'))).status.toLowerCase(), '0xa801')
})

const STUDY_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.2.1'

/** C-FIND-RQ with a data set behind it, Implicit VR Little Endian (PS3.7 9.3.2.1 and E.1). */
const C_FIND_RQ = Buffer.concat([
  element('0000', 'uint32', 70),
  element('0002', 'text', `${STUDY_ROOT_FIND}\0`),
  element('0100', 'uint16', 0x0020), // C-FIND-RQ
  element('0110', 'uint16', 1), // message ID
  element('0700', 'uint16', 0), // priority: medium
  element('0800', 'uint16', 1), // there is a data set
])

function element(number: string, type: 'uint16' | 'uint32' | 'text', value: number | string): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : type === 'uint16' ? [value & 255, value >> 8] : [value & 255, value >> 8, 0, 0])
  return Buffer.concat([Buffer.from([0, 0, parseInt(number.slice(2), 16), parseInt(number.slice(0, 2), 16), bytes.length, 0, 0, 0]), bytes])
}

interop(['dcmtk'], 'bytes that are no data set for an identifier: a failure, and the archive goes on', async (t) => {
  const { archive } = await site()
  const garbage = [Buffer.alloc(0), Buffer.from('garbage!'), Buffer.alloc(64, 0xff), Buffer.from('0800520008000000535455', 'hex'), Buffer.from('08005200ffffff7f53545544', 'hex')]
  for (const identifier of garbage) {
    const socket = connect(archive.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(
      encodePdu({
        type: 'A-ASSOCIATE-RQ',
        protocolVersion: 1,
        calledAeTitle: 'ARCHIVE',
        callingAeTitle: 'GARBAGE',
        applicationContextName: '1.2.840.10008.3.1.1.1',
        presentationContexts: [{ id: 1, abstractSyntax: STUDY_ROOT_FIND, transferSyntaxes: ['1.2.840.10008.1.2'] }],
        userInformation: [
          { type: 0x51, maximumLengthReceived: 16384 },
          { type: 0x52, implementationClassUid: '1.2.3' },
        ],
      }),
    )
    const [accept] = (await once(socket, 'data')) as [Buffer]
    t.is(accept[0], 0x02, 'A-ASSOCIATE-AC')
    const pdv = (data: Buffer, isCommand: boolean) => encodePdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand, isLast: true, data }] })
    socket.write(Buffer.concat([pdv(C_FIND_RQ, true), pdv(identifier, false)]))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    // Either a response with a failure status in (0000,0900), or A-ABORT.
    const at = answer.indexOf(Buffer.from([0, 0, 0, 9, 2, 0, 0, 0]))
    const status = at < 0 ? undefined : answer.readUInt16LE(at + 8)
    t.true(answer[0] === 0x07 || status === 0xa900 || (status !== undefined && status >> 12 === 0xc), `${identifier.toString('hex')}: ${answer.toString('hex')}`)
  }
  t.deepEqual(await found('PatientID', '-P', '--level', 'PATIENT', 'PatientID=SEQ'), ['SEQ'])
})

// ── dcmjs-dimse ─────────────────────────────────────────────────────────────────────────────────────────

type Request = InstanceType<typeof requests.Request>
type Response = InstanceType<typeof responses.Response>
const { CFindRequest, CGetRequest, CMoveRequest } = dimse.requests

/** Sends requests over one association; resolves with what came for each. */
function exchange(port: number, all: readonly Request[], prepare: (client: Client) => void = () => {}): Promise<readonly (readonly Response[])[]> {
  return new Promise((resolve) => {
    dimse.log.disableAll()
    const client = new dimse.Client()
    const responses = all.map((): Response[] => [])
    for (const [index, request] of all.entries()) {
      request.on('response', (response: Response) => responses[index]?.push(response))
      client.addRequest(request)
    }
    client.on('closed', () => resolve(responses))
    prepare(client)
    client.send('127.0.0.1', port, 'DCMJS', 'ARCHIVE')
  })
}

interop(['dcmtk'], 'dcmjs-dimse finds, and gets and moves what it found', async (t) => {
  const { archive, destinationPort, files } = await site()
  const [studies = [], series = []] = await exchange(archive.port, [
    CFindRequest.createStudyFindRequest({ PatientID: 'JP-1', PatientName: '', StudyInstanceUID: '' }),
    CFindRequest.createSeriesFindRequest({ StudyInstanceUID: STUDY(SEQUENCES, 0), Modality: 'CT', SeriesInstanceUID: '' }),
  ])
  const valuesOf = (all: readonly Response[], name: string): string[] =>
    all.filter((response) => response.hasDataset()).map((response) => (response.getDataset() as unknown as { getElement(name: string): string }).getElement(name))
  t.deepEqual(valuesOf(studies, 'StudyInstanceUID').toSorted(), [STUDY(0, 0), STUDY(0, 1)])
  t.deepEqual(valuesOf(series, 'SeriesInstanceUID').toSorted(), [1, 2].map((number) => `${STUDY(SEQUENCES, 0)}.${number}`))
  t.deepEqual([studies, series].map((all) => all.at(-1)?.getStatus()), [0, 0])

  const wanted = files.map(({ sopInstanceUid }) => sopInstanceUid).filter((uid) => uid.startsWith(`${STUDY(0, 0)}.`)).toSorted()
  const got: string[] = []
  const [gets = []] = await exchange(archive.port, [CGetRequest.createStudyGetRequest(STUDY(0, 0))], (client) => {
    client.on('cStoreRequest', (request: InstanceType<typeof requests.CStoreRequest>, callback: (response: Response) => void) => {
      got.push(request.getAffectedSopInstanceUid() ?? '')
      const response = dimse.responses.CStoreResponse.fromRequest(request)
      response.setStatus(dimse.constants.Status.Success)
      callback(response)
    })
  })
  t.is(gets.at(-1)?.getStatus(), 0)
  t.deepEqual(got.toSorted(), wanted)

  const moved: string[] = []
  class Destination extends dimse.Scp {
    override associationRequested(association: Parameters<Scp['associationRequested']>[0]): void {
      for (const { context } of association.getPresentationContexts() as { context: { setResult(result: number, syntax: string): void; getTransferSyntaxUids(): string[] } }[]) {
        context.setResult(dimse.constants.PresentationContextResult.Accept, context.getTransferSyntaxUids()[0] ?? '')
      }
      this.sendAssociationAccept()
    }
    override cStoreRequest(request: InstanceType<typeof requests.CStoreRequest>, callback: (response: InstanceType<typeof responses.CStoreResponse>) => void): void {
      moved.push(request.getAffectedSopInstanceUid() ?? '')
      const response = dimse.responses.CStoreResponse.fromRequest(request)
      response.setStatus(dimse.constants.Status.Success)
      callback(response)
    }
    override associationReleaseRequested(): void {
      this.sendAssociationReleaseResponse()
    }
  }
  const server = new dimse.Server(Destination)
  const listening = once(server, 'listening')
  server.listen({ port: destinationPort, host: '127.0.0.1' } as unknown as number)
  await listening
  t.teardown(() => server.close())
  const [moves = []] = await exchange(archive.port, [CMoveRequest.createStudyMoveRequest('DCMJS', STUDY(0, 0))])
  t.is(moves.at(-1)?.getStatus(), 0)
  t.deepEqual(moved.toSorted(), wanted)
})
