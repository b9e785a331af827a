import type { Changes } from './attribute-changes.ts'
import { decimalString, encodeElement, uint16s } from './encode-elements.ts'
import { numberOf } from './source-image.ts'
import type { SourceImage } from './source-image.ts'
import { cannotExtract } from './refused.ts'

const FRAME_TIME = 0x00181063
const FRAME_TIME_VECTOR = 0x00181065
const FRAME_DELAY = 0x00181066
const IMAGE_TRIGGER_DELAY = 0x00181067
const FRAME_INCREMENT_POINTER = 0x00280009

/**
 * The times of a cine (PS3.3 C.7.6.5), so that each frame keeps the time that it had: Content Time stays, Frame Delay
 * says when after it the first frame begins.
 */
export async function cineChanges(image: SourceImage, frames: readonly number[], timesMs: readonly number[], changes: Changes): Promise<void> {
  const { explicitVr } = image
  const text = (tag: number, value: string): void => {
    changes.set(tag, [encodeElement(tag, 'DS', value, explicitVr)])
  }
  const first = timesMs[frames[0] ?? 0] ?? 0
  const earlierMs = first - (timesMs[0] ?? 0)
  if (earlierMs !== 0) {
    text(FRAME_DELAY, decimalString(first))
    const triggerDelay = await image.number(IMAGE_TRIGGER_DELAY)
    if (triggerDelay !== undefined) text(IMAGE_TRIGGER_DELAY, decimalString(triggerDelay + earlierMs))
  }
  const pointers = await image.tags(FRAME_INCREMENT_POINTER)
  const source = await image.texts(FRAME_TIME_VECTOR)
  const frameTime = await image.number(FRAME_TIME)
  const step = stepOf(frames)
  const isIrregular = step === undefined
  const vector = (): string => frames.map((frame, index) => incrementOf(frame, index, frames, timesMs, source)).join('\\')
  if (source.length > 0) {
    if (source.length === image.numberOfFrames) text(FRAME_TIME_VECTOR, vector())
    else if (pointers.includes(FRAME_TIME_VECTOR)) throw cannotExtract('Frame Time Vector does not fit Number of Frames')
    else changes.set(FRAME_TIME_VECTOR, [])
  }
  if (frameTime === undefined) return
  if (!isIrregular) {
    if (step !== 1) text(FRAME_TIME, decimalString(frameTime * step))
    return
  }
  changes.set(FRAME_TIME, [])
  if (!pointers.includes(FRAME_TIME)) return
  text(FRAME_TIME_VECTOR, vector())
  const pointed = new Set(pointers.map((tag) => (tag === FRAME_TIME ? FRAME_TIME_VECTOR : tag)))
  const words = [...pointed].flatMap((tag) => [tag >>> 16, tag & 0xffff])
  changes.set(FRAME_INCREMENT_POINTER, [encodeElement(FRAME_INCREMENT_POINTER, 'AT', uint16s(words), explicitVr)])
}

/** As it stood there where the frame before is still there. */
function incrementOf(frame: number, index: number, frames: readonly number[], timesMs: readonly number[], source: readonly string[]): string {
  if (index === 0) return '0'
  const before = frames[index - 1] ?? 0
  const text = source[frame]?.replaceAll('\0', '').trim()
  if (before === frame - 1 && text !== undefined && Number.isFinite(numberOf(text))) return text
  return decimalString((timesMs[frame] ?? 0) - (timesMs[before] ?? 0))
}

/** How many frames on the next one was; undefined when that differs. */
function stepOf(frames: readonly number[]): number | undefined {
  const step = frames.length < 2 ? 1 : (frames[1] ?? 0) - (frames[0] ?? 0)
  return frames.every((frame, index) => index === 0 || frame - (frames[index - 1] ?? 0) === step) ? step : undefined
}
