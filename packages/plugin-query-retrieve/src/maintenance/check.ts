import type { InstanceIndex } from '../database/instance-index.ts'
import type { InstanceReader } from './read-instance.ts'
import type { Reindexer } from './reindexer.ts'
import type { IndexedInstance } from '../model/instance.ts'
import { compareFolderAndIndex, isSameFile, statusOf } from './compare.ts'
import type { UnreadableFolder } from './walk-folder.ts'

/**
 * What is wrong with a path. `unindexed`: a file without a row. `missing`: a row without a file. `changed`: the file
 * is not the one that the row was made of. `differs`: it is, and its attributes are others (`isDeep`). `unusable`: a
 * file that cannot be in the index.
 */
export type DifferenceKind = 'unindexed' | 'missing' | 'changed' | 'differs' | 'unusable'

export interface Difference {
  readonly kind: DifferenceKind
  readonly path: string
  /** In words without anything of the patient. */
  readonly detail: string
  readonly isRepaired: boolean
}

export interface CheckOptions {
  readonly root: string
  readonly index: InstanceIndex
  readonly reader: InstanceReader
  readonly reindexer: Reindexer
  readonly signal: AbortSignal
  /** Reads every file, and compares what is in it. */
  readonly isDeep: boolean
  readonly isRepairing: boolean
  readonly onProgress: (files: number) => void
  readonly onDifference: (difference: Difference) => Promise<void> | void
  readonly onUnreadable: (folder: UnreadableFolder) => void
}

export interface CheckResult {
  readonly files: number
  readonly rows: number
  /** Differences by their kind; those that were repaired too. */
  readonly counts: Readonly<Record<DifferenceKind, number>>
  readonly repaired: number
  /** Older files of an instance that was stored several times: they have no row, and are right so. */
  readonly superseded: number
}

const DEEP_AT_ONCE = 200

/** Compares a folder with the index, path by path; a server may store meanwhile. */
export async function checkIndex(options: CheckOptions): Promise<CheckResult> {
  const { root, index, reindexer, signal, onUnreadable } = options
  const counts: Record<DifferenceKind, number> = { unindexed: 0, missing: 0, changed: 0, differs: 0, unusable: 0 }
  let [files, rows, repaired, superseded] = [0, 0, 0, 0]

  const deep: string[] = []
  const report = async (kind: DifferenceKind, path: string, detail: string, repair?: () => Promise<unknown>): Promise<void> => {
    counts[kind] += 1
    const isRepaired = options.isRepairing && repair !== undefined
    if (isRepaired) {
      await repair()
      repaired += 1
    }
    await options.onDifference({ kind, path, detail, isRepaired })
  }
  const settling = (path: string) => () => reindexer.settle(path)

  for await (const compared of compareFolderAndIndex({ root, index, signal, onUnreadable })) {
    const { kind, path } = compared
    if (kind !== 'missing') files += 1
    if (kind !== 'unindexed') rows += 1
    options.onProgress(files)
    if (kind === 'unindexed') {
      const found = await whyUnindexed(options, path)
      if (found === 'superseded') superseded += 1
      else if (found === 'unindexed') await report('unindexed', path, 'no row', settling(path))
      else if (found !== 'right') await report('unusable', path, found.reason)
      continue
    }
    const status = await statusOf(root, path)
    if (status === 'gone') {
      if ((await index.knownPaths([path])).size > 0) await report('missing', path, 'no file', () => reindexer.forget([path]))
    } else if ('code' in status) {
      await report('unusable', path, `it cannot be looked at (${status.code})`)
    } else {
      const row = 'row' in compared ? compared.row : undefined
      if (row !== undefined && row.sizeBytes !== status.size) await report('changed', path, `${status.size} bytes, ${row.sizeBytes} in the index`, settling(path))
      else if (row !== undefined && !isSameFile(row, status)) await report('changed', path, 'it was written since', settling(path))
      else if (options.isDeep) {
        deep.push(path)
        if (deep.length >= DEEP_AT_ONCE) await deepCheck()
      }
    }
  }
  await deepCheck()

  async function deepCheck(): Promise<void> {
    const instances: IndexedInstance[] = []
    for (const path of deep.splice(0)) {
      const read = await options.reader.read(path)
      if ('instance' in read) instances.push(read.instance)
      else await report('unusable', path, read.reason)
    }
    for (const [path, difference] of await differencesOf(index, instances)) await report('differs', path, difference, settling(path))
  }

  return { files, rows, counts, repaired, superseded }
}

/** A file that had no row a moment ago. */
async function whyUnindexed(
  { root, index, reader, reindexer }: CheckOptions,
  path: string,
): Promise<'right' | 'superseded' | 'unindexed' | { readonly reason: string }> {
  const read = await reader.read(path)
  if ((await index.knownPaths([path])).size > 0 || (await statusOf(root, path)) === 'gone') return 'right'
  if (!('instance' in read)) return { reason: read.reason }
  return (await reindexer.supersededOf([read.instance])).has(path) ? 'superseded' : 'unindexed'
}

/** Where rows say something else than their files; the names of what differs, never values. */
async function differencesOf(index: InstanceIndex, instances: readonly IndexedInstance[]): Promise<ReadonlyMap<string, string>> {
  const differences = new Map<string, string>()
  if (instances.length === 0) return differences
  const byPath = new Map(instances.map((instance) => [instance.path, instance]))
  const query = index.database
    .selectFrom('instance')
    .innerJoin('series', 'series.id', 'instance.series')
    .innerJoin('study', 'study.id', 'series.study')
    .select([
      'instance.path as path',
      'instance.sop_instance_uid as sopInstanceUid',
      'instance.sop_class_uid as sopClassUid',
      'instance.transfer_syntax_uid as transferSyntaxUid',
      'instance.attributes as attributes',
      'series.series_instance_uid as seriesInstanceUid',
      'study.study_instance_uid as studyInstanceUid',
    ])
    .where('instance.path', 'in', [...byPath.keys()])
  for await (const row of index.rows(query)) {
    const instance = byPath.get(row.path)
    if (instance === undefined) continue
    const names = ['sopInstanceUid', 'sopClassUid', 'transferSyntaxUid', 'seriesInstanceUid', 'studyInstanceUid'] as const
    const different: string[] = names.filter((name) => row[name] !== instance[name])
    different.push(...differentAttributes(row.attributes, instance.instance.attributes))
    if (different.length > 0) differences.set(row.path, different.join(', '))
  }
  return differences
}

function differentAttributes(row: string, file: string): string[] {
  if (row === file) return []
  try {
    const [a, b] = [JSON.parse(row) as Record<string, unknown>, JSON.parse(file) as Record<string, unknown>]
    const names = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...names].filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]))
  } catch {
    return ['attributes']
  }
}
