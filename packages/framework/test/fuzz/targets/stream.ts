import assert from 'node:assert/strict'
import type { AcceptedContext } from '../../../dist/acse/types.js'
import { MessageAssembler } from '../../../dist/dimse/assembler.js'
import { decodeCommandSet, encodeCommandSet, missingElements } from '../../../dist/dimse/command-set.js'
import { DataSetStream } from '../../../dist/dimse/data-set-stream.js'
import { ReceiveFlow } from '../../../dist/dimse/receive-flow.js'
import { refusalOf } from '../../../dist/dimse/requests.js'
import { DicomtapError } from '../../../dist/errors/index.js'
import { encodePdu } from '../../../dist/pdu/encode.js'
import { PduFramer } from '../../../dist/pdu/framer.js'
import { cutMessage } from '../../../dist/testing/index.js'
import { PDU_FIXTURES } from '../../fixtures/pdus.ts'
import { byteByByte, frame } from '../../pdu/recorder.ts'
import { PROPOSED, REQUESTS } from '../../support/requests.ts'
import { attempt, cut, expectError } from './target.ts'
import type { FuzzTarget } from './target.ts'

const PDU_CODES = ['DICOMTAP_ERR_PDU_UNRECOGNIZED', 'DICOMTAP_ERR_PDU_TOO_LARGE', 'DICOMTAP_ERR_PDU_MALFORMED', 'DICOMTAP_ERR_PDU_VALUE']
const COMMAND_CODES = ['DICOMTAP_ERR_DIMSE_COMMAND']

/** Input: a command set (PS3.7 6.3.1). */
export const commandSet: FuzzTarget = {
  name: 'command-set',
  limits: { maximumInputBytes: 4_096, freeBytes: 20_000, blocksPerByte: 20, memoryPerByte: 8 },
  seeds: () => REQUESTS.map(({ command }) => encodeCommandSet(command)),
  run(input) {
    const command = attempt(COMMAND_CODES, () => decodeCommandSet(input))
    if (command === undefined) return
    for (const name of missingElements(command)) assert.equal(typeof name, 'string')
    const again = decodeCommandSet(encodeCommandSet(command))
    // Error Comment is cut and cleaned on its way out.
    assert.deepEqual({ ...again, errorComment: '' }, { ...command, errorComment: '' })
  },
}

/** Input: two bytes that say how it is cut, and what a socket reads. */
export const framer: FuzzTarget = {
  name: 'framer',
  limits: { maximumInputBytes: 8_192, freeBytes: 20_000, blocksPerByte: 100, memoryPerByte: 8 },
  seeds: () => [
    ...PDU_FIXTURES.map(({ bytes }) => Buffer.concat([Buffer.of(1, 2), bytes])),
    Buffer.concat([Buffer.of(3, 4), ...PDU_FIXTURES.map(({ bytes }) => bytes)]),
  ],
  run(input) {
    const stream = input.subarray(2)
    const whole = frame([stream])
    if (whole.error !== undefined) expectError(whole.error, PDU_CODES)
    for (const pieces of [cut(stream, input), byteByByte(stream)]) {
      const { events, error } = frame(pieces)
      assert.deepEqual(events, whole.events)
      assert.equal(described(error), described(whole.error))
    }
  },
}

const CONTEXTS = new Map(
  PROPOSED.map(([abstractSyntax, transferSyntax], index): [number, AcceptedContext] => {
    const id = index * 2 + 1
    return [id, { id, abstractSyntax, transferSyntax, asScu: true, asScp: true }]
  }),
)

/** Input: two bytes that say how it is cut, and what a socket reads in an established association. */
export const messages: FuzzTarget = {
  name: 'messages',
  limits: { maximumInputBytes: 8_192, freeBytes: 20_000, blocksPerByte: 120, memoryPerByte: 8 },
  seeds: () => {
    const requests = REQUESTS.map(({ contextId, command, dataSet }) => ({ contextId, command, dataSet }))
    const bytes = [{ fragmentBytes: 16_378 }, { fragmentBytes: 20, pdvsPerPdu: 3 }].flatMap((shape) =>
      requests.map((one) => Buffer.concat(cutMessage(one.contextId, one.command, one.dataSet, shape).map(encodePdu))),
    )
    return bytes.map((one) => Buffer.concat([Buffer.of(5, 6), one]))
  },
  run(input) {
    const stream = input.subarray(2)
    const whole = assembled([stream])
    assert.deepEqual(assembled(cut(stream, input)), whole)
    assert.deepEqual(assembled(byteByByte(stream)), whole)
  },
}

/** The messages that come of a stream, and the error that ended it. */
function assembled(pieces: Iterable<Buffer>): readonly unknown[] {
  const log: unknown[] = []
  const sets: { stream: DataSetStream; bytes: number }[] = []
  const flow = new ReceiveFlow(Number.POSITIVE_INFINITY, undefined, () => {}, () => {})
  const assembler = new MessageAssembler(
    {
      contextById: (id) => CONTEXTS.get(id),
      createDataSet: (context) => new DataSetStream(context.transferSyntax, flow, Number.POSITIVE_INFINITY),
      message: (context, command, dataSet) => {
        log.push([context.id, command, refusalOf(command, context, dataSet !== undefined)])
        if (dataSet !== undefined) sets.push({ stream: dataSet, bytes: 0 })
      },
    },
    4_096,
  )
  const handler = {
    pdu: (type: number) => void log.push(type),
    pDataStart: () => {},
    pDataEnd: () => {},
    pdvFragment: (id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean) => {
      assembler.fragment(id, isCommand, isLast, fragment, first, end)
      const last = sets.at(-1)
      if (!isCommand && last !== undefined) last.bytes += fragment.length
    },
  }
  const reader = new PduFramer(handler, { maximumPduBytes: 65_536, maximumAssociatePduBytes: 65_536 })
  try {
    for (const piece of pieces) reader.push(piece)
  } catch (error) {
    log.push(described(expectError(error, PDU_CODES)))
  }
  log.push(assembler.isMidMessage, sets.map(({ bytes }) => bytes))
  assembler.fail(new DicomtapError('DICOMTAP_ERR_NET_CLOSED', 'over'))
  return log
}

function described(error: unknown): string | undefined {
  return error instanceof DicomtapError ? `${error.code}: ${error.message}` : error === undefined ? undefined : 'something else'
}
