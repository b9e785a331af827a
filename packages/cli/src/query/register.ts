import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { addConnectionOptions, CONNECTION_HELP, SCU_EXIT_CODES } from '../scu/options.ts'
import type { ConnectionOptions, Target } from '../scu/options.ts'
import { collect, integer, parseAeTitle, parseMaximumBytes, parseMaximumObjects, parseNetworks } from '../scu/parse-values.ts'
import { scuCommand } from '../scu/program.ts'

/** Parsed options that `find`, `get` and `move` share. */
export interface QueryOptions extends ConnectionOptions {
  readonly key?: readonly string[]
  readonly file?: string
  readonly level?: string
  readonly model?: string
  readonly patient?: boolean
  readonly study?: boolean
  readonly psonly?: boolean
  readonly worklist?: boolean
  readonly ups?: boolean
  readonly relational?: boolean
  readonly enhanced?: boolean
  readonly charset?: string
  readonly cancelAfter?: number
}
export interface FindOptions extends QueryOptions {
  readonly defaultKeys?: boolean
  readonly dateTime?: boolean
  readonly fuzzy?: boolean
  readonly timezone?: boolean
  readonly emptyValues?: boolean
  readonly multipleValues?: boolean
  readonly limit?: number
  readonly list?: boolean
  readonly wide?: boolean
  readonly jsonDicom?: boolean
  readonly csv?: boolean
  readonly csvRaw?: boolean
  readonly write?: string
}
/** Of `get`, and of `move` with --receive. */
export interface ReceiveOptions extends QueryOptions {
  readonly output?: string
  readonly name?: string
  readonly overwrite?: boolean
  readonly ignore?: boolean
  /** Infinity is no limit. */
  readonly maxBytes?: number
  readonly maxObjects?: number
}
export interface GetOptions extends ReceiveOptions {
  readonly storageClasses?: readonly string[]
}
export interface MoveOptions extends ReceiveOptions {
  readonly destination?: string
  readonly receive?: ReceiveAddress
  readonly receiveFrom?: readonly string[]
}
export interface ReceiveAddress {
  readonly host: string | undefined
  readonly port: number
}

/** What the commands do with their parsed arguments; the answer is the exit code. */
export interface QueryActions {
  find(target: Target, keys: readonly string[], options: FindOptions): Promise<number>
  get(target: Target, keys: readonly string[], options: GetOptions): Promise<number>
  move(target: Target, keys: readonly string[], options: MoveOptions): Promise<number>
}

type Exit = (code: number) => void

const KEY_HELP = `
Keys: PatientID=123, PatientName=Doe*, PatientID alone to ask for it, 0010,0020=123, StudyDate=2026-01-01..2026-01-31,
StudyDate=today-7.., StudyTime=08:30..12:00, several values with a backslash, in quotes: 'Modality=CT\\MR'.
In sequences: ScheduledProcedureStepSequence[0].Modality=CT, or 0040,0100[0].0008,0060=CT. Private ones
with their VR: 0009,1001:LO=value. Put wildcards in quotes too.`

/** Adds `find`, `get` and `move`. */
export function addQueryCommands(program: Command, actions: QueryActions, exit: Exit): void {
  addFind(program, actions, exit)
  addGet(program, actions, exit)
  addMove(program, actions, exit)
}

