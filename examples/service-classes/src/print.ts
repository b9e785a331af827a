/**
 * Print management (PS3.4 H): grayscale and color films with image boxes and annotation boxes, print jobs, the printer.
 *
 * A film session belongs to its association and goes with it. The SCP makes the boxes of a film from its Image Display
 * Format; only the film created last can be changed, printed or deleted. What is printed goes to `print`, one job after
 * another. The SCU hears how its job goes when it negotiated the Print Job SOP class, and how the printer is.
 *
 * Answers: N-CREATE 0000, B600, B605, 0106, 0111, 0120, 0121, 0213 too many films. N-SET 0000, B604, B605, B609, B60A, 0106, 0112, 0120, 0121,
 * C603, C605. N-ACTION 0000, B602, B603, 0112, 0123, C600, C601, C602. N-DELETE 0000, 0112. N-GET 0000, 0107, 0112.
 *
 * It does not do: presentation LUTs, retrieval of the printer configuration.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  PrintManagementStatus,
  SopClass,
  Status,
  StatusError,
  WellKnownInstance,
  createUid,
  definePlugin,
  selectAttributes,
  statusCategory,
} from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { boxes, hasImages, imageBoxCount, references, statusOfImage } from './print/film.ts'
import type { FilmBox, FilmSession } from './print/film.ts'
import { PrintQueue, supportsPrintJobs } from './print/queue.ts'
import type { PrintJob } from './print/queue.ts'
import { attributeError, requireAttributes } from './shared/attributes.ts'
import { attributesOf, requireRoom } from './shared/bounds.ts'
import { afterResponses } from './shared/event-reports.ts'
import { itemsOf } from './shared/matching.ts'

const { BasicFilmSession, BasicFilmBox, BasicGrayscaleImageBox, BasicColorImageBox, BasicAnnotationBox } = SopClass
const GRAYSCALE = SopClass.BasicGrayscalePrintManagementMeta
const COLOR = SopClass.BasicColorPrintManagementMeta
const PRINT = 1
/** What PS3.4 H.4 calls Referenced Print Job Sequence (2100,0500): in PS3.6 that is the name of another attribute. */
const PRINT_JOBS = 'ReferencedPrintJobSequencePullStoredPrint'
const EventType = { NORMAL: 1, WARNING: 2, FAILURE: 3 } as const

/** For other plugins, and for whatever drives the printer. */
export interface PrinterControl {
  /** Tells every SCU that uses the printer (PS3.4 H.4.6.2.1). */
  setStatus(status: keyof typeof EventType, info?: string): Promise<void>
}
declare module '@dicomtap/framework' {
  interface PluginServices {
    'example-print.printer': PrinterControl
  }
}

const options = z.strictObject({
  printerName: z.string().max(16).default('PRINTER'),
  imageBox: z.strictObject({ columns: z.int().min(1), rows: z.int().min(1) }).default({ columns: 4096, rows: 5120 }).describe('In pixels'),
  density: z.strictObject({ minimum: z.int(), maximum: z.int() }).default({ minimum: 20, maximum: 320 }).describe('In hundredths of OD'),
  annotations: z.record(z.string(), z.int().min(1).max(20)).default({ LABEL: 1, BOTTOM: 6 }).describe('Annotation boxes by display format'),
  maximumQueue: z.int().min(1).default(20).describe('Jobs that wait or are being printed'),
  maximumFilms: z.int().min(1).default(100).describe('Films of a film session'),
  maximumBytes: z.int().min(1).default(256 * 1024 ** 2).describe('Images of a film session'),
  print: z.custom<(job: PrintJob) => Promise<void>>((value) => typeof value === 'function').optional().describe('Prints; default: nothing'),
})

