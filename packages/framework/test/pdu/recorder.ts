import type { FramerHandler, FramerLimits } from '../../dist/pdu/framer.js'
import { PduFramer } from '../../dist/pdu/framer.js'

/** What a framer reported, with the pieces of each PDV joined. */
export type FramerEvent =
  | readonly ['pdu', type: number, body: string]
  | readonly ['start', lengthBytes: number]
  | readonly ['pdv', contextId: number, isCommand: boolean, isLast: boolean, data: string, isWhole: boolean]
  | readonly ['end']

/** A handler that keeps every event; bytes as hexadecimal text, copied during the call. */
export class FramerRecorder implements FramerHandler {
  readonly events: FramerEvent[] = []
  pieces = 0

  pdu(type: number, body: Uint8Array): void {
    this.events.push(['pdu', type, Buffer.from(body).toString('hex')])
  }

  pDataStart(lengthBytes: number): void {
    this.events.push(['start', lengthBytes])
  }

  pdvFragment(
    contextId: number,
    isCommand: boolean,
    isLast: boolean,
    fragment: Buffer,
    first: boolean,
    end: boolean,
  ): void {
    this.pieces++
    let data = fragment.toString('hex')
    if (!first) {
      const before = this.events.pop()
      if (before?.[0] !== 'pdv' || before[5]) throw new Error('A later piece does not follow an earlier one')
      if (before[1] !== contextId || before[2] !== isCommand || before[3] !== isLast) {
        throw new Error('The pieces of a PDV differ in its header')
      }
      data = before[4] + data
    }
    this.events.push(['pdv', contextId, isCommand, isLast, data, end])
  }

  pDataEnd(): void {
    this.events.push(['end'])
  }
}

export const LIMITS: FramerLimits = { maximumPduBytes: 65536, maximumAssociatePduBytes: 65536 }

/** Everything that comes of a stream in the given pieces: events, then the error's code and reason. */
export function frame(chunks: Iterable<Buffer>, limits: FramerLimits = LIMITS): { events: FramerEvent[]; error: unknown } {
  const recorder = new FramerRecorder()
  const framer = new PduFramer(recorder, limits)
  let error: unknown
  for (const chunk of chunks) {
    try {
      framer.push(chunk)
    } catch (thrown) {
      error ??= thrown
    }
  }
  return { events: recorder.events, error }
}

/** One chunk per byte. */
export function* byteByByte(stream: Buffer): Generator<Buffer> {
  for (let index = 0; index < stream.length; index++) yield stream.subarray(index, index + 1)
}
