import type { InstanceIndex } from '../database/instance-index.ts'
import { GRACE_MS, type RetentionRule } from './retention-rule.ts'

/** Studies that are asked of the database at a time. */
const PAGE = 200

/** A study that is due. */
export interface DueStudy {
  readonly id: number
  readonly studyInstanceUid: string
  /** When the instance that came last was stored. */
  readonly lastStoredAtMs: number
  readonly sizeBytes: number
  /** Which part of the rule it is deleted by. */
  readonly why: 'age' | 'size'
}

/** What all stored files take. */
export async function storedBytes(index: InstanceIndex, signal?: AbortSignal): Promise<number> {
  const query = index.database.selectFrom('study').select(({ fn }) => fn.sum<number | string | null>('study.size_bytes').as('bytes'))
  for await (const { bytes } of index.rows(query, signal)) return Number(bytes ?? 0)
  return 0
}

/**
 * The studies that a rule deletes now, those that nothing was added to for longest first. One range of the index of
 * studies by that time is read, as far as the rule goes: neither instances nor younger studies are looked at.
 *
 * @param isSpared studies to pass over: what they take counts as there.
 */
export async function* dueStudies(
  index: InstanceIndex,
  rule: Pick<RetentionRule, 'maximumAgeMs' | 'maximumBytes'>,
  options: { readonly nowMs?: number; readonly signal?: AbortSignal | undefined; readonly isSpared?: (study: Omit<DueStudy, 'why'>) => boolean } = {},
): AsyncGenerator<DueStudy, void, undefined> {
  const { nowMs = Date.now(), signal, isSpared = () => false } = options
  const { maximumAgeMs, maximumBytes } = rule
  const graceMs = nowMs - GRACE_MS
  const tooOldMs = maximumAgeMs === undefined ? Number.NEGATIVE_INFINITY : Math.min(nowMs - maximumAgeMs, graceMs)
  let excessBytes = maximumBytes === undefined ? 0 : (await storedBytes(index, signal)) - maximumBytes
  let after: { readonly atMs: number; readonly id: number } | undefined
  for (;;) {
    const page = await studiesAfter(index, after, Math.floor(excessBytes > 0 ? graceMs : tooOldMs), signal)
    for (const study of page) {
      const isTooOld = study.lastStoredAtMs < tooOldMs
      if (!isTooOld && excessBytes <= 0) return
      if (isSpared(study)) continue
      excessBytes -= study.sizeBytes
      yield { ...study, why: isTooOld ? 'age' : 'size' }
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = { atMs: last.lastStoredAtMs, id: last.id }
  }
}

/** A page at a time, so that no cursor stays open while studies are deleted. */
async function studiesAfter(
  index: InstanceIndex,
  after: { readonly atMs: number; readonly id: number } | undefined,
  beforeMs: number,
  signal: AbortSignal | undefined,
): Promise<Omit<DueStudy, 'why'>[]> {
  if (!Number.isFinite(beforeMs)) return []
  let query = index.database
    .selectFrom('study')
    .select(['study.id', 'study.study_instance_uid', 'study.last_stored_at_ms', 'study.size_bytes'])
    .where('study.last_stored_at_ms', '<', beforeMs)
    .orderBy('study.last_stored_at_ms')
    .orderBy('study.id')
    .limit(PAGE)
  if (after !== undefined) {
    const { atMs, id } = after
    query = query
      // Said once more, so that the database goes straight there.
      .where('study.last_stored_at_ms', '>=', atMs)
      .where((where) => where.or([where('study.last_stored_at_ms', '>', atMs), where('study.id', '>', id)]))
  }
  const studies: Omit<DueStudy, 'why'>[] = []
  for await (const row of index.rows(query, signal)) {
    studies.push({
      id: row.id,
      studyInstanceUid: row.study_instance_uid,
      lastStoredAtMs: row.last_stored_at_ms,
      sizeBytes: row.size_bytes,
    })
  }
  return studies
}
