// Objects that are all different, and cheap to make.
import { randomBytes } from 'node:crypto'
import { TransferSyntax, encodeDataSet } from '@dicomtap/framework'
import { sampleDataset } from '@dicomtap/framework/testing'

const POOL = randomBytes(8 * 1024 * 1024)
const INSTANCES_PER_STUDY = 50
const ROOT = `2.25.${BigInt(`0x${randomBytes(8).toString('hex')}`)}`
const TEMPLATE = sampleDataset('ct')
let count = 0

/** Mostly small, now and then one of up to two megabytes. */
export function someBytes(random) {
  return random.one([2_000, 2_000, 6_000, 6_000, 15_000, 15_000, 40_000, 100_000, random.once(20) ? 2_000_000 : 30_000])
}

/** @returns {Promise<{ sopClassUid: string, sopInstanceUid: string, transferSyntaxUid: string, dataSet: Buffer }>} */
export async function makeObject(random, bytes = someBytes(random)) {
  const number = ++count
  const study = Math.floor(number / INSTANCES_PER_STUDY)
  const sopInstanceUid = `${ROOT}.${study}.1.${number}`
  const from = random.below(POOL.length - bytes) & ~1
  const transferSyntaxUid = random.one([TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian])
  const dataset = {
    ...TEMPLATE,
    SOPInstanceUID: sopInstanceUid,
    StudyInstanceUID: `${ROOT}.${study}`,
    SeriesInstanceUID: `${ROOT}.${study}.1`,
    Rows: 1_000,
    Columns: Math.ceil(bytes / 2_000),
    PixelData: POOL.subarray(from, from + bytes),
  }
  return { sopClassUid: TEMPLATE.SOPClassUID, sopInstanceUid, transferSyntaxUid, dataSet: await encodeDataSet(dataset, transferSyntaxUid) }
}
