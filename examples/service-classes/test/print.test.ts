import { PrintManagementStatus, SopClass, Status, WellKnownInstance, definePlugin, presentationContexts, presentationContextsFor } from '@dicomtap/framework'
import type { Association, DataSet, NResponse } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import type { PrintJob } from '../dist/print/queue.js'
import { print } from '../dist/print.js'
import { eventCollector } from './support/events.js'
import { associate, hex } from './support/requestor.js'

const { BasicFilmSession, BasicFilmBox, BasicGrayscaleImageBox, BasicColorImageBox, BasicAnnotationBox, PrintJob: JOB, Printer } = SopClass
const GRAYSCALE = { metaSopClassUid: SopClass.BasicGrayscalePrintManagementMeta }
const COLOR = { metaSopClassUid: SopClass.BasicColorPrintManagementMeta }
/** (2100,0500): retired in PS3.6, needed by PS3.4. */
const PRINT_JOBS = 'RETIRED_ReferencedPrintJobSequencePullStoredPrint'
const contexts = presentationContexts.printManagement

/** An image of one grey, or of one color. */
function image(columns: number, rows: number, samples: 1 | 3 = 1): DataSet {
  return {
    SamplesPerPixel: samples,
    PhotometricInterpretation: samples === 1 ? 'MONOCHROME2' : 'RGB',
    ...(samples === 1 ? {} : { PlanarConfiguration: 0 }),
    Rows: rows,
    Columns: columns,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    PixelData: new Uint8Array(columns * rows * samples).fill(0x80),
  }
}

function session(association: Association, attributeList: DataSet = { NumberOfCopies: 2 }, uid = '2.25.1') {
  return association.nCreate({ ...GRAYSCALE, affectedSopClassUid: BasicFilmSession, affectedSopInstanceUid: uid, attributeList })
}
function film(association: Association, changes: DataSet = {}, meta: object = GRAYSCALE) {
  const reference = { ReferencedSOPClassUID: BasicFilmSession, ReferencedSOPInstanceUID: '2.25.1' }
  return association.nCreate({
    ...meta,
    affectedSopClassUid: BasicFilmBox,
    attributeList: { ImageDisplayFormat: 'STANDARD\\2,1', ReferencedFilmSessionSequence: [reference], ...changes },
  })
}
function uidsOf(response: NResponse, sequence: string): string[] {
  return ((response.dataset?.[sequence] ?? []) as DataSet[]).map((item) => item['ReferencedSOPInstanceUID'] as string)
}
async function setImage(association: Association, uid: string, position: number, items: DataSet[], changes: DataSet = {}): Promise<string> {
  const { status } = await association.nSet({
    ...GRAYSCALE,
    requestedSopClassUid: BasicGrayscaleImageBox,
    requestedSopInstanceUid: uid,
    modificationList: { ImageBoxPosition: position, BasicGrayscaleImageSequence: items, ...changes },
  })
  return hex(status)
}
function printSession(association: Association) {
  return association.nAction({ ...GRAYSCALE, requestedSopClassUid: BasicFilmSession, requestedSopInstanceUid: '2.25.1', actionTypeId: 1 })
}
function printFilm(association: Association, uid: string, actionTypeId = 1) {
  return association.nAction({ ...GRAYSCALE, requestedSopClassUid: BasicFilmBox, requestedSopInstanceUid: uid, actionTypeId })
}

