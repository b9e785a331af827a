import type { IndexedInstance } from '../model/instance.ts'

/** Of one transaction. */
const MAXIMUM_BATCH = 256
const MAXIMUM_BATCH_CHARACTERS = 4_194_304

interface Addition {
  readonly instance: IndexedInstance
  /** Of its row. */
  readonly key: string
  readonly characters: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Task {
  readonly run: () => Promise<void>
}

/** One failed alone, or all of them. */
export type BatchOutcome = readonly (Error | undefined)[]

/**
 * What is to be written, one transaction at a time. Additions that come while one runs go into the next one together;
 * everything stays in its order.
 */
export class WriteQueue {
  readonly #write: (instances: readonly IndexedInstance[]) => Promise<BatchOutcome>
  #waiting: (Addition | Task)[] = []
  #running: Promise<void> | undefined

  constructor(write: (instances: readonly IndexedInstance[]) => Promise<BatchOutcome>) {
    this.#write = write
  }

  add(instance: IndexedInstance): Promise<void> {
    // What is no instance throws here, and not where it would end the queue.
    return new Promise((resolve, reject) => this.#push({ instance, key: keyOf(instance), characters: charactersOf(instance), resolve, reject }))
  }

  /** In its turn, alone. */
  run<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.#push({ run: () => task().then(resolve, reject) }))
  }

  /** When everything that was put in so far has been written. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #push(entry: Addition | Task): void {
    this.#waiting.push(entry)
    this.#running ??= this.#drain()
  }

  async #drain(): Promise<void> {
    // What is added in the same turn of the event loop, by other associations, comes along.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const [head] = this.#waiting
      if (head !== undefined && 'run' in head) {
        this.#waiting.shift()
        await head.run()
        continue
      }
      const batch = takeBatch(this.#waiting)
      const outcome = await this.#write(batch.map(({ instance }) => instance)).catch((error: unknown) => batch.map(() => error as Error))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const error = outcome[index]
        if (error === undefined) resolve()
        else reject(error)
      }
    }
    // At once: what is put in a moment later must find that nobody works.
    this.#running = undefined
  }
}

/** Those at the head that fit into one transaction: no two of them write the same row with different values. */
function takeBatch(waiting: (Addition | Task)[]): readonly Addition[] {
  const batch: Addition[] = []
  const paths = new Set<string>()
  const instances = new Set<string>()
  const patientOfStudy = new Map<string, string>()
  let characters = 0
  for (const entry of waiting) {
    if ('run' in entry || batch.length === MAXIMUM_BATCH || characters > MAXIMUM_BATCH_CHARACTERS) break
    const { instance, key } = entry
    const patient = patientOfStudy.get(instance.studyInstanceUid) ?? instance.patientKey
    if (paths.has(instance.path) || instances.has(key) || patient !== instance.patientKey) break
    paths.add(instance.path)
    instances.add(key)
    patientOfStudy.set(instance.studyInstanceUid, patient)
    characters += entry.characters
    batch.push(entry)
  }
  waiting.splice(0, batch.length)
  return batch
}

function keyOf({ studyInstanceUid, seriesInstanceUid, sopInstanceUid }: IndexedInstance): string {
  return `${studyInstanceUid}\n${seriesInstanceUid}\n${sopInstanceUid}`
}

function charactersOf({ patient, study, series, instance }: IndexedInstance): number {
  return [patient, study, series, instance].reduce((sum, { attributes }) => sum + attributes.length, 0)
}
