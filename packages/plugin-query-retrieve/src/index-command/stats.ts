import type { CommandInvocation } from '@dicomtap/framework'
import type { InstanceIndex } from '../database/instance-index.ts'
import { migrations } from '../database/migrations.ts'
import { IndexSettings } from '../maintenance/settings.ts'
import { type OpenedIndex, withIndex } from './context.ts'
import { bytesText, number, print, printable } from './output.ts'

export function stats(invocation: CommandInvocation): Promise<number> {
  return withIndex(invocation, (opened) => run(invocation, opened), 'read')
}

async function run({ options, stdout }: CommandInvocation, { index, attributes, place }: OpenedIndex): Promise<number> {
  const settings = new IndexSettings(index)
  const [counts, dates, lastScan, fingerprint, unfinished] = [
    await index.counts(),
    await datesOf(index),
    await settings.lastScan(),
    await settings.fingerprint(),
    await settings.rebuild(),
  ]
  const isOutdated = fingerprint !== undefined && fingerprint !== attributes.fingerprint
  const found = {
    ...counts,
    ...dates,
    // It was brought to this version when it was opened.
    database: { kind: index.kind, place, bytes: counts.databaseBytes, schema: Object.keys(migrations(index.kind)).at(-1) ?? '' },
    lastScan: lastScan ?? null,
    isOutdated,
    isRebuildUnfinished: unfinished !== undefined,
  }
  await print(stdout, options['json'] === true ? `${JSON.stringify(found)}\n` : text(found))
  return 0
}

interface Dates {
  /** `YYYYMMDD`; null when no study has a date. */
  readonly oldestStudyDate: string | null
  readonly newestStudyDate: string | null
  /** When something was stored last, in milliseconds since 1970. */
  readonly lastStoredAtMs: number | null
}

async function datesOf({ database }: InstanceIndex): Promise<Dates> {
  const row = await database
    .selectFrom('study')
    .select([
      (eb) => eb.selectFrom('study as s').select((inner) => inner.fn.min('s.study_date').as('d')).where('s.study_date', '<>', '').as('oldest'),
      (eb) => eb.selectFrom('study as s').select((inner) => inner.fn.max('s.study_date').as('d')).where('s.study_date', '<>', '').as('newest'),
      (eb) => eb.selectFrom('study as s').select((inner) => inner.fn.max('s.last_stored_at_ms').as('d')).as('stored'),
    ])
    .limit(1)
    .executeTakeFirst()
  return {
    oldestStudyDate: row?.oldest ?? null,
    newestStudyDate: row?.newest ?? null,
    lastStoredAtMs: row?.stored ?? null,
  }
}

type Found = Awaited<ReturnType<InstanceIndex['counts']>> &
  Dates & {
    readonly database: { readonly kind: string; readonly place: string; readonly bytes: number; readonly schema: string }
    readonly lastScan: { readonly finishedAtMs: number; readonly added: number; readonly removed: number; readonly unusable: number } | null
    readonly isOutdated: boolean
    readonly isRebuildUnfinished: boolean
  }

function text(found: Found): string {
  const { patients, studies, series, instances, bytes, byModality, database, lastScan, oldestStudyDate, newestStudyDate, lastStoredAtMs } = found
  const rows: (readonly [string, string])[] = [
    ['Patients', number(patients)],
    ['Studies', `${number(studies)}${oldestStudyDate === null ? '' : `, from ${dateText(oldestStudyDate)} to ${dateText(newestStudyDate ?? oldestStudyDate)}`}`],
    ['Series', number(series)],
    ['Instances', `${number(instances)}, ${bytesText(bytes)}${lastStoredAtMs === null ? '' : `, the last one stored ${timeText(lastStoredAtMs)}`}`],
    ...byModality.map((one): readonly [string, string] => [
      `  ${one.modality === '' ? 'none' : printable(one.modality)}`,
      `${number(one.instances)} in ${number(one.series)} series, ${bytesText(one.bytes)}`,
    ]),
    ['Database', `${printable(database.place)}, ${bytesText(database.bytes)}, tables ${database.schema}`],
    [
      'Last scan',
      lastScan === null ? 'none' : `${timeText(lastScan.finishedAtMs)}: ${number(lastScan.added)} added, ${number(lastScan.removed)} removed, ${number(lastScan.unusable)} unusable`,
    ],
  ]
  const lines = rows.map(([name, value]) => `${name.padEnd(10)}  ${value}`)
  if (found.isRebuildUnfinished) lines.push('A rebuild did not come to its end: dicomtap index rebuild goes on where it stopped.')
  if (found.isOutdated) lines.push('The option attributes has changed since: run dicomtap index rebuild.')
  return `${lines.join('\n')}\n`
}

function dateText(date: string): string {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : printable(date)
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
