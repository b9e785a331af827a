import { isValidUid, RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import type { InformationModel } from '../model/levels.ts'
import { textOf } from '../text/values.ts'

const LISTS = ['SimpleFrameList', 'CalculatedFrameList', 'TimeRange'] as const

const TAGS = { QueryRetrieveLevel: 0x00080052, SOPInstanceUID: 0x00080018, SimpleFrameList: 0x00081161, CalculatedFrameList: 0x00081162, TimeRange: 0x00081163 } as const

/**
 * Does the identifier ask for frames of an instance (PS3.4 Y.3)? Then the UID of that instance.
 * @throws StatusError A900 without such an instance, AA04 when it does not name frames as PS3.4 Y.3.2.1 wants
 */
export function framesAskedOf(identifier: DataSet, { name }: InformationModel): string | undefined {
  if (name !== 'compositeInstanceRoot' || textOf(identifier['QueryRetrieveLevel']) !== 'FRAME') return undefined
  const uid = textOf(identifier['SOPInstanceUID'])
  if (!isValidUid(uid, 'lenient')) {
    throw new StatusError(RetrieveStatus.IdentifierMismatch, { errorComment: 'Needs a single value: SOPInstanceUID', offendingElements: [TAGS.SOPInstanceUID] })
  }
  const given = LISTS.filter((list) => numbersOf(identifier[list]).length > 0)
  const [list] = given
  if (list === undefined || given.length > 1) throw invalid('Needs one list of frames', LISTS)
  if (!IS_VALID[list](numbersOf(identifier[list]))) throw invalid(`Not a list of frames: ${list}`, [list])
  return uid
}

const IS_VALID: Readonly<Record<(typeof LISTS)[number], (numbers: readonly number[]) => boolean>> = {
  SimpleFrameList: (numbers) => numbers.every(isFrame) && isIncreasing(numbers),
  // First frame, last frame and increment of each part.
  CalculatedFrameList(numbers) {
    if (numbers.length % 3 !== 0 || !numbers.every(isFrame)) return false
    const bounds: number[] = []
    for (let at = 0; at < numbers.length; at += 3) {
      const [first = 0, last = 0, increment = 1] = numbers.slice(at, at + 3)
      if (last < first) return false
      // A part may begin where the one before would have ended, had its increment hit its limit.
      bounds.push(first, first + Math.floor((last - first) / increment) * increment)
    }
    return bounds.every((bound, index) => index === 0 || (index % 2 === 0 ? bound > (bounds[index - 1] ?? 0) : bound >= (bounds[index - 1] ?? 0)))
  },
  TimeRange: ([start = 0, end = 0, ...others]) => others.length === 0 && start <= end,
}

const isFrame = (number: number): boolean => Number.isInteger(number) && number >= 1

const isIncreasing = (numbers: readonly number[]): boolean => numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))

function numbersOf(value: unknown): readonly number[] {
  if (value === undefined || value === null || value === '') return []
  return (Array.isArray(value) ? value : [value]).map(Number)
}

function invalid(errorComment: string, names: readonly (keyof typeof TAGS)[]): StatusError {
  return new StatusError(RetrieveStatus.InvalidRequest, { errorComment, offendingElements: names.map((name) => TAGS[name]) })
}
