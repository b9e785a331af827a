import { dataSet, dataSetStream, deflated, fileAttributes, fileMeta, text } from './data-set.ts'
import { pdu, userItems } from './pdu.ts'
import { commandSet, framer, messages } from './stream.ts'
import type { FuzzTarget } from './target.ts'

/** Everything that `npm run fuzz` fuzzes, one after the other. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  pdu,
  userItems,
  framer,
  commandSet,
  messages,
  fileMeta,
  dataSet,
  dataSetStream,
  fileAttributes,
  deflated,
  text,
]
