const CHUNK_BYTES = 65_536
/** From this size on a piece is given on as it is; copying smaller ones costs less than another write later. */
const COPY_BELOW_BYTES = 16_384

/**
 * Gathers small writes into chunks and lets large pieces through uncopied. Every piece it gives has an even
 * length, except the last of an odd total: a piece may become a fragment of its own, and peers refuse
 * fragments of an odd length.
 */
export class ChunkedOutput {
  #chunk: Buffer = Buffer.alloc(0)
  /** What stands in the chunk and was not given yet. */
  #start = 0
  #end = 0
  #ready: Uint8Array[] = []
  #readyBytes = 0
  #totalBytes = 0

  get totalBytes(): number {
    return this.#totalBytes
  }

  /** Bytes that {@link take} would give. */
  get readyBytes(): number {
    return this.#readyBytes
  }

  /** Makes room for `count` bytes in one piece; where they go is `at` in `chunk`. */
  reserve(count: number): { readonly chunk: Buffer; readonly at: number } {
    this.#makeRoom(count)
    const at = this.#end
    this.#end += count
    this.#totalBytes += count
    return { chunk: this.#chunk, at }
  }

  /** `source` must not change afterwards. */
  bytes(source: Uint8Array): void {
    if (source.length < COPY_BELOW_BYTES) return this.#copy(source)
    const startsOdd = ((this.#end - this.#start) & 1) === 1
    const from = startsOdd ? 1 : 0
    if (startsOdd) this.#copy(source.subarray(0, 1))
    this.#giveChunk()
    const to = source.length - ((source.length - from) & 1)
    this.#give(source.subarray(from, to))
    this.#totalBytes += to - from
    if (to < source.length) this.#copy(source.subarray(to))
  }

  /** The pieces that are complete. */
  take(): Uint8Array[] {
    const ready = this.#ready
    this.#ready = []
    this.#readyBytes = 0
    return ready
  }

  /** The rest, too. */
  finish(): Uint8Array[] {
    if (this.#end > this.#start) this.#give(this.#chunk.subarray(this.#start, this.#end))
    this.#start = this.#end
    return this.take()
  }

  #copy(source: Uint8Array): void {
    for (let from = 0; from < source.length; ) {
      this.#makeRoom(1)
      const count = Math.min(source.length - from, this.#chunk.length - this.#end)
      this.#chunk.set(source.subarray(from, from + count), this.#end)
      this.#end += count
      this.#totalBytes += count
      from += count
    }
  }

  #makeRoom(count: number): void {
    if (this.#chunk.length - this.#end >= count) return
    this.#giveChunk()
    const odd = this.#chunk.subarray(this.#start, this.#end)
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#chunk.set(odd)
    this.#start = 0
    this.#end = odd.length
  }

  #giveChunk(): void {
    const end = this.#end - ((this.#end - this.#start) & 1)
    if (end > this.#start) this.#give(this.#chunk.subarray(this.#start, end))
    this.#start = end
  }

  #give(piece: Uint8Array): void {
    this.#ready.push(piece)
    this.#readyBytes += piece.length
  }
}
