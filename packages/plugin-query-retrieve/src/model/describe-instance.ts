import type { DataSet } from '@dicomtap/framework'
import type { AttributeCatalogue } from './attributes.ts'
import type { IndexedInstance } from './instance.ts'

/** Where the data set was read, and what its file meta information says. */
export interface InstanceFile {
  readonly path: string
  readonly sizeBytes: number
  readonly storedAtMs: number
  readonly transferSyntaxUid: string
}

/** What the index keeps of an instance. Undefined when it lacks one of the UIDs. */
export function describeInstance(_dataset: DataSet, _file: InstanceFile, _attributes: AttributeCatalogue): IndexedInstance | undefined {
  throw new Error('not written yet')
}
