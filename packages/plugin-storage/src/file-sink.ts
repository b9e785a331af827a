import type { DataSetSink } from '@dicomtap/framework'
import { createHash, type Hash } from 'node:crypto'
import { BUFFER_BYTES, type BufferPool } from './buffer-pool.ts'
import type { StagedFile } from './staged-file.ts'

export interface FileSinkOptions {
  readonly pool: BufferPool
  /** Makes the file; called once, when there are bytes for it. */
  readonly create: () => Promise<StagedFile>
  /** Bytes that stand before the data set: preamble and file meta information (PS3.10 7.1). */
  readonly header: Uint8Array
  /** Sees each fragment before it is taken; a throw ends the transfer with that error. */
  readonly inspect: (fragment: Uint8Array) => void
  /** Whether to compute the SHA-256 of the file. */
  readonly sha256: boolean
}

/** A complete file, still under its temporary name. */
export interface CompleteFile {
  readonly staged: StagedFile
  readonly sha256: string | undefined
}

/**
 * Writes a data set to a staged file: what came together leaves in one call, from the memory it was read into. Small
 * pieces are gathered first, so that a small object is one write and a peer that sends crumbs costs no call for each.
 */
export class FileSink implements DataSetSink {
  readonly #options: FileSinkOptions
  readonly #hash: Hash | undefined
  /** Gathers small pieces; the first starts with the header. */
  #buffer: Buffer | undefined
  #used = 0
  #isHeaderTaken = false
  #creating: Promise<StagedFile> | undefined
  #staged: StagedFile | undefined
  #writing: Promise<void> | undefined

  constructor(options: FileSinkOptions) {
    this.#options = options
    this.#hash = options.sha256 ? createHash('sha256') : undefined
  }

  write(fragments: readonly Uint8Array[]): Promise<void> | undefined {
    let lengthBytes = 0
    for (const fragment of fragments) {
      this.#options.inspect(fragment)
      lengthBytes += fragment.length
    }
    const headerBytes = this.#isHeaderTaken ? 0 : this.#options.header.length
    if (this.#used + headerBytes + lengthBytes > BUFFER_BYTES) return this.#put(fragments)
    const buffer = this.#gathering()
    for (const fragment of fragments) {
      buffer.set(fragment, this.#used)
      this.#used += fragment.length
    }
    return undefined
  }

  /** Writes what is left and closes the file, with its bytes on the disk when `isSynced`. */
  async finish(isSynced: boolean): Promise<CompleteFile> {
    if (this.#used > 0 || !this.#isHeaderTaken) await this.#put([])
    this.#returnBuffer()
    const staged = await this.#open()
    if (isSynced) {
      await staged.sync()
      // Nothing is left that it could report.
      staged.close().catch(() => undefined)
    } else {
      await staged.close()
    }
    return { staged, sha256: this.#hash?.digest('hex') }
  }

  /** Removes the file unless it was moved, and gives the buffer back. Never rejects. */
  async discard(): Promise<void> {
    await this.#writing?.catch(() => undefined)
    this.#returnBuffer()
    const staged = await this.#creating?.catch(() => undefined)
    await staged?.discard()
  }

  #gathering(): Buffer {
    if (this.#buffer !== undefined) return this.#buffer
    const buffer = this.#options.pool.take()
    this.#buffer = buffer
    if (!this.#isHeaderTaken) {
      this.#isHeaderTaken = true
      buffer.set(this.#options.header)
      this.#used = this.#options.header.length
    }
    return buffer
  }

  /** Writes what was gathered, and fragments behind it. Undefined when it is done already. */
  #put(fragments: readonly Uint8Array[]): Promise<void> | undefined {
    const pieces: Uint8Array[] = []
    if (!this.#isHeaderTaken) pieces.push(this.#options.header)
    else if (this.#buffer !== undefined && this.#used > 0) pieces.push(this.#buffer.subarray(0, this.#used))
    this.#isHeaderTaken = true
    this.#used = 0
    for (const fragment of fragments) pieces.push(fragment)
    const writing = this.#staged === undefined ? this.#appendFirst(pieces) : this.#staged.append(pieces)
    // While the bytes are on their way to the disk.
    if (this.#hash !== undefined) for (const piece of pieces) this.#hash.update(piece)
    this.#writing = writing
    return writing
  }

  async #appendFirst(pieces: readonly Uint8Array[]): Promise<void> {
    this.#staged = await this.#open()
    await this.#staged.append(pieces)
  }

  #open(): Promise<StagedFile> {
    this.#creating ??= this.#options.create()
    return this.#creating
  }

  #returnBuffer(): void {
    if (this.#buffer !== undefined) this.#options.pool.give(this.#buffer)
    this.#buffer = undefined
    this.#used = 0
  }
}