test('a film with two images and a note is printed, and the SCU hears how the job goes', async (t) => {
  const printed: PrintJob[] = []
  const plugin = print({ print: async (job) => void printed.push(job) })
  await using server = await createTestServer({ plugins: [plugin] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })

  const created = await session(association, { NumberOfCopies: 2, FilmSessionLabel: 'Round' })
  t.like(created, { status: 0x0000, affectedSopInstanceUid: '2.25.1', dataset: { NumberOfCopies: 2, PrintPriority: 'MED' } })
  const box = await film(association, { AnnotationDisplayFormatID: 'LABEL' })
  t.is(box.status, 0x0000)
  t.like(box.dataset, { ImageDisplayFormat: 'STANDARD\\2,1', FilmOrientation: 'PORTRAIT' })
  const [first = '', second = '', ...more] = uidsOf(box, 'ReferencedImageBoxSequence')
  t.deepEqual(more, [])
  t.is(await setImage(association, first, 1, [image(4, 2)]), '0000')
  t.is(await setImage(association, second, 2, [image(2, 2)]), '0000')
  const [note = ''] = uidsOf(box, 'ReferencedBasicAnnotationBoxSequence')
  const text = { requestedSopClassUid: BasicAnnotationBox, requestedSopInstanceUid: note, modificationList: { AnnotationPosition: 1, TextString: 'Doe^Jane' } }
  t.is((await association.nSet(text)).status, 0x0000)

  const answer = await printSession(association)
  t.is(answer.status, 0x0000)
  const [job = ''] = uidsOf(answer, PRINT_JOBS)
  const reports = await events.take(3)
  t.deepEqual(
    reports.map(({ eventTypeId, sopInstanceUid, information }) => [eventTypeId, sopInstanceUid, information]),
    [
      [1, job, { ExecutionStatusInfo: 'QUEUED', PrinterName: 'PRINTER', FilmSessionLabel: 'Round' }],
      [2, job, { ExecutionStatusInfo: 'NORMAL', PrinterName: 'PRINTER', FilmSessionLabel: 'Round' }],
      [3, job, { ExecutionStatusInfo: 'NORMAL', PrinterName: 'PRINTER', FilmSessionLabel: 'Round' }],
    ],
  )
  t.like(printed, [{ uid: job, originator: 'EXAMPLE-SCU', session: { NumberOfCopies: 2 } }])
  t.is(printed[0]?.films.length, 1)
  const [page] = printed[0]?.films ?? []
  t.like(page?.annotations, [{ attributes: { TextString: 'Doe^Jane' } }])
  const images = page?.images.map(({ attributes }) => ((attributes?.['BasicGrayscaleImageSequence'] ?? []) as DataSet[])[0])
  t.deepEqual(images?.map((one) => [one?.['Columns'], one?.['Rows'], ((one?.['PixelData'] ?? []) as ArrayBuffer[])[0]?.byteLength]), [
    [4, 2, 8],
    [2, 2, 4],
  ])
})