function addFind(program: Command, actions: QueryActions, exit: Exit): void {
  const command = queryCommand(program, 'find', 'Query a server (C-FIND) and print the matches.')
  addQueryOptions(command, 'study, patient, patient-study, worklist, ups, hanging-protocol, ...', [
    new Option('-W, --worklist', 'the modality worklist: --model worklist'),
    new Option('-U, --ups', 'unified procedure steps: --model ups'),
  ])
  add(command, 'Query:', [
    new Option('--no-default-keys', 'ask for the keys given and no others, even when all of them have a value'),
    new Option('--date-time', 'negotiate that dates and times are matched together'),
    new Option('--fuzzy', 'negotiate that names are matched by sound'),
    new Option('--timezone', 'negotiate that times are adjusted to a time zone'),
    new Option('--empty-values', 'negotiate that "" matches attributes without a value'),
    new Option('--multiple-values', 'negotiate that a key may have several values'),
    new Option('--limit <n>', 'cancel after n matches').argParser(integer(1)),
  ])
  addConnectionOptions(command)
  add(command, 'Output:', [
    new Option('--list', 'one attribute per line instead of a table'),
    new Option('--wide', 'do not cut values on a terminal'),
    new Option('--csv', 'print CSV, with a header; what a spreadsheet would take for a formula gets an apostrophe'),
    new Option('--csv-raw', 'print CSV with every value as it was sent'),
    new Option('--json-dicom', 'as --json, in the DICOM JSON Model (PS3.18 F)'),
    new Option('--write <folder>', 'also write each match as a DICOM file: rsp0001.dcm, ...'),
  ])
  command
    .addHelpText(
      'after',
      `
Examples:
  dicomtap find pacs:104 PatientID=123
  dicomtap find ARCHIVE@pacs:104 'PatientName=Doe*' StudyDate=2026-01-01.. --limit 20
  dicomtap find pacs:104 --level SERIES StudyInstanceUID=1.2.3 Modality SeriesDescription
  dicomtap find ris:104 -W ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=today
  dicomtap find pacs:104 PatientID=123 --json | jq -r .StudyInstanceUID
${KEY_HELP}

When every key has a value, the attributes that are useful at that level are asked for too. --json prints one
object per match and line. Matches go to stdout, everything else to stderr; no match is no failure. When the
query fails, stdout has the matches that came before, or nothing: the exit code tells.
${CONNECTION_HELP}
${SCU_EXIT_CODES}`,
    )
    .action(async (target: Target, keys: readonly string[], options: FindOptions) => exit(await actions.find(target, keys, options)))
}

function addGet(program: Command, actions: QueryActions, exit: Exit): void {
  const command = queryCommand(program, 'get', 'Retrieve objects over the same association (C-GET) into a folder.')
  addQueryOptions(command, 'study, patient, patient-study, composite-instance, hanging-protocol, ...')
  addReceiveOptions(command, 'where the objects go (default: this folder)')
  add(command, 'Objects:', [
    new Option('--storage-classes <list>', 'which SOP classes to take: CT, MRImageStorage, UIDs (default: those most in use)').argParser(collect),
  ])
  addConnectionOptions(command)
  command
    .addHelpText(
      'after',
      `
Examples:
  dicomtap get pacs:104 StudyInstanceUID=1.2.3 --output study
  dicomtap get ARCHIVE@pacs:104 --level SERIES StudyInstanceUID=1.2.3 SeriesInstanceUID=1.2.3.4 -o series
  dicomtap get pacs:104 StudyInstanceUID=1.2.3 --storage-classes CTImageStorage,MRImageStorage --transfer-syntax all
  dicomtap get pacs:104 StudyInstanceUID=1.2.3 --name '{Modality}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm'
${RECEIVE_HELP}

One association has room for 128 presentation contexts, so not every SOP class is asked for in every transfer
syntax. With few --storage-classes, each transfer syntax gets a context of its own, and objects arrive
as the server has them.
${CONNECTION_HELP}
${SCU_EXIT_CODES}`,
    )
    .action(async (target: Target, keys: readonly string[], options: GetOptions) => exit(await actions.get(target, keys, options)))
}

