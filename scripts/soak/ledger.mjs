// What was sent, and whether it is there in the end.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodePart10Header } from '@dicomtap/framework'

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Instances by SOP Instance UID. */
export class Ledger {
  #sent = new Map()
  acknowledged = 0

  /** To be called before anything is sent. */
  sending(sopInstanceUid, dataSet) {
    this.#sent.set(sopInstanceUid, { sha256: sha256(dataSet), isAcknowledged: false })
  }

  /** The answer was 0000. */
  acknowledge(sopInstanceUid) {
    this.#sent.get(sopInstanceUid).isAcknowledged = true
    this.acknowledged++
  }

  toJSON() {
    return [...this.#sent].map(([uid, { sha256: digest, isAcknowledged }]) => [uid, digest, isAcknowledged])
  }
}

/**
 * @param {string} directory of plugin-storage
 * @param {[string, string, boolean][]} ledgers as they are in JSON
 * @returns {{ acknowledged: number, lost: string[], damaged: string[], unfinished: string[], files: number }} lost:
 * answered 0000 and not there; damaged: there, and not what was sent; unfinished: left over of what was broken off
 */
export function verifyStored(directory, ledgers) {
  const sent = new Map(ledgers.map(([uid, digest, isAcknowledged]) => [uid, { digest, isAcknowledged }]))
  const found = new Set()
  const result = { acknowledged: 0, lost: [], damaged: [], unfinished: [], files: 0 }
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    if (path.includes('/.dicomtap/partial/')) result.unfinished.push(path)
    if (!entry.name.endsWith('.dcm')) continue
    result.files++
    const expected = check(path, sent)
    if (expected === 'damaged') result.damaged.push(path)
    else if (expected !== undefined) found.add(expected)
  }
  for (const [uid, { isAcknowledged }] of sent) {
    if (!isAcknowledged) continue
    result.acknowledged++
    if (!found.has(uid)) result.lost.push(uid)
  }
  return result
}

/** Its SOP Instance UID when it is what was sent; undefined for what bad peers sent. */
function check(path, sent) {
  try {
    const bytes = readFileSync(path)
    const { meta, dataSetOffset } = decodePart10Header(bytes)
    const expected = sent.get(meta.sopInstanceUid)
    if (expected === undefined) return undefined
    return sha256(bytes.subarray(dataSetOffset)) === expected.digest ? meta.sopInstanceUid : 'damaged'
  } catch {
    return 'damaged'
  }
}
