import type { DataSet, Dictionary } from '@dicomtap/framework'
import type { Reporter } from '../scu/reporter.ts'
import { jsonText, print } from '../output/terminal.ts'
import { columnsOf, elementAt, rawText, readableText } from './columns.ts'
import type { Column } from './columns.ts'
import { csvLine } from './csv.ts'
import { toDicomJson, toKeywordJson } from './dicom-json.ts'
import { singleValue } from './identifier.ts'
import { matchTable } from './match-table.ts'
import type { MatchTable } from './match-table.ts'
import type { PreparedQuery } from './prepare.ts'
import type { FindOptions } from './register.ts'
import { padEnd, printable, textWidth } from './text-width.ts'

/** Prints matches on stdout as they come. */
export interface MatchOutput {
  match(identifier: DataSet): void
  /** Prints what was kept back, to know how wide the columns are. */
  end(): void
}

/** The width of the columns is that of the first matches. */
const ROWS_TO_MEASURE = 100

/** The form that the options ask for: JSON, CSV, a list or, by default, a table. */
export function matchOutput(query: PreparedQuery, options: FindOptions, reporter: Reporter): MatchOutput {
  const { dictionary } = query
  const out = (text: string): void => reporter.progress.above(() => print(text))
  if (options.jsonDicom === true) return lines((match) => jsonText(toDicomJson(match, dictionary)), out)
  if (options.json === true) return lines((match) => jsonText(toKeywordJson(match, dictionary)), out)
  const columns = columnsOf(query.identifier, dictionary, query.defaults)
  if (options.csv === true || options.csvRaw === true) {
    let isFirst = true
    return lines((match) => {
      const header = isFirst ? `${csvLine(columns.map(({ title }) => title))}\n` : ''
      isFirst = false
      return header + csvLine(columns.map((column) => rawText(elementAt(match, column, dictionary))), options.csvRaw === true)
    }, out)
  }
  if (options.list === true) return listOutput(columns, dictionary, reporter, out)
  // What was given as one value is the same in every match: a UID of 60 characters is not worth its column.
  const isKnown = ({ vr, path: [first, ...inner] }: Column): boolean =>
    vr === 'UI' && inner.length === 0 && singleValue(query.identifier, first?.name ?? '') !== undefined
  return tableOutput(columns.filter((column) => !isKnown(column)), dictionary, options, reporter, out)
}

function lines(toLine: (match: DataSet) => string, out: (text: string) => void): MatchOutput {
  return { match: (identifier) => out(toLine(identifier)), end: () => {} }
}

function listOutput(
  columns: readonly Column[],
  dictionary: Dictionary,
  reporter: Reporter,
  out: (text: string) => void,
): MatchOutput {
  const width = Math.max(0, ...columns.map(({ title }) => textWidth(title)))
  let isFirst = true
  return lines((match) => {
    const text = columns.map((column) => {
      const value = printable(readableText(elementAt(match, column, dictionary), dictionary))
      return `${reporter.paint.out('bold', padEnd(column.title, width))}  ${value}`.trimEnd()
    })
    const gap = isFirst ? '' : '\n'
    isFirst = false
    return gap + text.join('\n')
  }, out)
}

function tableOutput(
  columns: readonly Column[],
  dictionary: Dictionary,
  options: FindOptions,
  reporter: Reporter,
  out: (text: string) => void,
): MatchOutput {
  const width = process.stdout.isTTY && options.wide !== true ? process.stdout.columns : undefined
  const paint = { bold: (text: string) => reporter.paint.out('bold', text), dim: (text: string) => reporter.paint.out('dim', text) }
  let waiting: string[][] = []
  let table: MatchTable | undefined
  let shown = columns.map((_, index) => index)
  const flush = (isAll: boolean): void => {
    if (waiting.length === 0) return
    // Only when all matches are known is it known that a column stays empty.
    if (table === undefined && isAll) {
      shown = shown.filter((index) => columns[index]?.isOptional !== true || waiting.some((cells) => cells[index] !== ''))
    }
    table ??= matchTable(
      shown.map((index) => ({ title: shortTitle(columns[index]?.title ?? ''), isUid: columns[index]?.vr === 'UI' })),
      { width, ...paint },
    )
    const text = table.lines(waiting.map((cells) => shown.map((index) => cells[index] ?? '')))
    waiting = []
    if (text.length > 0) out(text.join('\n'))
  }
  return {
    match(identifier) {
      waiting.push(columns.map((column) => printable(readableText(elementAt(identifier, column, dictionary), dictionary))))
      if (table !== undefined || waiting.length >= ROWS_TO_MEASURE) flush(false)
    },
    end: () => flush(true),
  }
}

/** Keywords that are much longer than what stands below them. */
const SHORT_TITLES: Readonly<Record<string, string>> = {
  PatientBirthDate: 'BirthDate',
  PatientSex: 'Sex',
  ModalitiesInStudy: 'Modalities',
  NumberOfPatientRelatedStudies: 'Studies',
  NumberOfPatientRelatedSeries: 'Series',
  NumberOfPatientRelatedInstances: 'Instances',
  NumberOfStudyRelatedSeries: 'Series',
  NumberOfStudyRelatedInstances: 'Instances',
  NumberOfSeriesRelatedInstances: 'Instances',
  NumberOfFrames: 'Frames',
  InstanceNumber: 'Number',
  SeriesNumber: 'Number',
  BodyPartExamined: 'BodyPart',
  ScheduledProcedureStepStartDate: 'StartDate',
  ScheduledProcedureStepStartTime: 'StartTime',
  ScheduledProcedureStepStartDateTime: 'Start',
  ScheduledProcedureStepDescription: 'StepDescription',
  ScheduledProcedureStepID: 'StepID',
  ScheduledProcedureStepPriority: 'Priority',
  ScheduledStationAETitle: 'Station',
  ScheduledPerformingPhysicianName: 'Performer',
  RequestedProcedureID: 'ProcedureID',
  RequestedProcedureDescription: 'Procedure',
  ProcedureStepState: 'State',
  ProcedureStepLabel: 'Label',
  InputReadinessState: 'Input',
}

function shortTitle(title: string): string {
  return Object.hasOwn(SHORT_TITLES, title) ? (SHORT_TITLES[title] ?? title) : title
}
