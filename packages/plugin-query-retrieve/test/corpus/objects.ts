import type { Element, Encoding, Item, Value } from './part10.ts'

/** SOP classes of the corpus, by what the tests call them. */
export const SOP_CLASSES = {
  CT: '1.2.840.10008.5.1.4.1.1.2',
  MR: '1.2.840.10008.5.1.4.1.1.4',
  CR: '1.2.840.10008.5.1.4.1.1.1',
  US: '1.2.840.10008.5.1.4.1.1.3.1',
  SR: '1.2.840.10008.5.1.4.1.1.88.22',
  PR: '1.2.840.10008.5.1.4.1.1.11.1',
  SEG: '1.2.840.10008.5.1.4.1.1.66.4',
  OT: '1.2.840.10008.5.1.4.1.1.7',
} as const
export type Kind = keyof typeof SOP_CLASSES

const SIDE = 4

/** A code of PS3.3 table 8.8-1a. */
export function code(value: string, scheme: string, meaning: string): Item {
  return [
    ['00080100', 'SH', value],
    ['00080102', 'LO', scheme],
    ['00080104', 'LO', meaning],
  ]
}

/** What each kind of object has of its own. Pixels are 4 by 4, and different in each instance. */
export function objectElements(kind: Kind, encoding: Encoding, seed: number): readonly Element[] {
  switch (kind) {
    case 'SR':
      return [
        ['0040a043', 'SQ', [code('121070', 'DCM', 'Findings')]],
        ['0040a040', 'CS', 'CONTAINER'],
        ['0040a050', 'CS', 'SEPARATE'],
        ['0040a491', 'CS', seed % 2 === 0 ? 'COMPLETE' : 'PARTIAL'],
        ['0040a493', 'CS', seed % 3 === 0 ? 'VERIFIED' : 'UNVERIFIED'],
        ['00080023', 'DA', '20240102'],
        ['00080033', 'TM', '101500'],
        ['0040a730', 'SQ', [[['0040a010', 'CS', 'CONTAINS'], ['0040a040', 'CS', 'TEXT'], ['0040a043', 'SQ', [code('121071', 'DCM', 'Finding')]], ['0040a160', 'UT', 'No finding']]]],
      ]
    case 'PR':
      return [
        ['00700080', 'CS', `LABEL_${seed % 10}`],
        ['00700081', 'LO', 'A presentation'],
        ['00700082', 'DA', '20240103'],
        ['00700083', 'TM', '235959'],
        ['00700084', 'PN', 'Creator^Carl'],
      ]
    case 'US':
      return [['00280008', 'IS', '3'], ['00081115', 'SQ', []], ...pixels(encoding, seed, 3, 8)]
    case 'SEG':
      return [['00280008', 'IS', '2'], ['00700080', 'CS', 'SEGMENTATION'], ...pixels(encoding, seed, 2, 8)]
    case 'OT':
      return [['00080064', 'CS', 'WSD'], ...pixels(encoding, seed, 1, 8)]
    default:
      return [['00180060', 'DS', '120'], ['00180050', 'DS', '1.25'], ...pixels(encoding, seed, 1, 16)]
  }
}

function pixels(encoding: Encoding, seed: number, frames: number, bits: 8 | 16): readonly Element[] {
  return [
    ['00280002', 'US', [1]],
    ['00280004', 'CS', 'MONOCHROME2'],
    ['00280010', 'US', [SIDE]],
    ['00280011', 'US', [SIDE]],
    ['00280100', 'US', [bits]],
    ['00280101', 'US', [bits]],
    ['00280102', 'US', [bits - 1]],
    ['00280103', 'US', [0]],
    ['7fe00010', encoding.isEncapsulated === true ? 'OB' : 'OW', pixelData(encoding, seed, frames, bits)],
  ]
}

/** Compressed frames are no images: nothing on the way may look into them. */
function pixelData(encoding: Encoding, seed: number, frames: number, bits: 8 | 16): Value {
  const samples = randomBytes(seed, SIDE * SIDE * frames * (bits / 8))
  if (encoding.isEncapsulated === true) {
    return { fragments: Array.from({ length: frames }, (_, frame) => Buffer.from(samples.subarray(frame * 16, frame * 16 + 16))) }
  }
  return Array.from({ length: samples.length / 2 }, (_, index) => samples.readUInt16LE(index * 2))
}

/** The same bytes for the same seed: xorshift (Marsaglia 2003). */
export function randomBytes(seed: number, count: number): Buffer {
  const next = random(seed)
  return Buffer.from(Array.from({ length: count }, () => next(256)))
}

/** Numbers below a limit, the same ones for the same seed. */
export function random(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 88172645) >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}
