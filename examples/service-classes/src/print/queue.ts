/** Print jobs, one after another, and their events (PS3.4 H.4.5). */
import { SopClass, createUid } from '@dicomtap/framework'
import type { Association, DataSet, PluginApi } from '@dicomtap/framework'
import type { FilmBox, FilmSession } from './film.ts'

export interface PrintJob {
  readonly uid: string
  readonly session: DataSet
  readonly films: readonly FilmBox[]
  readonly originator: string
}

const EventType = { Pending: 1, Printing: 2, Done: 3, Failure: 4 } as const

export class PrintQueue {
  readonly #api: PluginApi
  readonly #print: (job: PrintJob) => Promise<void>
  readonly #printerName: string
  /** Attributes of jobs that are not over, by SOP Instance UID. */
  readonly #jobs = new Map<string, DataSet>()
  #unprinted = 0
  #last = Promise.resolve()

  constructor(api: PluginApi, printerName: string, print: (job: PrintJob) => Promise<void>) {
    this.#api = api
    this.#printerName = printerName
    this.#print = print
  }

  /** Jobs that wait or are being printed. */
  get length(): number {
    return this.#unprinted
  }

  get(uid: string): DataSet | undefined {
    return this.#jobs.get(uid)
  }

  /**
   * Takes films as they are now: what the SCU changes later is for the next print (PS3.4 H.4.1.2.4.3).
   * @returns the UID of the job and what begins it, when its N-ACTION has been answered
   */
  add(association: Association, session: FilmSession, films: readonly FilmBox[]): { readonly uid: string; start(): void } {
    const uid = createUid()
    const job: PrintJob = {
      uid,
      session: session.attributes,
      films: films.map((film) => ({ ...film, images: film.images.map((box) => ({ ...box })), annotations: film.annotations.map((box) => ({ ...box })) })),
      originator: association.callingAeTitle,
    }
    this.#unprinted += 1
    this.#jobs.set(uid, {
      ExecutionStatus: 'PENDING',
      ExecutionStatusInfo: 'QUEUED',
      PrintPriority: session.attributes['PrintPriority'],
      PrinterName: this.#printerName,
      Originator: job.originator,
    })
    return {
      uid,
      start: () => {
        void this.#report(association, job, EventType.Pending, 'PENDING', 'QUEUED')
        this.#last = this.#last.then(() => this.#run(association, job))
      },
    }
  }

  async #run(association: Association, job: PrintJob): Promise<void> {
    void this.#report(association, job, EventType.Printing, 'PRINTING', 'NORMAL')
    const isPrinted = await this.#print(job).then(
      () => true,
      (error: unknown) => {
        this.#api.log.error('films were not printed', { job: job.uid, error })
        return false
      },
    )
    this.#unprinted -= 1
    if (isPrinted) await this.#report(association, job, EventType.Done, 'DONE', 'NORMAL')
    else await this.#report(association, job, EventType.Failure, 'FAILURE', 'CHECK PRINTER')
    // The SCU may ask for it until it has confirmed that (PS3.4 H.4.5.2.1.2).
    this.#jobs.delete(job.uid)
  }

  /** Only within the association that the job came from. Who has left, or did not negotiate print jobs, hears nothing. */
  async #report(association: Association, { uid, session }: PrintJob, eventTypeId: number, status: string, info: string): Promise<void> {
    Object.assign(this.#jobs.get(uid) ?? {}, { ExecutionStatus: status, ExecutionStatusInfo: info })
    if (!supportsPrintJobs(association)) return
    const label = session['FilmSessionLabel']
    const eventInformation = { ExecutionStatusInfo: info, PrinterName: this.#printerName, ...(label === undefined ? {} : { FilmSessionLabel: label }) }
    await association
      .nEventReport({ affectedSopClassUid: SopClass.PrintJob, affectedSopInstanceUid: uid, eventTypeId, eventInformation })
      .catch((error: unknown) => {
        this.#api.log.debug('an event of a print job was not reported', { job: uid, error })
      })
  }
}

export function supportsPrintJobs({ acceptedContexts }: Association): boolean {
  return acceptedContexts.some(({ abstractSyntax }) => abstractSyntax === SopClass.PrintJob)
}
