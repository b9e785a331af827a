import type { MemorySocket } from '../../../dist/testing/index.js'

/** Where an exchange is cut: before or inside a PDU of either side, or where a handler or a source says its name. */
export interface Moment {
  /** Counts the PDUs of both sides as they pass; -1 for a named moment. */
  readonly pdu: number
  readonly isInside: boolean
  readonly name?: string | undefined
}

/** What a wire does to the two sides when the moment has come. */
export interface Ending {
  readonly name: string
  /** What is still sent reaches the other side. */
  readonly goesOn: boolean
  /** Not inside a PDU: there its bytes would be taken for the rest of it. */
  readonly isPdu?: boolean
  apply(wire: Wire): void
}

const PDU_HEADER_BYTES = 6
const A_ABORT = Buffer.from('070000000004000000 00'.replaceAll(' ', ''), 'hex')
const A_RELEASE_RQ = Buffer.from('05000000000400000000', 'hex')

interface Direction {
  readonly from: MemorySocket
  readonly to: MemorySocket
  unread: Buffer
}

/** Joins the far ends of two in-memory connections, so that a test stands between two sides and counts PDUs. */
export class Wire {
  readonly ends: readonly [MemorySocket, MemorySocket]
  /** What passed, PDU types in order. */
  readonly passed: number[] = []
  readonly #moment: Moment | undefined
  readonly #ending: Ending | undefined
  #isCut = false
  #isDone = false

  constructor(ends: readonly [MemorySocket, MemorySocket], moment: Moment | undefined, ending: Ending | undefined) {
    this.ends = ends
    this.#moment = moment
    this.#ending = ending
    const [a, b] = ends
    for (const direction of [{ from: a, to: b, unread: Buffer.alloc(0) }, { from: b, to: a, unread: Buffer.alloc(0) }]) {
      direction.from.on('data', (chunk: Buffer) => this.#received(direction, chunk))
      direction.from.on('error', () => {})
      direction.from.on('close', () => {
        if (!direction.to.destroyed) direction.to.end()
      })
    }
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** A handler or a source is there. */
  reached(name: string): boolean {
    if (this.#isDone || this.#moment?.name !== name) return false
    this.#cut()
    return true
  }

  /** Both sides get these bytes. */
  toBoth(bytes: Buffer): void {
    for (const end of this.ends) if (end.writable) end.write(bytes)
  }

  #received(direction: Direction, chunk: Buffer): void {
    if (this.#isCut) {
      this.#answered(direction, chunk)
      return
    }
    direction.unread = Buffer.concat([direction.unread, chunk])
    while (!this.#isCut && direction.unread.length >= PDU_HEADER_BYTES) {
      const end = PDU_HEADER_BYTES + direction.unread.readUInt32BE(2)
      if (direction.unread.length < end) return
      const pdu = direction.unread.subarray(0, end)
      direction.unread = direction.unread.subarray(end)
      this.#pass(direction, pdu)
    }
  }

  #pass({ to }: Direction, pdu: Buffer): void {
    const moment = this.#moment
    const isMoment = !this.#isDone && moment?.pdu === this.passed.length
    this.passed.push(pdu[0] as number)
    if (moment === undefined || !isMoment) {
      if (to.writable) to.write(pdu)
      return
    }
    const half = moment.isInside ? pdu.length >> 1 : 0
    if (half > 0) to.write(pdu.subarray(0, half))
    this.#cut()
    if (!this.#isCut && to.writable) to.write(pdu.subarray(half))
  }

  #cut(): void {
    this.#isDone = true
    this.#isCut = this.#ending?.goesOn === false
    this.#ending?.apply(this)
  }

  /** Of a side that was cut off the answer to what it got ends it: A-RELEASE-RP, A-ABORT or A-ASSOCIATE-RJ. */
  #answered({ from }: Direction, chunk: Buffer): void {
    const type = chunk[0] as number
    if (type === 0x06 || type === 0x07 || type === 0x03) from.end()
  }
}

/** The ways in which the other side, or what lies between, ends an exchange. */
export const ENDINGS_FROM_OUTSIDE: readonly Ending[] = [
  { name: 'FIN', goesOn: false, apply: ({ ends }) => ends.forEach((end) => end.end()) },
  { name: 'RST', goesOn: false, apply: ({ ends }) => ends.forEach((end) => end.reset()) },
  {
    name: 'A-ABORT',
    goesOn: false,
    isPdu: true,
    apply: (wire) => {
      wire.toBoth(A_ABORT)
      wire.ends.forEach((end) => end.end())
    },
  },
  { name: 'A-RELEASE-RQ', goesOn: false, isPdu: true, apply: (wire) => wire.toBoth(A_RELEASE_RQ) },
]
