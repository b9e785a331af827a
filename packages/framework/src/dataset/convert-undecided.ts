/** Output that may wait for Pixel Representation; beyond it the VRs stay US. */
const MAXIMUM_WAITING_BYTES = 65_536

interface Undecided {
  scope: object
  readonly chunk: Buffer
  readonly at: number
}

/**
 * Elements of VR US or SS that came before Pixel Representation (0028,0103), which decides for them
 * (PS3.5 A.2), e.g. Zero Velocity Pixel Value (0018,9810). They are written as US, and corrected as long as
 * the output waits. A scope is the data set or an item.
 */
export class UndecidedVrs {
  #waiting: Undecided[] = []
  #isOver = false

  /** @param at where in `chunk` the VR stands */
  add(scope: object, chunk: Buffer, at: number): void {
    if (!this.#isOver) this.#waiting.push({ scope, chunk, at })
  }

  /** `scope` has a Pixel Representation: it holds for its elements and for those of its items. */
  decide(scope: object, pixelRepresentation: number): void {
    if (this.#waiting.length === 0) return
    for (const undecided of this.#waiting) {
      if (undecided.scope === scope && pixelRepresentation === 1) undecided.chunk.write('SS', undecided.at, 'latin1')
    }
    this.#waiting = this.#waiting.filter((undecided) => undecided.scope !== scope)
  }

  /** An item without Pixel Representation: that of what it is in holds. */
  ended(scope: object, outer: object): void {
    for (const undecided of this.#waiting) if (undecided.scope === scope) undecided.scope = outer
  }

  /** None will come. */
  giveUp(): void {
    this.#waiting = []
    this.#isOver = true
  }

  mayRelease(waitingBytes: number): boolean {
    if (waitingBytes > MAXIMUM_WAITING_BYTES && this.#waiting.length > 0) this.giveUp()
    return this.#waiting.length === 0
  }
}
