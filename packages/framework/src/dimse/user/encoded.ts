import type { AcceptedContext } from '../../acse/types.ts'
import { encodeDataSet } from '../../dataset/index.ts'
import type { OutgoingDataSet } from '../types.ts'

/** The bytes of a data set in the transfer syntax of a context; bytes are taken to be in it. */
export function encoded(dataset: OutgoingDataSet, { transferSyntax }: AcceptedContext): Uint8Array | Promise<Uint8Array> {
  return dataset instanceof Uint8Array ? dataset : encodeDataSet(dataset, transferSyntax)
}
