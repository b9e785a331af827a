import type { EncodedElement, HeadReader } from '@dicomtap/framework'
import { boundText, columnText } from '../text/bounded.ts'
import type { AttributeCatalogue } from './attributes.ts'
import { describeLevel, patientKeyOf, uidOf, type InstanceFile } from './describe-instance.ts'
import type { IndexedInstance, LevelRow } from './instance.ts'
import { LEVELS, type Level } from './levels.ts'

/** They say how others are meant, or belong to each level. */
const OF_ALL_LEVELS: ReadonlySet<number> = new Set([
  0x00080005, // Specific Character Set
  0x00080201, // Timezone Offset From UTC
  0x00280103, // Pixel Representation
])
const SOP_CLASS_UID = 0x00080016
const UIDS: Readonly<Record<Level, { readonly tag: number; readonly name: string } | undefined>> = {
  PATIENT: undefined,
  STUDY: { tag: 0x0020000d, name: 'StudyInstanceUID' },
  SERIES: { tag: 0x0020000e, name: 'SeriesInstanceUID' },
  IMAGE: { tag: 0x00080018, name: 'SOPInstanceUID' },
}

/** Of each level above instances. */
const MAXIMUM_REMEMBERED = 64
const MAXIMUM_KEY_BYTES = 8192

interface Described {
  readonly row: LevelRow
  readonly uid: string | undefined
  readonly sopClassUid: string | undefined
}

/**
 * What {@link describeInstance} makes of the same attributes, from elements that are still encoded. The instances of a
 * series have equal attributes of patient, study and series: these are decoded once.
 */
export class ElementDescriber {
  readonly #reader: HeadReader
  readonly #attributes: AttributeCatalogue
  readonly #levelOf = new Map<number, Level>()
  readonly #remembered: Readonly<Record<Level, Map<string, Described>>> = { PATIENT: new Map(), STUDY: new Map(), SERIES: new Map(), IMAGE: new Map() }

  constructor(reader: HeadReader, attributes: AttributeCatalogue) {
    this.#reader = reader
    this.#attributes = attributes
    for (const { tag, level } of attributes.all) this.#levelOf.set(tag, level)
    for (const level of LEVELS) if (UIDS[level] !== undefined) this.#levelOf.set(UIDS[level].tag, level)
    this.#levelOf.set(SOP_CLASS_UID, 'IMAGE')
  }

  /** Undefined when a UID is missing, or none. @throws what the reader throws */
  describe(elements: readonly EncodedElement[], file: InstanceFile): IndexedInstance | undefined {
    const parts: Record<Level, EncodedElement[]> = { PATIENT: [], STUDY: [], SERIES: [], IMAGE: [] }
    for (const element of elements) {
      const level = this.#levelOf.get(element.tag)
      if (OF_ALL_LEVELS.has(element.tag)) for (const one of LEVELS) parts[one].push(element)
      else if (level !== undefined) parts[level].push(element)
    }
    const { transferSyntaxUid } = file
    const { row: patient } = this.#remember('PATIENT', parts.PATIENT, transferSyntaxUid)
    const { row: study, uid: studyInstanceUid } = this.#remember('STUDY', parts.STUDY, transferSyntaxUid)
    const { row: series, uid: seriesInstanceUid } = this.#remember('SERIES', parts.SERIES, transferSyntaxUid)
    const { row: instance, uid: sopInstanceUid, sopClassUid } = this.#decode('IMAGE', parts.IMAGE, transferSyntaxUid)
    if (studyInstanceUid === undefined || seriesInstanceUid === undefined || sopInstanceUid === undefined || sopClassUid === undefined) return undefined
    return {
      patientKey: patientKeyOf(patient, studyInstanceUid),
      patient,
      studyInstanceUid,
      study,
      seriesInstanceUid,
      series,
      sopInstanceUid,
      sopClassUid,
      transferSyntaxUid: columnText(boundText(transferSyntaxUid)),
      instance,
      path: file.path,
      sizeBytes: file.sizeBytes,
      storedAtMs: file.storedAtMs,
    }
  }

  #remember(level: Level, elements: readonly EncodedElement[], transferSyntaxUid: string): Described {
    const key = keyOf(elements, transferSyntaxUid)
    if (key === undefined) return this.#decode(level, elements, transferSyntaxUid)
    const remembered = this.#remembered[level]
    let described = remembered.get(key)
    if (described === undefined) {
      described = this.#decode(level, elements, transferSyntaxUid)
      if (remembered.size >= MAXIMUM_REMEMBERED) remembered.delete(remembered.keys().next().value as string)
      remembered.set(key, described)
    }
    return described
  }

  #decode(level: Level, elements: readonly EncodedElement[], transferSyntaxUid: string): Described {
    const dataset = this.#reader.decode(elements, transferSyntaxUid)
    const uid = UIDS[level]
    return {
      row: describeLevel(dataset, level, this.#attributes),
      uid: uid === undefined ? undefined : uidOf(dataset, uid.name),
      sopClassUid: level === 'IMAGE' ? uidOf(dataset, 'SOPClassUID') : undefined,
    }
  }
}

/** The bytes as they are, one character each; undefined when there are too many to be kept. */
function keyOf(elements: readonly EncodedElement[], transferSyntaxUid: string): string | undefined {
  let key = transferSyntaxUid
  for (const { bytes } of elements) {
    if (key.length + bytes.length > MAXIMUM_KEY_BYTES) return undefined
    key += bytes.toString('latin1')
  }
  return key
}
