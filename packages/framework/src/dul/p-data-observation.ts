import type { PDataSummary } from './user.ts'

/** Builds what `pduReceived` and `pduSent` show of a P-DATA-TF. Used only when somebody listens. */
export class PDataObservation {
  #lengthBytes = 0
  #pdvs: PDataSummary['pdvs'] = []

  start(lengthBytes: number): void {
    this.#lengthBytes = lengthBytes
    this.#pdvs = []
  }

  add(presentationContextId: number, isCommand: boolean, isLast: boolean, lengthBytes: number, first: boolean): void {
    const current = this.#pdvs.at(-1)
    if (first || current === undefined) this.#pdvs.push({ presentationContextId, isCommand, isLast, lengthBytes })
    else current.lengthBytes += lengthBytes
  }

  end(): PDataSummary {
    return { type: 'P-DATA-TF', lengthBytes: this.#lengthBytes, pdvs: this.#pdvs }
  }

  /** Reads back the headers of an encoded P-DATA-TF with one PDV, as the fragmenter makes them (PS3.8 9.3.5). */
  ofSent(header: Uint8Array): PDataSummary {
    const view = Buffer.from(header.buffer, header.byteOffset, header.byteLength)
    const control = view.readUInt8(11)
    return {
      type: 'P-DATA-TF',
      lengthBytes: view.readUInt32BE(2),
      pdvs: [
        {
          presentationContextId: view.readUInt8(10),
          isCommand: (control & 1) === 1,
          isLast: (control & 2) === 2,
          lengthBytes: view.readUInt32BE(6) - 2,
        },
      ],
    }
  }
}
