import { headReader, type HeadReader, loadDictionary } from '@dicomtap/framework'
import type { AttributeCatalogue } from './attributes.ts'
import { ElementDescriber } from './describe-elements.ts'
import type { InstanceFile } from './describe-instance.ts'
import type { IndexedInstance } from './instance.ts'

/** The beginning of the data set of a file. */
export interface FileHead {
  /** Below the storage folder, with `/`. */
  readonly relativePath: string
  readonly transferSyntaxUid: string
  readonly dataSetHead: Uint8Array
  readonly dataSetBytes: number
}

const ALWAYS = [
  0x00080005, // Specific Character Set
  0x00080016, // SOP Class UID
  0x00080018, // SOP Instance UID
  0x00080201, // Timezone Offset From UTC
  0x0020000d, // Study Instance UID
  0x0020000e, // Series Instance UID
]

/** What is read of an instance. */
export function wantedAttributes({ all }: AttributeCatalogue): ReadonlySet<number> {
  return new Set([...ALWAYS, ...all.map(({ tag }) => tag)])
}

/** Describes instances by the beginnings of their files. */
export class HeadDescriber {
  readonly #reader: HeadReader
  readonly #describer: ElementDescriber

  private constructor(reader: HeadReader, attributes: AttributeCatalogue) {
    this.#reader = reader
    this.#describer = new ElementDescriber(reader, attributes)
  }

  static async load(attributes: AttributeCatalogue): Promise<HeadDescriber> {
    return new HeadDescriber(headReader(wantedAttributes(attributes), await loadDictionary()), attributes)
  }

  /** Undefined where the beginning does not tell: the file has to be read. */
  describe({ relativePath, transferSyntaxUid, dataSetHead, dataSetBytes }: FileHead, file: Pick<InstanceFile, 'sizeBytes' | 'storedAtMs'>): IndexedInstance | undefined {
    const elements = this.#reader.pick(dataSetHead, transferSyntaxUid, dataSetHead.length === dataSetBytes)
    if (elements === undefined) return undefined
    try {
      return this.#describer.describe(elements, { path: relativePath, transferSyntaxUid, ...file })
    } catch {
      return undefined
    }
  }
}
