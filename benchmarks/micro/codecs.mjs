import { decodeCommandSet, decodePdu, encodeCommandSet, encodePdu } from '@dicomtap/framework'
import { associateRequest, echoRequest, encodedDataSet, headParser, storeRequest, storeResponse } from './messages.mjs'

const PDU_HEADER_BYTES = 6

export function addCodecs(add) {
  for (const contexts of [1, 128]) {
    const request = associateRequest(contexts)
    const accept = {
      ...request,
      type: 'A-ASSOCIATE-AC',
      presentationContexts: request.presentationContexts.map(({ id, transferSyntaxes }) => ({
        id,
        result: 0,
        transferSyntax: transferSyntaxes[0],
      })),
    }
    const body = encodePdu(request).subarray(PDU_HEADER_BYTES)
    const batch = contexts === 1 ? 100 : 1
    add(`PDU: decode A-ASSOCIATE-RQ of ${contexts} context(s)`, () => decodePdu(1, body), { batch })
    add(`PDU: encode A-ASSOCIATE-AC of ${contexts} context(s)`, () => encodePdu(accept), { batch })
  }
  add('PDU: encode A-RELEASE-RP', () => encodePdu({ type: 'A-RELEASE-RP' }), { batch: 1000 })

  const echo = encodeCommandSet(echoRequest)
  const store = encodeCommandSet(storeRequest)
  add('command set: decode C-ECHO-RQ', () => decodeCommandSet(echo), { batch: 1000 })
  add('command set: decode C-STORE-RQ', () => decodeCommandSet(store), { batch: 1000 })
  add('command set: encode C-STORE-RSP', () => encodeCommandSet(storeResponse), { batch: 1000 })

  const dataSet = encodedDataSet(64 * 1024)
  add('head parser: four UIDs of a CT image', () => headParser().push(dataSet), { batch: 100 })
}
