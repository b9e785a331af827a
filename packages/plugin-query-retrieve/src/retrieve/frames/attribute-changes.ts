import { cineChanges } from './cine-changes.ts'
import { ITEM_HEADER_BYTES, UNDEFINED_LENGTH } from './element-reader.ts'
import type { Element } from './element-reader.ts'
import { encodeElement, sequenceEnd, sequenceStart, uint16s } from './encode-elements.ts'
import type { FileRange, Piece } from './pieces.ts'
import { cannotCreate, cannotExtract } from './refused.ts'
import type { SourceImage } from './source-image.ts'

/** What stands in place of an attribute, by tag; nothing: it is left out. */
export type Changes = Map<number, readonly Piece[]>

const SPECIFIC_CHARACTER_SET = 0x00080005
const NUMBER_OF_FRAMES = 0x00280008
const FRAME_INCREMENT_POINTER = 0x00280009
const DIMENSION_ORGANIZATION_TYPE = 0x00209311
const ACQUISITION_CONTEXT = 0x00400555
const REFERENCED_FRAME_NUMBERS = 0x0040a136
const PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
const SLICE_VECTOR = 0x00540080
const GRID_FRAME_OFFSET_VECTOR = 0x3004000c

/**
 * Left out, as optional and no longer true, or of no use: Length to End; when and by whom the instance was created;
 * trims and Frame Display Sequence; Effective Duration, R Wave Time Vector, Stereo Pairs Present; the attributes of a concatenation (PS3.4 Y.3.3);
 * Frame Numbers of Interest with what they say; the mask module; Pixel Data Provider URL (Y.3.3); an icon; MACs; and
 * what tells the length of encapsulated pixel data.
 */
const LEFT_OUT: readonly number[] = [
  0x00080001, 0x00080012, 0x00080013, 0x00080014, 0x00082142, 0x00082143, 0x00089458, 0x00180072, 0x00186060, 0x00200242, 0x00209161, 0x00209162, 0x00209163, 0x00209228,
  0x00220028, 0x00281090, 0x00286020, 0x00286022, 0x00286023, 0x00286030, 0x00286100, 0x00287fe0, 0x00880200, 0x4ffe0001, 0x7fe00001, 0x7fe00002, 0x7fe00003,
]

/** Representative Frame Number and R Wave Pointer: numbers of frames. */
const FRAME_NUMBERS: readonly number[] = [0x00286010, 0x00286040]

/** Of multi-frame secondary capture (PS3.3 C.8.6.4): a text for each frame. */
const TEXT_VECTORS: ReadonlyMap<number, string> = new Map([
  [0x00182001, 'IS'],
  [0x00182002, 'SH'],
  [0x00182003, 'DS'],
  [0x00182004, 'DS'],
  [0x00182005, 'DS'],
  [0x00182006, 'SH'],
])

/** Of nuclear medicine (PS3.3 C.8.4.8): an index for each frame. Slices have their place by their number among all. */
const INDEX_VECTORS: readonly number[] = [0x00540010, 0x00540020, 0x00540030, 0x00540050, 0x00540060, 0x00540070, 0x00540090, 0x00540100]

/** Where a pullback of intravascular ultrasound begins and ends: frame numbers, which must be there. */
const PULLBACK: readonly number[] = [0x00183103, 0x00183104]

/** Motion that is told in steps from frame to frame: angles of the positioner, movement of the table. */
const STEPS: readonly number[] = [0x00181135, 0x00181136, 0x00181137, 0x00181520, 0x00181521]

const CAN_BE_POINTED_AT: ReadonlySet<number> = new Set([0x00181063, 0x00181065, ...TEXT_VECTORS.keys(), ...INDEX_VECTORS, PER_FRAME_FUNCTIONAL_GROUPS])

/**
 * What an image of some frames says otherwise than the image of all.
 * @throws StatusError AA01 when it would say something wrong that is not known how to set right; AA02 when it is not in order
 */
