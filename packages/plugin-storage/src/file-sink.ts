import type { DataSetSink } from '@dicomtap/framework'
import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { BUFFER_BYTES, type BufferPool } from './buffer-pool.ts'
import type { DigestThread, ThreadDigest } from './digest/digest-thread.ts'
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
  /** Computes it beside the event loop; undefined where files cannot be read back. */
  readonly digests?: DigestThread | undefined
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
  /** Of what was put so far: the digest itself, or what a thread must find in the file. */
  #hash: Hash | undefined
  #digest: ThreadDigest | undefined
  #crc32 = 0
  /** Gathers small pieces; the first starts with the header. */
  #buffer: Buffer | undefined
  #used = 0
  #isHeaderTaken = false
  #creating: Promise<StagedFile> | undefined
  #staged: StagedFile | undefined
  #writing: Promise<void> | undefined

  constructor(options: FileSinkOptions) {
    this.#options = options
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
    // A small object is all in the buffer: its digest takes less than to have a thread make it.
    if (this.#staged === undefined && this.#options.sha256) this.#hash ??= createHash('sha256')
    if (this.#used > 0 || !this.#isHeaderTaken) await this.#put([])
    this.#returnBuffer()
    const staged = await this.#open()
    const [sha256] = await Promise.all([this.#sha256(staged), isSynced ? staged.sync() : undefined])
    // Synced, nothing is left that it could report.
    if (isSynced) staged.close().catch(() => undefined)
    else await staged.close()
    return { staged, sha256 }
  }

  /** Removes the file unless it was moved, and gives the buffer back. Never rejects. */
  async discard(): Promise<void> {
    this.#digest?.abandon()
    await this.#writing?.catch(() => undefined)
    this.#returnBuffer()
    const staged = await this.#creating?.catch(() => undefined)
    await staged?.discard()
  }

  async #sha256(staged: StagedFile): Promise<string | undefined> {
    if (this.#digest === undefined) return this.#hash?.digest('hex')
    const received = { sizeBytes: staged.sizeBytes, crc32: this.#crc32 }
    return (await this.#digest.end(staged.descriptor, received)) ?? staged.readBack(received)
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
    const staged = this.#staged
    if (staged !== undefined) this.#digest?.advance(staged.descriptor, staged.sizeBytes)
    const writing = staged === undefined ? this.#appendFirst(pieces) : staged.append(pieces)
    // While the bytes are on their way to the disk.
    this.#note(pieces)
    this.#writing = writing
    return writing
  }

  #note(pieces: readonly Uint8Array[]): void {
    if (!this.#options.sha256) return
    if (this.#hash === undefined && this.#digest === undefined) {
      this.#digest = this.#options.digests?.begin()
      if (this.#digest === undefined) this.#hash = createHash('sha256')
    }
    for (const piece of pieces) {
      if (this.#hash === undefined) this.#crc32 = crc32(piece, this.#crc32)
      else this.#hash.update(piece)
    }
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
