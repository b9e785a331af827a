import path from 'node:path'
import { containedPath } from '../contained-path.ts'
import { type FileSystem, nodeFileSystem, statusOf } from '../file-system.ts'
import type { ObjectRecord } from '../records/record.ts'
import { type ReadPosition, readRecords, recordFiles } from '../records/read-records.ts'
import { type CheckedFile, checkFile, type FileProblem, judge, type Observation, observe } from './check-file.ts'
import { Expectation } from './expectation.ts'
import { walkFiles } from './walk.ts'

const SMALLEST_RECORD_BYTES = 160
const EXPECTATIONS_AT_ONCE = 200_000
/** A file that changed so short a time before the start may be one that the server is busy with. */
const RECENT_MS = 60_000
const SUSPECTS_AT_ONCE = 50_000

export interface VerifyOptions {
  /** The storage folder, its real path. */
  readonly root: string
  /** Its `.dicomtap/records`. */
  readonly recordDirectory: string
  readonly signal: AbortSignal
  /** Compare sizes only. */
  readonly isQuick: boolean
  /** Files that are read at once. */
  readonly parallel: number
  /** Awaited before the check goes on. */
  readonly onProblem: (problem: FileProblem) => Promise<void>
  readonly onProgress?: ((counts: VerifyCounts) => void) | undefined
  /** Default: the operating system's. */
  readonly fileSystem?: FileSystem | undefined
  /** How many files are kept in mind at once; more need several turns. Default 200 000, some 100 MB. */
  readonly expectationsAtOnce?: number | undefined
  /** When it began, in milliseconds since 1970; default now. */
  readonly startedAtMs?: number | undefined
}

export interface VerifyCounts {
  /** Files that are as recorded. */
  verified: number
  /** Of these, files of which only the size is recorded, or was asked for. */
  sizeOnly: number
  missing: number
  changed: number
  unreadable: number
  unrecorded: number
  /** Lines of records that are none: cut by a crash, or changed. */
  damagedRecords: number
  /** Of all files, those that are recorded and were looked at. */
  checked: number
  readBytes: number
}

/**
 * Compares the files of a storage folder with what was recorded of them, while servers may be storing into it.
 * Memory is bounded, however many there are: of a large archive a part is kept in mind at a time.
 */
export class Verification {
  readonly counts: VerifyCounts = {
    verified: 0, sizeOnly: 0, missing: 0, changed: 0, unreadable: 0, unrecorded: 0, damagedRecords: 0, checked: 0, readBytes: 0,
  }
  readonly #options: VerifyOptions
  readonly #fileSystem: FileSystem
  readonly #startedAtMs: number
  /** What changed while this runs, to be looked at again with the records made meanwhile. */
  readonly #suspects = new Map<string, Expectation>()
  readonly #unreadableFolders = new Set<string>()

  constructor(options: VerifyOptions) {
    this.#options = options
    this.#fileSystem = options.fileSystem ?? nodeFileSystem
    this.#startedAtMs = options.startedAtMs ?? Date.now()
  }

