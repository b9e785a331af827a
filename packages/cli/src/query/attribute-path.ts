import type { Dictionary } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'

/** One attribute on the way from the data set to the value. */
export interface PathStep {
  readonly tag: number
  /** How a DataSet calls it. */
  readonly name: string
  /** A VR of PS3.5, or `ox`, `xs`, `lt` as the dictionary has them; `UN` when nobody knows. */
  readonly vr: string
  /** Was the VR named, because the dictionary does not have it? */
  readonly isVrGiven: boolean
  /** Item of a sequence, from 0; undefined when none was named. */
  readonly item: number | undefined
}

const SEGMENT =
  /^(?:\(?(?<group>[0-9a-f]{4}),(?<element>[0-9a-f]{4})\)?|(?<hex>[0-9a-f]{8})|(?<keyword>[a-z][a-z0-9_]*))(?::(?<vr>[a-z]{2}))?(?:\[(?<item>\d{1,4})\])?$/iu

const VALUE_REPRESENTATIONS: ReadonlySet<string> = new Set(
  'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV'.split(' '),
)

/** A path of more items than this is a slip of the finger. */
const MAXIMUM_ITEMS = 100

/**
 * Parses where a key stands: `PatientID`, `0010,0020`, `(0010,0020)`, `00100020`, and within sequences
 * `ScheduledProcedureStepSequence[0].Modality`, `0040,0100[0].0008,0060` or, for the first item,
 * `ScheduledProcedureStepSequence.Modality`. An attribute that the dictionary does not have takes its VR
 * with it: `0009,1001:LO`.
 *
 * @throws UsageError
 */
export function parseAttributePath(text: string, dictionary: Dictionary): readonly PathStep[] {
  const steps = text.split('.').map((segment) => parseStep(segment.trim(), text, dictionary))
  for (const step of steps.slice(0, -1)) {
    if (step.vr !== 'SQ') throw new UsageError(`${text}: ${keywordOf(step)} is no sequence, so nothing can be in it`)
  }
  return steps
}

/** `PatientID`, or `(0009,1001)` for an attribute without a keyword. */
export function keywordOf({ name, tag }: Pick<PathStep, 'name' | 'tag'>): string {
  return /^[0-9A-F]{8}$/u.test(name) ? tagText(tag) : name.replace(/^RETIRED_/u, '')
}

export function tagText(tag: number): string {
  const hex = tag.toString(16).toUpperCase().padStart(8, '0')
  return `(${hex.slice(0, 4)},${hex.slice(4)})`
}

function parseStep(segment: string, whole: string, dictionary: Dictionary): PathStep {
  const { group, element, hex, keyword, item, vr } = SEGMENT.exec(segment)?.groups ?? {}
  const digits = hex ?? (group === undefined ? undefined : group + (element ?? ''))
  const tag = digits === undefined ? tagOfKeyword(keyword, segment, whole, dictionary) : Number.parseInt(digits, 16)
  const known = dictionary.vrOf(tag)
  const step: PathStep = {
    tag,
    name: dictionary.nameOf(tag),
    vr: vr?.toUpperCase() ?? known ?? 'UN',
    isVrGiven: vr !== undefined && vr.toUpperCase() !== known,
    item: item === undefined ? undefined : Number(item),
  }
  check(step, whole)
  return step
}

function check({ tag, vr, item }: PathStep, whole: string): void {
  const group = tag >>> 16
  if (group < 0x0008 || group === 0xfffe || (tag & 0xffff) === 0) {
    throw new UsageError(`${whole}: ${tagText(tag)} does not belong in a query`)
  }
  if (!VALUE_REPRESENTATIONS.has(vr) && !/^(?:ox|xs|lt)$/u.test(vr)) {
    throw new UsageError(`${whole}: "${vr}" is no VR (PS3.5 6.2)`)
  }
  if (item !== undefined && vr !== 'SQ') throw new UsageError(`${whole}: [${item}] goes with a sequence, and ${tagText(tag)} is none`)
  if (item !== undefined && item >= MAXIMUM_ITEMS) throw new UsageError(`${whole}: an item is one of 0 to ${MAXIMUM_ITEMS - 1}`)
}

function tagOfKeyword(keyword: string | undefined, segment: string, whole: string, dictionary: Dictionary): number {
  if (keyword === undefined) {
    throw new UsageError(`${whole}: "${segment}" is neither a keyword, as PatientID, nor a tag, as 0010,0020`)
  }
  const attribute = dictionary.byName(keyword)
  if (attribute !== undefined) return attribute.tag
  const near = dictionary.nearKeywords(keyword)
  const inOtherCase = near.find((one) => one.toLowerCase() === keyword.toLowerCase())
  if (inOtherCase !== undefined) return dictionary.byName(inOtherCase)?.tag as number
  const advice = near.length === 0 ? '; a tag such as 0010,0020 works too' : `; did you mean ${near.join(' or ')}?`
  throw new UsageError(`There is no attribute "${keyword}"${advice}`)
}
