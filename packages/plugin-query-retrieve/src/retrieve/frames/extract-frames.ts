import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { RetrieveStatus, StatusError } from '@dicomtap/framework'
import type { InstanceToSend } from '@dicomtap/framework'
import { attributeChanges, withItem } from './attribute-changes.ts'
import type { Changes } from './attribute-changes.ts'
import { encodeElement, encodeItem, float64s, sequenceEnd, sequenceStart, uint32s } from './encode-elements.ts'
import { extractedUid } from './extracted-uid.ts'
import { FileWindow } from './file-window.ts'
import type { FrameList, FrameRequest } from './frame-request.ts'
import { cineTimes, referenceTimes } from './frame-times.ts'
import { bytesOf, joinPieces, OPEN_FLAGS } from './pieces.ts'
import type { Piece } from './pieces.ts'
import { cutPixelData } from './pixel-data.ts'
import { cannotExtract } from './refused.ts'
import { selectFrames } from './select-frames.ts'
import type { SelectedFrames } from './select-frames.ts'
import { SourceImage } from './source-image.ts'

const SOP_INSTANCE_UID = 0x00080018
const FRAME_EXTRACTION_SEQUENCE = 0x00081164
const CONTRIBUTING_EQUIPMENT_SEQUENCE = 0x0018a001

/**
 * Makes an instance of some frames of the one in a file (PS3.4 Y.3.3), without decoding any: what is decided is where
 * its bytes come from, and they are read as they are sent.
 * @param signal ends it with its reason
 * @throws StatusError AA00 to AA03
 * @throws DICOMTAP_ERR_DS_MALFORMED for what is no DICOM file; errors of the system as they are
 */
export async function extractFrames(path: string, request: FrameRequest, signal?: AbortSignal): Promise<InstanceToSend> {
  const handle = await open(path, OPEN_FLAGS)
  try {
    return await planExtraction(path, handle, request, signal)
  } finally {
    await handle.close()
  }
}

async function planExtraction(path: string, handle: FileHandle, request: FrameRequest, signal?: AbortSignal): Promise<InstanceToSend> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw cannotExtract('It is not a file')
  const image = await SourceImage.read(new FileWindow(handle, stats.size), request.sopInstanceUid, signal)
  const timesMs = await cineTimes(image)
  const selected = selectFrames(request, image.numberOfFrames, request.list === 'TimeRange' ? await timesFor(image, timesMs) : undefined)
  const { frames } = selected
  if (frames.length === 0) throw new StatusError(RetrieveStatus.NoneOfTheFramesFound, { errorComment: 'It has none of the frames' })
  const changes = await attributeChanges(image, frames, timesMs)
  const sopInstanceUid = extractedUid(request, selected)
  changes.set(SOP_INSTANCE_UID, [encodeElement(SOP_INSTANCE_UID, 'UI', sopInstanceUid, image.explicitVr)])
  changes.set(FRAME_EXTRACTION_SEQUENCE, withItem(image, FRAME_EXTRACTION_SEQUENCE, (explicitVr) => extractionItem(request, selected, explicitVr)))
  changes.set(CONTRIBUTING_EQUIPMENT_SEQUENCE, withItem(image, CONTRIBUTING_EQUIPMENT_SEQUENCE, equipmentItem))
  const { pixelData, tables } = await cutPixelData(image, frames)
  for (const [tag, element] of tables) changes.set(tag, [element])
  const pieces = joinPieces([...changedElements(image, changes), ...pixelData])
  const { sopClassUid, transferSyntaxUid } = image
  return { sopClassUid, sopInstanceUid, transferSyntaxUid, bytes: () => bytesOf(path, stats, pieces) }
}

async function timesFor(image: SourceImage, cine: readonly number[] | undefined): Promise<readonly number[]> {
  const times = cine ?? (await referenceTimes(image))
  if (times === undefined) throw new StatusError(RetrieveStatus.NotTimeBased, { errorComment: 'The instance does not tell the times of its frames' })
  return times
}

/**
 * Elements in the order of their tags, changed or as they are. Private ones are left out, for nobody knows whether they
 * are still true (PS3.4 Y.3.3 note), and so are group lengths; what is in items stays.
 */
function* changedElements(image: SourceImage, changes: Changes): Generator<Piece, void, undefined> {
  const added = [...changes.keys()].filter((tag) => image.element(tag) === undefined).sort((a, b) => a - b)
  let next = 0
  for (const { tag, start, end } of image.elements) {
    for (; next < added.length && (added[next] as number) < tag; next++) yield* changes.get(added[next] as number) ?? []
    if (((tag >>> 16) & 1) === 1 || (tag & 0xffff) === 0) continue
    const change = changes.get(tag)
    if (change === undefined) yield { start, end }
    else yield* change
  }
  for (; next < added.length; next++) yield* changes.get(added[next] as number) ?? []
}

const LIST_TAGS: Readonly<Record<FrameList, number>> = { SimpleFrameList: 0x00081161, CalculatedFrameList: 0x00081162, TimeRange: 0x00081163 }

/** Frame Extraction Module (PS3.3 C.12.3): Multi-frame Source SOP Instance UID, and what was asked for. */
function extractionItem({ list, sopInstanceUid }: FrameRequest, { numbers }: SelectedFrames, explicitVr: boolean): Buffer {
  const isTime = list === 'TimeRange'
  const value = isTime ? float64s(numbers) : uint32s(numbers)
  return encodeItem([encodeElement(LIST_TAGS[list], isTime ? 'FD' : 'UL', value, explicitVr), encodeElement(0x00081167, 'UI', sopInstanceUid, explicitVr)])
}

/** Manufacturer, and for a purpose (109105, DCM, "Frame Extracting Equipment"), as PS3.4 Y.3.3 says. */
function equipmentItem(explicitVr: boolean): Buffer {
  const code = encodeItem([
    encodeElement(0x00080100, 'SH', '109105', explicitVr),
    encodeElement(0x00080102, 'SH', 'DCM', explicitVr),
    encodeElement(0x00080104, 'LO', 'Frame Extracting Equipment', explicitVr),
  ])
  return encodeItem([
    encodeElement(0x00080070, 'LO', 'dicomtap', explicitVr),
    sequenceStart(0x0040a170, 'SQ', explicitVr),
    code,
    sequenceEnd(),
  ])
}