  /** Rejects when it is aborted, or when the records cannot be read. */
  async run(): Promise<VerifyCounts> {
    const { recordDirectory, expectationsAtOnce = EXPECTATIONS_AT_ONCE } = this.#options
    const files = await recordFiles(this.#fileSystem, recordDirectory)
    const totalBytes = [...files.values()].reduce((sum, bytes) => sum + bytes, 0)
    const turns = Math.max(1, Math.ceil(totalBytes / SMALLEST_RECORD_BYTES / expectationsAtOnce))
    for (let turn = 0; turn < turns; turn++) {
      const position: ReadPosition = new Map()
      const isMine = (relativePath: string): boolean => turns === 1 || hashOf(relativePath) % turns === turn
      const expectations = await this.#expectations(files, position, isMine, turn === 0)
      await this.#checkAll(expectations, position)
      await this.#findUnrecorded(expectations, isMine, position)
      await this.#lookAgain(position)
    }
    return this.counts
  }

  async #expectations(
    files: ReadonlyMap<string, number>,
    position: ReadPosition,
    isMine: (relativePath: string) => boolean,
    isCounting: boolean,
  ): Promise<Map<string, Expectation>> {
    const { recordDirectory, root, signal } = this.#options
    const expectations = new Map<string, Expectation>()
    for await (const { records, damagedLines } of readRecords(this.#fileSystem, recordDirectory, files, position)) {
      signal.throwIfAborted()
      if (isCounting) this.counts.damagedRecords += damagedLines
      for (const record of records) {
        if (containedPath(root, record.relativePath) === undefined) {
          if (isCounting) this.counts.damagedRecords += 1
        } else if (isMine(record.relativePath)) {
          addTo(expectations, record)
        }
      }
    }
    return expectations
  }

  async #checkAll(expectations: ReadonlyMap<string, Expectation>, position: ReadPosition): Promise<void> {
    const entries = expectations.entries()
    const work = async (): Promise<void> => {
      for (const [relativePath, expectation] of entries) {
        this.#options.signal.throwIfAborted()
        const checked = await this.#check(relativePath, expectation)
        // That nothing is expected there, or something else, may have changed: what is missing may have been removed.
        const isSuspect = checked.problem !== undefined && (checked.status === undefined || this.#isRecent(checked))
        if (isSuspect) this.#suspects.set(relativePath, expectation)
        else await this.#report(relativePath, checked)
        if (this.#suspects.size >= SUSPECTS_AT_ONCE) await this.#lookAgain(position)
      }
    }
    await Promise.all(Array.from({ length: this.#options.parallel }, work))
  }

  #check(relativePath: string, expectation: Expectation): Promise<CheckedFile> {
    const { root, isQuick, signal } = this.#options
    return checkFile(this.#fileSystem, path.join(root, relativePath), expectation, isQuick, signal)
  }

  async #findUnrecorded(
    expectations: ReadonlyMap<string, Expectation>,
    isMine: (relativePath: string) => boolean,
    position: ReadPosition,
  ): Promise<void> {
    const { root, signal } = this.#options
    const unreadable: FileProblem[] = []
    const onUnreadable = ({ relativePath, code }: { relativePath: string; code: string }): void => {
      if (this.#unreadableFolders.has(relativePath)) return
      this.#unreadableFolders.add(relativePath)
      unreadable.push({ kind: 'unreadable', relativePath: relativePath === '' ? '.' : relativePath, detail: `folder, ${code}` })
    }
    for await (const relativePath of walkFiles(root, onUnreadable)) {
      signal.throwIfAborted()
      if (!isMine(relativePath) || expectations.has(relativePath)) continue
      const status = await statusOf(this.#fileSystem, path.join(root, relativePath)).catch(() => undefined)
      if (status === undefined) continue
      const checked = { problem: { kind: 'unrecorded' as const }, readBytes: 0, isCompared: false, status }
      if (this.#isRecent(checked)) this.#suspects.set(relativePath, new Expectation())
      else await this.#report(relativePath, checked)
      if (this.#suspects.size >= SUSPECTS_AT_ONCE) await this.#lookAgain(position)
    }
    for (const problem of unreadable) {
      this.counts.unreadable += 1
      await this.#options.onProblem(problem)
    }
  }

  /** With the records that were made since `position`. */
  async #lookAgain(position: ReadonlyMap<string, number>): Promise<void> {
    const { root, recordDirectory, isQuick, signal } = this.#options
    const suspects = new Map(this.#suspects)
    this.#suspects.clear()
    if (suspects.size === 0) return
    // First the files: a record is written before an object is replaced, so what is read now is in what is read next.
    const observations = new Map<string, Observation>()
    for (const relativePath of suspects.keys()) {
      signal.throwIfAborted()
      observations.set(relativePath, await observe(this.#fileSystem, path.join(root, relativePath), () => !isQuick, signal))
    }
    const files = await recordFiles(this.#fileSystem, recordDirectory)
    for await (const { records } of readRecords(this.#fileSystem, recordDirectory, files, new Map(position))) {
      for (const record of records) suspects.get(record.relativePath)?.add(record)
    }
    for (const [relativePath, observation] of observations) {
      const expectation = suspects.get(relativePath) ?? new Expectation()
      const checked = judge(observation, expectation)
      // It was removed since, or is not accepted yet: nothing can be said of it.
      const isUnderWay = expectation.objects.length === 0 && (checked.status === undefined || this.#isAfterStart(checked))
      if (!isUnderWay) await this.#report(relativePath, checked)
    }
  }

  async #report(relativePath: string, { problem, readBytes, isCompared, status }: CheckedFile): Promise<void> {
    const { counts } = this
    // It was removed on purpose: there is nothing to count.
    if (problem === undefined && status === undefined) return
    counts.readBytes += readBytes
    if (problem?.kind !== 'unrecorded') counts.checked += 1
    if (problem === undefined) {
      counts.verified += 1
      if (!isCompared) counts.sizeOnly += 1
    } else {
      counts[problem.kind] += 1
      await this.#options.onProblem({ ...problem, relativePath })
    }
    this.#options.onProgress?.(counts)
  }

  #isRecent({ status }: CheckedFile): boolean {
    return status !== undefined && status.changedAtMs > this.#startedAtMs - RECENT_MS
  }

  #isAfterStart({ status }: CheckedFile): boolean {
    return status !== undefined && status.changedAtMs >= this.#startedAtMs - 1000
  }
}

function addTo(expectations: Map<string, Expectation>, record: ObjectRecord): void {
  let expectation = expectations.get(record.relativePath)
  if (expectation === undefined) {
    expectation = new Expectation()
    expectations.set(record.relativePath, expectation)
  }
  expectation.add(record)
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
