import { isValidUid, RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import type { InformationModel } from '../../model/levels.ts'
import { textOf } from '../../text/values.ts'

const LISTS = ['SimpleFrameList', 'CalculatedFrameList', 'TimeRange'] as const

const TAGS = { SOPInstanceUID: 0x00080018, SimpleFrameList: 0x00081161, CalculatedFrameList: 0x00081162, TimeRange: 0x00081163 } as const

export type FrameList = (typeof LISTS)[number]

/** Which frames of which instance (PS3.4 Y.3.2.1). */
export interface FrameRequest {
  readonly sopInstanceUid: string
  readonly list: FrameList
  /** Frame numbers from 1 on; first, limit and increment of each part; or start and end in seconds. */
  readonly numbers: readonly number[]
}

/**
 * Does the identifier ask for frames of an instance (PS3.4 Y.3)? Then which.
 * @throws StatusError A900 without such an instance, AA04 when it does not name frames as PS3.4 Y.3.2.1 wants
 */
export function frameRequestOf(identifier: DataSet, { name }: InformationModel): FrameRequest | undefined {
  if (name !== 'compositeInstanceRoot' || textOf(identifier['QueryRetrieveLevel']) !== 'FRAME') return undefined
  const sopInstanceUid = textOf(identifier['SOPInstanceUID'])
  if (!isValidUid(sopInstanceUid, 'lenient')) {
    throw new StatusError(RetrieveStatus.IdentifierMismatch, { errorComment: 'Needs a single value: SOPInstanceUID', offendingElements: [TAGS.SOPInstanceUID] })
  }
  const given = LISTS.filter((list) => numbersOf(identifier[list]).length > 0)
  const [list] = given
  if (list === undefined || given.length > 1) throw invalid('Needs one list of frames', LISTS)
  const numbers = numbersOf(identifier[list])
  if (!IS_VALID[list](numbers)) throw invalid(`Not a list of frames: ${list}`, [list])
  return { sopInstanceUid, list, numbers }
}

const IS_VALID: Readonly<Record<FrameList, (numbers: readonly number[]) => boolean>> = {
  SimpleFrameList: (numbers) => numbers.every(isFrame) && isIncreasing(numbers),
  CalculatedFrameList(numbers) {
    if (numbers.length % 3 !== 0 || !numbers.every(isFrame)) return false
    let end = 0
    for (let at = 0; at < numbers.length; at += 3) {
      const [first = 0, limit = 0, increment = 1] = numbers.slice(at, at + 3)
      if (limit < first || first <= end) return false
      // A part may begin where the one before would have ended, had its increment hit its limit.
      end = first + Math.floor((limit - first) / increment) * increment
    }
    return true
  },
  TimeRange: (numbers) => numbers.length === 2 && numbers.every(Number.isFinite) && isInOrder(numbers),
}

const isFrame = (number: number): boolean => Number.isInteger(number) && number >= 1

const isIncreasing = (numbers: readonly number[]): boolean => numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))

const isInOrder = ([start = 0, end = 0]: readonly number[]): boolean => start <= end

function numbersOf(value: unknown): readonly number[] {
  if (value === undefined || value === null || value === '') return []
  return (Array.isArray(value) ? value : [value]).map(Number)
}

function invalid(errorComment: string, names: readonly FrameList[]): StatusError {
  return new StatusError(RetrieveStatus.InvalidRequest, { errorComment, offendingElements: names.map((name) => TAGS[name]) })
}
