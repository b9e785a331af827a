import { cannotExtract } from './refused.ts'
import { numberOf } from './source-image.ts'
import type { SourceImage } from './source-image.ts'

const CONTENT_DATE = 0x00080023
const CONTENT_TIME = 0x00080033
const TIMEZONE_OFFSET = 0x00080201
const FRAME_TIME = 0x00181063
const FRAME_TIME_VECTOR = 0x00181065
const FRAME_DELAY = 0x00181066
const FRAME_INCREMENT_POINTER = 0x00280009
const FRAME_CONTENT_SEQUENCE = 0x00209111
const FRAME_REFERENCE_DATE_TIME = 0x00189151

/**
 * When each frame of a cine begins (PS3.3 C.7.6.5.1), in milliseconds since Content Time; undefined when neither Frame
 * Time nor Frame Time Vector tells.
 * @throws StatusError AA02 when they are not in order
 */
export async function cineTimes(image: SourceImage): Promise<number[] | undefined> {
  const pointers = await image.tags(FRAME_INCREMENT_POINTER)
  const vector = await image.texts(FRAME_TIME_VECTOR)
  const frameTime = await image.number(FRAME_TIME)
  const isVector = vector.length > 0 && (frameTime === undefined || pointers.includes(FRAME_TIME_VECTOR) || !pointers.includes(FRAME_TIME))
  if (!isVector && frameTime === undefined) return undefined
  const increments = isVector ? vector.map(numberOf) : []
  if (isVector && increments.length !== image.numberOfFrames) throw cannotExtract('Frame Time Vector does not fit Number of Frames')
  let time = (await image.number(FRAME_DELAY)) ?? 0
  const times: number[] = []
  for (let frame = 0; frame < image.numberOfFrames; frame++) {
    time += isVector ? (increments[frame] ?? 0) : frame === 0 ? 0 : (frameTime ?? 0)
    times.push(time)
  }
  if (!times.every(Number.isFinite)) throw cannotExtract('The times of the frames are not in order')
  return times
}

/** The same of Frame Reference DateTime (0018,9151) in the functional groups of each frame; undefined when one has none. */
export async function referenceTimes(image: SourceImage): Promise<number[] | undefined> {
  if (image.perFrameItems.length === 0) return undefined
  const zone = ((await image.texts(TIMEZONE_OFFSET))[0] ?? '').trim()
  const date = ((await image.texts(CONTENT_DATE))[0] ?? '').trim()
  const time = ((await image.texts(CONTENT_TIME))[0] ?? '').trim()
  const contentTime = date === '' || time === '' ? undefined : momentOf(date + time, zone)
  if (contentTime === undefined) return undefined
  const explicitVr = image.explicitVr && image.element(0x52009230)?.vr !== 'UN'
  const times: number[] = []
  for (const item of image.perFrameItems) {
    let moment: number | undefined
    for await (const content of image.reader.elements(item, explicitVr)) {
      if (content.tag !== FRAME_CONTENT_SEQUENCE) continue
      for await (const inner of image.reader.items(content)) {
        for await (const element of image.reader.elements(inner, content.explicitItems)) {
          if (element.tag === FRAME_REFERENCE_DATE_TIME) moment = momentOf((await image.reader.value(element, 64)).toString('latin1').replaceAll('\0', '').trim(), zone)
        }
      }
    }
    if (moment === undefined) return undefined
    times.push(moment - contentTime)
  }
  return times
}

/** Milliseconds since 1970 of a DT (PS3.5 table 6.2-1) of at least a day. */
function momentOf(text: string, zone: string): number | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})?(\d{2})?(\d{2})?(\.\d{1,6})?([+-]\d{4})?$/.exec(text)
  if (parts === null) return undefined
  const [year = 0, month = 1, day = 1, hours = 0, minutes = 0, seconds = 0] = parts.slice(1, 7).map((part) => Number(part ?? 0))
  const offset = /^([+-])(\d{2})(\d{2})$/.exec(parts[8] ?? zone)
  const offsetMinutes = offset === null ? 0 : (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3]))
  const moment = Date.UTC(year, month - 1, day, hours, minutes - offsetMinutes, seconds)
  return moment + Math.round(Number(parts[7] ?? 0) * 1e6) / 1000
}