function addMove(program: Command, actions: QueryActions, exit: Exit): void {
  const command = queryCommand(program, 'move', 'Have a server send objects to an AE (C-MOVE), or to this command.')
  addQueryOptions(command, 'study, patient, patient-study, composite-instance, hanging-protocol, ...')
  add(command, 'Destination:', [
    new Option('--move, --destination <title>', 'AE title that the objects are sent to; the server must know it').argParser(parseAeTitle),
    new Option('--receive <port>', 'be the destination: listen there, or at host:port, and write what comes').argParser(parseReceive),
    new Option('--receive-from <address>', 'take objects from this address or network only, e.g. 10.1.0.0/16; repeatable').argParser(parseNetworks),
  ])
  addReceiveOptions(command, 'with --receive: where the objects go (default: this folder)')
  addConnectionOptions(command)
  command
    .addHelpText(
      'after',
      `
Examples:
  dicomtap move pacs:104 --destination WORKSTATION StudyInstanceUID=1.2.3
  dicomtap move ARCHIVE@pacs:104 --aet ME --receive 11113 StudyInstanceUID=1.2.3 --output study

With --receive the destination is the AE title of this side, unless --destination says otherwise. The
server looks up host and port of that title in its own configuration. Only associations that call that title
are taken; where the server's objects come from is known best by you: --receive-from.
${RECEIVE_HELP}
${CONNECTION_HELP}
${SCU_EXIT_CODES}`,
    )
    .action(async (target: Target, keys: readonly string[], options: MoveOptions) => exit(await actions.move(target, keys, options)))
}

const RECEIVE_HELP = `
Objects are written as they come, byte by byte, and get their name when they are complete. What is there
already is kept. A limit that is reached ends the retrieval. Fields of --name: {SOPInstanceUID} {SOPClassUID} {StudyInstanceUID} {SeriesInstanceUID}
{PatientID} {PatientName} {AccessionNumber} {StudyDate} {Modality} {SeriesNumber} {InstanceNumber}.`

function queryCommand(program: Command, name: string, description: string): Command {
  return scuCommand(program, name).description(description).argument('[keys...]', 'what to look for')
}

function addQueryOptions(command: Command, models: string, more: readonly Option[] = []): void {
  add(command, 'Query:', [
    new Option('-k, --key <key>', 'a key, as among the arguments; repeatable').argParser(oneMore),
    new Option('-f, --file <file>', 'keys from a DICOM, JSON or YAML file; those of the command line go over them'),
    new Option('--level <level>', 'PATIENT, STUDY, SERIES or IMAGE (default: that of the deepest unique key)'),
    new Option('-m, --model <name>', `information model: ${models} or the UID of a SOP class (default: study)`),
    new Option('-P, --patient', 'patient root: --model patient'),
    new Option('-S, --study', 'study root: --model study'),
    new Option('-O, --psonly', 'patient/study only: --model patient-study'),
    ...more,
    new Option('--relational', 'negotiate relational queries: the unique keys of upper levels may be left out'),
    new Option('--enhanced', 'negotiate conversion between enhanced multi-frame and classic images'),
    new Option('--charset <name>', 'Specific Character Set of the keys, e.g. "ISO_IR 100" (default: ISO_IR 192 when needed)'),
    new Option('--cancel-after <n>', 'send C-CANCEL after n responses').argParser(integer(1)),
  ])
}

function addReceiveOptions(command: Command, where: string): void {
  add(command, 'Objects:', [
    new Option('-o, --output <folder>', where),
    new Option('--name <template>', 'name of each file below the folder (default: {SOPInstanceUID}.dcm)'),
    new Option('--overwrite', 'write objects again that are there already'),
    new Option('--ignore', 'take the objects and throw them away: nothing is written'),
    new Option('--max-bytes <bytes>', 'refuse what comes after so many, e.g. 500M, 20G; 0 is no limit (default: 100G)').argParser(parseMaximumBytes),
    new Option('--max-objects <number>', 'refuse what comes after so many; 0 is no limit (default: 100000)').argParser(parseMaximumObjects),
  ])
}

/** Unlike `collect` it leaves commas alone: values of keys have them. */
function oneMore(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

function add(command: Command, group: string, options: readonly Option[]): void {
  for (const option of options) command.addOption(option.helpGroup(group))
}

/** `11113`, `192.0.2.1:11113`, `[::1]:11113`; port 0 is a free one. */
export function parseReceive(text: string): ReceiveAddress {
  const [, bracketed, plain, port = ''] = /^(?:(?:\[([\da-f:.]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/iu.exec(text.trim()) ?? []
  if (port === '' || Number(port) > 65_535) throw new InvalidArgumentError('Write it as port or host:port, e.g. 11113.')
  return { host: bracketed ?? plain, port: Number(port) }
}
