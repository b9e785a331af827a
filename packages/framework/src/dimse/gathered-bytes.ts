/**
 * Bytes of data sets that are held whole for requests under way, in one ApplicationEntity: each association has
 * its own limits, and all of them together must not need more than there is.
 */
export class GatheredBytes {
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** False, and nothing is taken, when that would be more than `maximumBytes` in all. */
  take(bytes: number, maximumBytes: number): boolean {
    if (this.#bytes + bytes > maximumBytes) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}

const byEntity = new WeakMap<object, GatheredBytes>()

/** That of an ApplicationEntity. */
export function gatheredBytesOf(ae: object): GatheredBytes {
  let gathered = byEntity.get(ae)
  if (gathered === undefined) byEntity.set(ae, (gathered = new GatheredBytes()))
  return gathered
}
