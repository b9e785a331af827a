import { MessageAssembler, PduFramer } from '@dicomtap/framework'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES } from '../load/uids.mjs'
import { internal } from './internals.mjs'
import { MAXIMUM_PDU_BYTES, chunksOf, storeMessage } from './messages.mjs'

const EXPLICIT_VR_LITTLE_ENDIAN = TRANSFER_SYNTAXES.explicit
const RECEIVE_BUFFER_BYTES = 1_048_576
const MAXIMUM_DECODED_BYTES = 67_108_864

/** From the bytes of a socket to a sink: framer, assembler and data set stream together. */
export async function addDataSets(add) {
  const { DataSetStream } = await internal('dimse/data-set-stream.js')
  const { ReceiveFlow } = await internal('dimse/receive-flow.js')
  const context = {
    id: 1,
    abstractSyntax: CT_IMAGE_STORAGE,
    transferSyntax: EXPLICIT_VR_LITTLE_ENDIAN,
    asScu: false,
    asScp: true,
  }

  const receiver = (consume) => {
    const flow = new ReceiveFlow(RECEIVE_BUFFER_BYTES, undefined, () => {}, () => {})
    let consumed
    const assembler = new MessageAssembler(
      {
        contextById: () => context,
        createDataSet: () => new DataSetStream(EXPLICIT_VR_LITTLE_ENDIAN, flow, MAXIMUM_DECODED_BYTES),
        message: (_context, _command, dataSet) => {
          consumed = consume(dataSet)
        },
      },
      65_536,
    )
    const framer = new PduFramer(
      {
        pdu() {},
        pDataStart() {},
        pdvFragment: (...piece) => assembler.fragment(...piece),
        pDataEnd() {},
      },
      { maximumPduBytes: MAXIMUM_PDU_BYTES, maximumAssociatePduBytes: 1_048_576 },
    )
    return (chunks) => () => {
      for (const chunk of chunks) framer.push(chunk)
      return consumed
    }
  }
  const discard = receiver((dataSet) => dataSet.pipeTo({ write: () => undefined }))
  const gather = receiver((dataSet) => dataSet.buffer())

  for (const kib of [8, 512]) {
    const message = storeMessage(kib * 1024)
    const chunks = chunksOf(message)
    const options = { batch: kib === 8 ? 100 : 10, isAsync: true }
    add(`C-STORE of ${kib} KiB: framer, assembler, pipeTo()`, discard(chunks), options)
    // The only one that copies.
    add(`C-STORE of ${kib} KiB: framer, assembler, buffer()`, gather(chunks), { ...options, bytes: message.length })
  }
}