export const print = definePlugin({
  name: 'example-print',
  options,

  apply(api, { printerName, imageBox, density, annotations, maximumQueue, maximumFilms, maximumBytes, print: printFilms = async () => {} }) {
    const sessions = new WeakMap<Association, FilmSession>()
    const queue = new PrintQueue(api, printerName, printFilms)
    const afterResponse = afterResponses(api)
    const printer: DataSet = { PrinterStatus: 'NORMAL', PrinterStatusInfo: 'NORMAL', PrinterName: printerName }
    for (const uid of [GRAYSCALE, COLOR, BasicAnnotationBox, SopClass.PrintJob]) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nCreate.tapPromise({ sopClasses: [BasicFilmSession] }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }, { association }) => {
      const given = await attributesOf(attributeList)
      // One at a time on an association (PS3.4 H.4.1.2.1.3).
      if (sessions.has(association)) return Status.DuplicateSopInstance
      const attributes = { NumberOfCopies: 1, PrintPriority: 'MED', MediumType: 'BLUE FILM', FilmDestination: 'MAGAZINE', ...given }
      sessions.set(association, { uid, attributes, films: [] })
      const status = Object.hasOwn(given, 'MemoryAllocation') ? PrintManagementStatus.MemoryAllocationNotSupported : Status.Success
      return { status, dataset: attributes, affectedSopInstanceUid: uid }
    })

    api.hooks.nCreate.tapPromise({ sopClasses: [BasicFilmBox] }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }, operation) => {
      const given = await attributesOf(attributeList)
      await requireAttributes(given, ['ImageDisplayFormat', 'ReferencedFilmSessionSequence'])
      const session = sessions.get(operation.association)
      const [reference] = itemsOf(given['ReferencedFilmSessionSequence'])
      if (session === undefined || reference?.['ReferencedSOPInstanceUID'] !== session.uid) {
        throw await attributeError(Status.InvalidAttributeValue, ['ReferencedFilmSessionSequence'])
      }
      const count = imageBoxCount(given['ImageDisplayFormat'])
      if (count === undefined) throw await attributeError(Status.InvalidAttributeValue, ['ImageDisplayFormat'])
      if (session.films.some((film) => film.uid === uid)) return Status.DuplicateSopInstance
      requireRoom(session.films.length, maximumFilms)

      const images = boxes(operation.context.abstractSyntax === COLOR ? BasicColorImageBox : BasicGrayscaleImageBox, count)
      const notes = boxes(BasicAnnotationBox, annotationCount(given, operation.association))
      const attributes = { FilmOrientation: 'PORTRAIT', FilmSizeID: '14INX17IN', MagnificationType: 'CUBIC', MaxDensity: density.maximum, ...given }
      session.films.push({ uid, attributes, images, annotations: notes })
      const dataset = {
        ...attributes,
        ReferencedImageBoxSequence: references(images),
        ...(notes.length === 0 ? {} : { ReferencedBasicAnnotationBoxSequence: references(notes) }),
      }
      return { status: statusOfDensity(given), dataset, affectedSopInstanceUid: uid }
    })

    api.hooks.nSet.tapPromise({ sopClasses: [BasicFilmSession] }, async ({ requestedSopInstanceUid, modificationList }, { association }) => {
      const session = sessionOf(association, requestedSopInstanceUid)
      session.attributes = { ...session.attributes, ...(await attributesOf(modificationList)) }
      return { status: Status.Success, dataset: session.attributes }
    })

    api.hooks.nSet.tapPromise({ sopClasses: [BasicFilmBox] }, async ({ requestedSopInstanceUid, modificationList }, { association }) => {
      const film = lastFilmOf(association, requestedSopInstanceUid)
      const changes = await attributesOf(modificationList)
      film.attributes = { ...film.attributes, ...changes }
      return { status: statusOfDensity(changes), dataset: film.attributes }
    })

    const imageBoxes = [BasicGrayscaleImageBox, BasicColorImageBox]
    api.hooks.nSet.tapPromise({ sopClasses: imageBoxes }, async ({ requestedSopInstanceUid, modificationList }, { association, sopClassUid }) => {
      const { films } = sessionOf(association)
      const film = films.at(-1)
      const box = film?.images.find(({ uid }) => uid === requestedSopInstanceUid)
      if (film === undefined || box === undefined || box.sopClassUid !== sopClassUid) return Status.NoSuchSopInstance
      const changes = await modificationList.dataset()
      const { receivedBytes } = modificationList
      const status = await statusOfImage(changes, film, box, imageBox)
      const used = films.flatMap(({ images }) => images).reduce((sum, { bytes }) => sum + bytes, 0) - box.bytes
      if (status !== undefined && used + receivedBytes > maximumBytes) return PrintManagementStatus.InsufficientMemory
      if (status !== undefined && statusCategory(status) === 'failure') return status
      box.attributes = status === undefined ? undefined : changes
      box.bytes = status === undefined ? 0 : receivedBytes
      return status === undefined || status === Status.Success ? statusOfDensity(changes) : status
    })

    api.hooks.nSet.tapPromise({ sopClasses: [BasicAnnotationBox] }, async ({ requestedSopInstanceUid, modificationList }, { association }) => {
      const box = sessionOf(association).films.at(-1)?.annotations.find(({ uid }) => uid === requestedSopInstanceUid)
      if (box === undefined) return Status.NoSuchSopInstance
      const changes = await attributesOf(modificationList)
      await requireAttributes(changes, ['AnnotationPosition'])
      box.attributes = changes
      return Status.Success
    })

    api.hooks.nAction.tap({ sopClasses: [BasicFilmSession, BasicFilmBox] }, ({ requestedSopInstanceUid, actionTypeId }, operation) => {
      const { association, sopClassUid } = operation
      if (actionTypeId !== PRINT) return Status.NoSuchAction
      const isSession = sopClassUid === BasicFilmSession
      const session = sessionOf(association, isSession ? requestedSopInstanceUid : undefined)
      const films = isSession ? session.films : [lastFilmOf(association, requestedSopInstanceUid)]
      if (films.length === 0) return PrintManagementStatus.NoFilmBox
      if (queue.length >= maximumQueue) return isSession ? PrintManagementStatus.FilmSessionQueueFull : PrintManagementStatus.FilmBoxQueueFull
      const job = queue.add(association, session, films)
      afterResponse(operation, job.start)
      const empty = isSession ? PrintManagementStatus.FilmSessionHasEmptyPage : PrintManagementStatus.FilmBoxHasEmptyPage
      const reply = { [PRINT_JOBS]: references([{ sopClassUid: SopClass.PrintJob, uid: job.uid }]) }
      return { status: films.every(hasImages) ? Status.Success : empty, ...(supportsPrintJobs(association) ? { dataset: reply } : {}) }
    })

    api.hooks.nDelete.tap({ sopClasses: [BasicFilmSession, BasicFilmBox] }, ({ requestedSopInstanceUid }, { association, sopClassUid }) => {
      if (sopClassUid === BasicFilmSession) {
        sessionOf(association, requestedSopInstanceUid)
        sessions.delete(association)
      } else {
        lastFilmOf(association, requestedSopInstanceUid)
        sessionOf(association).films.pop()
      }
      return Status.Success
    })

    api.hooks.nGet.tapPromise({ sopClasses: [SopClass.Printer, SopClass.PrintJob] }, async (request, { sopClassUid }) => {
      const { requestedSopInstanceUid: uid, attributeIdentifierList } = request
      const isPrinter = uid === WellKnownInstance.PrinterInstance && sopClassUid === SopClass.Printer
      const instance = isPrinter ? printer : queue.get(uid)
      if (instance === undefined || isPrinter !== (sopClassUid === SopClass.Printer)) return Status.NoSuchSopInstance
      const { dataset, missing } = await selectAttributes(instance, attributeIdentifierList)
      return missing.length === 0 ? { status: Status.Success, dataset } : { status: Status.AttributeListError, dataset, attributeIdentifierList: missing }
    })

    api.provideService('example-print.printer', {
      async setStatus(status, info = 'NORMAL') {
        Object.assign(printer, { PrinterStatus: status, PrinterStatusInfo: info })
        const eventInformation = status === 'NORMAL' ? {} : { eventInformation: { PrinterStatusInfo: info, PrinterName: printerName } }
        const report = { affectedSopClassUid: SopClass.Printer, affectedSopInstanceUid: WellKnownInstance.PrinterInstance, eventTypeId: EventType[status], ...eventInformation }
        const reports = api.applicationEntity.activeAssociations.map(async (association) => {
          const meta = association.acceptedContexts.find(({ abstractSyntax, asScp }) => asScp && (abstractSyntax === GRAYSCALE || abstractSyntax === COLOR))
          if (meta !== undefined) await association.nEventReport({ ...report, metaSopClassUid: meta.abstractSyntax })
        })
        for (const { reason } of (await Promise.allSettled(reports)).filter((result) => result.status === 'rejected')) {
          api.log.debug('a printer event was not reported', { error: reason as unknown })
        }
      },
    })

    /** @throws StatusError 0112 */
    function sessionOf(association: Association, uid?: string): FilmSession {
      const session = sessions.get(association)
      if (session !== undefined && (uid === undefined || uid === session.uid)) return session
      throw new StatusError(Status.NoSuchSopInstance)
    }

    /** @throws StatusError 0112 when it is not the one created last */
    function lastFilmOf(association: Association, uid: string): FilmBox {
      const film = sessionOf(association).films.at(-1)
      if (film?.uid === uid) return film
      throw new StatusError(Status.NoSuchSopInstance)
    }

    function annotationCount({ AnnotationDisplayFormatID: format }: DataSet, { acceptedContexts }: Association): number {
      const isNegotiated = acceptedContexts.some(({ abstractSyntax }) => abstractSyntax === BasicAnnotationBox)
      return isNegotiated && typeof format === 'string' && Object.hasOwn(annotations, format) ? (annotations[format] ?? 0) : 0
    }

    function statusOfDensity({ MinDensity, MaxDensity }: DataSet): number {
      const isOutside = [MinDensity, MaxDensity].some((value) => typeof value === 'number' && (value < density.minimum || value > density.maximum))
      return isOutside ? PrintManagementStatus.DensityOutOfRange : Status.Success
    }
  },
})
