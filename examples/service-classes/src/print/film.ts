/** What lies on the light box: film sessions, films and their boxes (PS3.4 H.4). */
import { PrintManagementStatus, SopClass, Status, createUid } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { attributeError, requireAttributes } from '../shared/attributes.ts'
import { itemsOf } from '../shared/matching.ts'

/** An image box or an annotation box. */
export interface Box {
  readonly uid: string
  readonly sopClassUid: string
  /** As set; undefined while nothing was. */
  attributes: DataSet | undefined
  bytes: number
}
export interface FilmBox {
  readonly uid: string
  attributes: DataSet
  readonly images: readonly Box[]
  readonly annotations: readonly Box[]
}
export interface FilmSession {
  readonly uid: string
  attributes: DataSet
  readonly films: FilmBox[]
}

/** The most image boxes on a film: an SCU could ask for any number. */
const MAXIMUM_IMAGE_BOXES = 100

/** How many image boxes an Image Display Format (2010,0010) stands for; undefined for one that is not supported. */
export function imageBoxCount(format: unknown): number | undefined {
  const [, kind, sizes = ''] = /^(STANDARD|ROW|COL)\\(\d{1,2}(?:,\d{1,2})*)$/.exec(String(format)) ?? []
  const numbers = sizes.split(',').map(Number)
  if (kind === undefined || (kind === 'STANDARD' && numbers.length !== 2)) return undefined
  // Columns and rows; or the number of boxes in each row or column.
  const count = numbers.reduce((result, number) => (kind === 'STANDARD' ? result * number : result + number))
  return count >= 1 && count <= MAXIMUM_IMAGE_BOXES ? count : undefined
}

export function boxes(sopClassUid: string, count: number): Box[] {
  return Array.from({ length: count }, () => ({ uid: createUid(), sopClassUid, attributes: undefined, bytes: 0 }))
}

export function references(instances: readonly { readonly sopClassUid: string; readonly uid: string }[]): DataSet[] {
  return instances.map(({ sopClassUid, uid }) => ({ ReferencedSOPClassUID: sopClassUid, ReferencedSOPInstanceUID: uid }))
}

export function hasImages({ images }: FilmBox): boolean {
  return images.some(({ attributes }) => attributes !== undefined)
}

const IMAGE = ['SamplesPerPixel', 'PhotometricInterpretation', 'Rows', 'Columns', 'BitsAllocated', 'BitsStored', 'HighBit', 'PixelRepresentation', 'PixelData']

/**
 * The status of an N-SET with an image, which may be too large for its box (PS3.4 H.4.3.1.2.1).
 * @returns undefined when the image was taken away
 * @throws StatusError 0106, 0120, 0121
 */
export async function statusOfImage(changes: DataSet, film: FilmBox, box: Box, maximum: { columns: number; rows: number }): Promise<number | undefined> {
  const sequence = box.sopClassUid === SopClass.BasicColorImageBox ? 'BasicColorImageSequence' : 'BasicGrayscaleImageSequence'
  await requireAttributes(changes, ['ImageBoxPosition'], [sequence])
  if (changes['ImageBoxPosition'] !== film.images.indexOf(box) + 1) throw await attributeError(Status.InvalidAttributeValue, ['ImageBoxPosition'])
  const [image] = itemsOf(changes[sequence])
  if (image === undefined) return undefined
  await requireAttributes(image, IMAGE)
  if (Number(image['Columns']) <= maximum.columns && Number(image['Rows']) <= maximum.rows) return Status.Success
  switch (changes['RequestedDecimateCropBehavior']) {
    case 'CROP':
      return PrintManagementStatus.ImageCropped
    case 'FAIL':
      return PrintManagementStatus.ImageTooLarge
    case 'DECIMATE':
      return (changes['MagnificationType'] ?? film.attributes['MagnificationType']) === 'NONE'
        ? PrintManagementStatus.ImageTooLarge
        : PrintManagementStatus.ImageDecimated
    default:
      return PrintManagementStatus.ImageDemagnified
  }
}
