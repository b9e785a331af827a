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
 * Writes a data set to a staged file with two fixed buffers: one is filled while the other is on its way
 * to the disk, and the sender waits only while both are. A small object is one write.
 */
export class FileSink implements DataSetSink {
  readonly #options: FileSinkOptions
  readonly #hash: Hash | undefined
  #buffer: Buffer | undefined
  #used = 0
  #spare: Buffer | undefined
  #staged: Promise<StagedFile> | undefined
  #writing: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined
  #isGivenUp = false

  constructor(options: FileSinkOptions) {
    this.#options = options
    this.#hash = options.sha256 ? createHash('sha256') : undefined
  }

  write(fragments: readonly Uint8Array[]): Promise<void> | undefined {
    for (const fragment of fragments) this.#options.inspect(fragment)
    return this.#gather(fragments, 0, 0)
  }

  /** Writes what is left and closes the file, with its bytes on the disk when `isSynced`. */
  async finish(isSynced: boolean): Promise<CompleteFile> {
    if (this.#used > 0 || this.#staged === undefined) {
      const buffer = this.#writableBuffer()
      await this.#writing
      this.#throwFailure()
      this.#startWrite(buffer)
    }
    await this.#writing
    this.#throwFailure()
    this.#returnBuffers()
    const staged = await this.#open()
    if (isSynced) await staged.sync()
    await staged.close()
    return { staged, sha256: this.#hash?.digest('hex') }
  }

  /** Removes the file unless it was moved, and gives the buffers back. Never rejects. */
  async discard(): Promise<void> {
    this.#isGivenUp = true
    while (this.#writing !== undefined) await this.#writing
    this.#returnBuffers()
    const staged = await this.#staged?.catch(() => undefined)
    await staged?.discard()
  }

  #gather(fragments: readonly Uint8Array[], index: number, offset: number): Promise<void> | undefined {
    this.#throwFailure()
    for (let i = index, start = offset; i < fragments.length; i++, start = 0) {
      const fragment = fragments[i] as Uint8Array
      while (start < fragment.length) {
        const buffer = this.#writableBuffer()
        const length = Math.min(BUFFER_BYTES - this.#used, fragment.length - start)
        buffer.set(start === 0 && length === fragment.length ? fragment : fragment.subarray(start, start + length), this.#used)
        this.#used += length
        start += length
        if (this.#used < BUFFER_BYTES) continue
        if (this.#writing === undefined) this.#startWrite(buffer)
        else return this.#gatherAfterWrite(buffer, fragments, i, start)
      }
    }
    return undefined
  }

  async #gatherAfterWrite(full: Buffer, fragments: readonly Uint8Array[], index: number, offset: number): Promise<void> {
    await this.#writing
    this.#throwFailure()
    if (this.#isGivenUp) return
    this.#startWrite(full)
    await this.#gather(fragments, index, offset)
  }

  /** The buffer being filled; the first one starts with the header. */
  #writableBuffer(): Buffer {
    if (this.#buffer !== undefined) return this.#buffer
    const buffer = this.#spare ?? this.#options.pool.take()
    this.#spare = undefined
    this.#buffer = buffer
    this.#used = 0
    if (this.#staged === undefined) {
      buffer.set(this.#options.header)
      this.#used = this.#options.header.length
    }
    return buffer
  }

  #startWrite(buffer: Buffer): void {
    const used = this.#used
    this.#buffer = undefined
    this.#used = 0
    this.#writing = this.#append(buffer, used)
    // While the bytes are on their way to the disk.
    this.#hash?.update(buffer.subarray(0, used))
  }

  async #append(buffer: Buffer, lengthBytes: number): Promise<void> {
    try {
      const staged = await this.#open()
      await staged.append(buffer, lengthBytes)
    } catch (error) {
      this.#failure = { error }
    }
    this.#writing = undefined
    if (this.#spare === undefined) this.#spare = buffer
    else this.#options.pool.give(buffer)
  }

  #open(): Promise<StagedFile> {
    this.#staged ??= this.#options.create()
    return this.#staged
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #returnBuffers(): void {
    for (const buffer of [this.#buffer, this.#spare]) if (buffer !== undefined) this.#options.pool.give(buffer)
    this.#buffer = undefined
    this.#spare = undefined
    this.#used = 0
  }
}