export async function attributeChanges(image: SourceImage, frames: readonly number[], timesMs: readonly number[] | undefined): Promise<Changes> {
  await refuseUnknown(image)
  const { explicitVr } = image
  const changes: Changes = new Map(LEFT_OUT.map((tag) => [tag, []]))
  changes.set(NUMBER_OF_FRAMES, [encodeElement(NUMBER_OF_FRAMES, 'IS', String(frames.length), explicitVr)])
  for (const [tag, vr] of TEXT_VECTORS) {
    const texts = await image.texts(tag)
    if (texts.length > 0) changes.set(tag, [encodeElement(tag, vr, chosen(texts, frames, image).join('\\').trim(), explicitVr)])
  }
  for (const tag of INDEX_VECTORS) {
    const indexes = await image.uint16s(tag)
    if (indexes.length > 0) changes.set(tag, [encodeElement(tag, 'US', uint16s(chosen(indexes, frames, image)), explicitVr)])
  }
  const newNumbers = new Map(frames.map((frame, index) => [frame + 1, index + 1]))
  for (const tag of FRAME_NUMBERS) {
    const left = (await image.uint16s(tag)).flatMap((number) => newNumbers.get(number) ?? [])
    changes.set(tag, left.length === 0 ? [] : [encodeElement(tag, 'US', uint16s(left), explicitVr)])
  }
  // Evenly spaced no longer, or not all of a volume at each time.
  const [organization = ''] = await image.texts(DIMENSION_ORGANIZATION_TYPE)
  if (organization.startsWith('3D') && frames.length < image.numberOfFrames) changes.set(DIMENSION_ORGANIZATION_TYPE, [])
  if (timesMs !== undefined) await cineChanges(image, frames, timesMs, changes)
  const groups = image.element(PER_FRAME_FUNCTIONAL_GROUPS)
  if (groups !== undefined) {
    const items = frames.map((frame) => image.perFrameItems[frame] as FileRange)
    changes.set(groups.tag, [sequenceStart(groups.tag, groups.vr ?? 'SQ', explicitVr), ...items, sequenceEnd()])
  }
  return changes
}

function chosen<T>(values: readonly T[], frames: readonly number[], { numberOfFrames }: SourceImage): T[] {
  if (values.length !== numberOfFrames) throw cannotExtract('A frame vector does not fit Number of Frames')
  return frames.map((frame) => values[frame] as T)
}

async function refuseUnknown(image: SourceImage): Promise<void> {
  for (const pointer of await image.tags(FRAME_INCREMENT_POINTER)) {
    if (!CAN_BE_POINTED_AT.has(pointer)) throw cannotCreate('Frames are told apart by an attribute that cannot be cut')
  }
  // Where a frame is follows from the first one and from how many are before it.
  if (image.element(SLICE_VECTOR) !== undefined || image.element(GRID_FRAME_OFFSET_VECTOR) !== undefined) {
    throw cannotCreate('The place of a frame follows from the others')
  }
  const [organization = ''] = await image.texts(DIMENSION_ORGANIZATION_TYPE)
  if (organization.startsWith('TILED_FULL')) throw cannotCreate('The place of a frame follows from the others')
  for (const tag of STEPS) {
    if ((await image.texts(tag)).some((text) => Number(text.replaceAll('\0', '')) !== 0)) throw cannotCreate('There is motion told from frame to frame')
  }
  if (PULLBACK.some((tag) => image.element(tag) !== undefined)) throw cannotCreate('There is a pullback between certain frames')
  if (image.elements.some(isOverlayOfFrames)) throw cannotCreate('It has overlays or curves of certain frames')
  const [characterSet = '', ...others] = await image.texts(SPECIFIC_CHARACTER_SET)
  const isPlain = others.length === 0 && !/^(GB|ISO 2022|ISO_IR 13)/.test(characterSet)
  const hasLabels = [...TEXT_VECTORS].some(([tag, vr]) => vr === 'SH' && image.element(tag) !== undefined)
  if (hasLabels && !isPlain) throw cannotExtract('Labels of frames in this character set are not cut')
  const context = image.element(ACQUISITION_CONTEXT)
  if (context !== undefined && (await hasInItems(image, context, REFERENCED_FRAME_NUMBERS))) {
    throw cannotCreate('Its acquisition context is that of certain frames')
  }
}

/** Curves and audio (50xx), overlays (60xx) with Number of Frames in Overlay or Image Frame Origin. */
function isOverlayOfFrames({ tag }: Element): boolean {
  const family = tag >>> 24
  const element = tag & 0xffff
  if (((tag >>> 16) & 1) === 1) return false
  return family === 0x50 || (family === 0x60 && (element === 0x0015 || element === 0x0051))
}

async function hasInItems({ reader }: SourceImage, sequence: Element, tag: number): Promise<boolean> {
  for await (const item of reader.items(sequence)) {
    for await (const element of reader.elements(item, sequence.explicitItems)) if (element.tag === tag) return true
  }
  return false
}

/**
 * A sequence with one item more.
 * @param encode the item; in Implicit VR where the sequence is UN
 */
export function withItem(image: SourceImage, tag: number, encode: (explicitVr: boolean) => Buffer): Piece[] {
  const { explicitVr } = image
  const source = image.element(tag)
  if (source === undefined) return [sequenceStart(tag, 'SQ', explicitVr), encode(explicitVr), sequenceEnd()]
  const end = source.length === UNDEFINED_LENGTH ? source.end - ITEM_HEADER_BYTES : source.end
  return [sequenceStart(tag, source.vr ?? 'SQ', explicitVr), { start: source.valueStart, end }, encode(source.explicitItems), sequenceEnd()]
}