test('a job that waits can be asked for; one that fails says so; both are gone when they are over', async (t) => {
  const finish: (() => void)[] = []
  const plugin = print({ print: () => new Promise((_, reject) => finish.push(() => reject(new Error('Out of film')))) })
  await using server = await createTestServer({ plugins: [plugin] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await session(association)
  const { affectedSopInstanceUid: uid = '' } = await film(association)
  const [first = ''] = uidsOf(await printFilm(association, uid), PRINT_JOBS)
  const [second = ''] = uidsOf(await printFilm(association, uid), PRINT_JOBS)
  t.deepEqual((await events.take(3)).map(({ eventTypeId }) => eventTypeId), [1, 2, 1])
  const get = (job: string) => association.nGet({ requestedSopClassUid: JOB, requestedSopInstanceUid: job })
  t.like(await get(first), { status: 0x0000, dataset: { ExecutionStatus: 'PRINTING', Originator: 'EXAMPLE-SCU', PrintPriority: 'MED' } })
  t.like(await get(second), { status: 0x0000, dataset: { ExecutionStatus: 'PENDING', ExecutionStatusInfo: 'QUEUED' } })
  finish.shift()?.()
  t.like(await events.take(2), [
    { eventTypeId: 4, sopInstanceUid: first, information: { ExecutionStatusInfo: 'CHECK PRINTER' } },
    { eventTypeId: 2, sopInstanceUid: second },
  ])
  t.is((await get(first)).status, Status.NoSuchSopInstance)
  t.deepEqual(server.logged('error'), ['films were not printed'])
})

test('color: the boxes are those of the Meta SOP class of the context', async (t) => {
  await using server = await createTestServer({ plugins: [print()] })
  const association = await associate(t, server, { contexts })
  await session(association)
  const box = await film(association, { ImageDisplayFormat: 'ROW\\1,2' }, COLOR)
  t.like(box.dataset?.['ReferencedImageBoxSequence'], Array.from({ length: 3 }, () => ({ ReferencedSOPClassUID: BasicColorImageBox })))
  const [first = ''] = uidsOf(box, 'ReferencedImageBoxSequence')
  const modificationList = { ImageBoxPosition: 1, BasicColorImageSequence: [image(2, 2, 3)] }
  const target = { ...COLOR, requestedSopInstanceUid: first }
  t.is((await association.nSet({ ...target, requestedSopClassUid: BasicColorImageBox, modificationList })).status, 0x0000)
  t.is(await setImage(association, first, 1, [image(2, 2)]), '0112', 'it is no grayscale box')
})

test('creation: B600, B605, 0106, 0111, 0120 and 0121', async (t) => {
  await using server = await createTestServer({ plugins: [print()] })
  const association = await associate(t, server, { contexts })
  t.like(await film(association), { status: Status.InvalidAttributeValue, attributeIdentifierList: [0x20100500] }, 'there is no session yet')
  t.is((await session(association, { MemoryAllocation: 1000 })).status, PrintManagementStatus.MemoryAllocationNotSupported)
  t.is((await session(association, {}, '2.25.2')).status, Status.DuplicateSopInstance, 'one at a time')
  t.is((await film(association, { MaxDensity: 400 })).status, PrintManagementStatus.DensityOutOfRange)
  for (const format of ['SLIDE', 'STANDARD\\0,1', 'STANDARD\\2', 'STANDARD\\99,99', 'CUSTOM\\1']) {
    t.is((await film(association, { ImageDisplayFormat: format })).status, Status.InvalidAttributeValue, format)
  }
  t.like(await film(association, { ImageDisplayFormat: '' }), { status: Status.MissingAttributeValue, attributeIdentifierList: [0x20100010] })
  const bare = await association.nCreate({ ...GRAYSCALE, affectedSopClassUid: BasicFilmBox, attributeList: { ImageDisplayFormat: 'STANDARD\\1,1' } })
  t.like(bare, { status: Status.MissingAttribute, attributeIdentifierList: [0x20100500] })
})

test('images: what is too large, what is missing, what is taken away', async (t) => {
  await using server = await createTestServer({ plugins: [print({ imageBox: { columns: 10, rows: 10 }, maximumBytes: 900 })] })
  const association = await associate(t, server, { contexts })
  await session(association)
  const box = await film(association)
  const [first = '', second = ''] = uidsOf(box, 'ReferencedImageBoxSequence')
  const large = [image(11, 2)]
  t.is(await setImage(association, first, 1, large), 'B604')
  t.is(await setImage(association, first, 1, large, { RequestedDecimateCropBehavior: 'CROP' }), 'B609')
  t.is(await setImage(association, first, 1, large, { RequestedDecimateCropBehavior: 'DECIMATE' }), 'B60A')
  t.is(await setImage(association, first, 1, large, { RequestedDecimateCropBehavior: 'FAIL' }), 'C603')
  t.is(await setImage(association, first, 1, large, { RequestedDecimateCropBehavior: 'DECIMATE', MagnificationType: 'NONE' }), 'C603')
  t.is(await setImage(association, first, 1, [image(4, 4)], { MinDensity: 1 }), 'B605')
  t.is(await setImage(association, first, 2, [image(4, 4)]), '0106', 'the position is another box')
  t.is(await setImage(association, '2.25.404', 1, [image(4, 4)]), '0112')
  const { Rows: _, ...rowless } = image(4, 4)
  t.is(await setImage(association, first, 1, [rowless]), '0120')
  t.is(await setImage(association, first, 1, [image(30, 23)]), 'B604')
  t.is(await setImage(association, second, 2, [image(4, 4)]), 'C605', 'the memory is for both')
  t.is(await setImage(association, first, 1, []), '0000')
  t.is(await setImage(association, second, 2, [image(4, 4)]), '0000')
})

test('printing: C600, B602, B603, C601, C602, 0112 and 0123', async (t) => {
  let finish: () => void = () => {}
  const plugin = print({ maximumQueue: 1, print: () => new Promise((resolve) => (finish = resolve)) })
  await using server = await createTestServer({ plugins: [plugin] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  t.is((await printSession(association)).status, Status.NoSuchSopInstance)
  await session(association)
  t.is((await printSession(association)).status, PrintManagementStatus.NoFilmBox)
  const { affectedSopInstanceUid: first = '' } = await film(association)
  const { affectedSopInstanceUid: last = '' } = await film(association)
  t.is((await printFilm(association, first)).status, Status.NoSuchSopInstance, 'only the one created last')
  t.is((await printFilm(association, last, 2)).status, Status.NoSuchAction)
  t.is((await printSession(association)).status, PrintManagementStatus.FilmSessionHasEmptyPage)
  t.is((await printSession(association)).status, PrintManagementStatus.FilmSessionQueueFull)
  t.is((await printFilm(association, last)).status, PrintManagementStatus.FilmBoxQueueFull)
  await events.take(2)
  finish()
  await events.take(1)
  t.is((await printFilm(association, last)).status, PrintManagementStatus.FilmBoxHasEmptyPage)
})

test('deletion: the film created last, or the session with all of them', async (t) => {
  await using server = await createTestServer({ plugins: [print()] })
  const association = await associate(t, server, { contexts })
  await session(association)
  const { affectedSopInstanceUid: first = '' } = await film(association)
  const { affectedSopInstanceUid: last = '' } = await film(association)
  const remove = async (requestedSopClassUid: string, requestedSopInstanceUid: string) =>
    hex((await association.nDelete({ ...GRAYSCALE, requestedSopClassUid, requestedSopInstanceUid })).status)
  t.is(await remove(BasicFilmBox, first), '0112')
  t.is(await remove(BasicFilmBox, last), '0000')
  t.is(await remove(BasicFilmBox, first), '0000')
  t.is(await remove(BasicFilmSession, '2.25.404'), '0112')
  t.is(await remove(BasicFilmSession, '2.25.1'), '0000')
  t.is(await remove(BasicFilmSession, '2.25.1'), '0112')
  t.is((await session(association)).status, 0x0000)
  const other = await associate(t, server, { contexts })
  t.is((await session(other)).status, 0x0000, 'sessions of associations do not meet')
})

test('without Print Job and annotations negotiated there are none', async (t) => {
  await using server = await createTestServer({ plugins: [print()] })
  const association = await associate(t, server, { contexts: presentationContextsFor([GRAYSCALE.metaSopClassUid]) })
  await session(association)
  const box = await film(association, { AnnotationDisplayFormatID: 'LABEL' })
  t.false('ReferencedBasicAnnotationBoxSequence' in (box.dataset ?? {}))
  const answer = await printFilm(association, box.affectedSopInstanceUid ?? '')
  t.is(answer.dataset, undefined)
})

test('the printer: N-GET, 0107 and 0112, and an event for everybody who uses it', async (t) => {
  let setStatus: (status: 'NORMAL' | 'WARNING' | 'FAILURE', info?: string) => Promise<void> = () => Promise.resolve()
  const operator = definePlugin({
    name: 'test-operator',
    after: ['example-print'],
    apply(api) {
      setStatus = api.inject('example-print.printer').setStatus
    },
  })
  await using server = await createTestServer({ plugins: [print({ printerName: 'FILMS' }), operator()] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const get = (attributeIdentifierList: string[], requestedSopInstanceUid: string = WellKnownInstance.PrinterInstance) =>
    association.nGet({ ...GRAYSCALE, requestedSopClassUid: Printer, requestedSopInstanceUid, attributeIdentifierList })
  t.like(await get([]), { status: 0x0000, dataset: { PrinterStatus: 'NORMAL', PrinterStatusInfo: 'NORMAL', PrinterName: 'FILMS' } })
  await setStatus('WARNING', 'SUPPLY LOW')
  const [event] = await events.take(1)
  t.like(event, { eventTypeId: 2, sopInstanceUid: '1.2.840.10008.5.1.1.17', abstractSyntax: GRAYSCALE.metaSopClassUid })
  t.deepEqual(event?.information, { PrinterStatusInfo: 'SUPPLY LOW', PrinterName: 'FILMS' })
  const some = await get(['PrinterStatus', 'DeviceSerialNumber'])
  t.like(some, { status: Status.AttributeListError, category: 'warning', attributeIdentifierList: [0x00181000] })
  t.deepEqual(some.dataset, { PrinterStatus: 'WARNING' })
  t.is((await get([], '2.25.404')).status, Status.NoSuchSopInstance)
  await setStatus('NORMAL')
  t.like(await events.take(1), [{ eventTypeId: 1, information: undefined }])
})
