import { Option } from 'commander'
import type { Command } from 'commander'
import { addConnectionOptions, CONNECTION_HELP, SCU_EXIT_CODES } from './options.ts'
import type { ConnectionOptions, Target } from './options.ts'
import { integer, parseDuration } from './parse-values.ts'
import { parseTarget } from './target.ts'

export interface EchoOptions extends ConnectionOptions {
  /** 0: until Ctrl-C. */
  readonly repeat: number
  /** Milliseconds. */
  readonly interval: number
  readonly abort?: boolean
}
export interface StoreOptions extends ConnectionOptions {
  readonly recurse: boolean
  readonly associations: number
  readonly retries: number
  readonly priority: 'medium' | 'high' | 'low'
  readonly convert?: boolean
  readonly stopOnError?: boolean
  readonly dryRun?: boolean
  readonly report?: string
}

/** What the SCU commands of this file do with their parsed options; the answer is the exit code. */
export interface ScuActions {
  echo(target: Target, options: EchoOptions): Promise<number>
  store(target: Target, paths: readonly string[], options: StoreOptions): Promise<number>
}

/** A command that acts as SCU: its first argument says whom to associate with. */
export function scuCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`Run "dicomtap ${name} --help" to see what it takes.`)
    .argument('<host:port>', 'whom to associate with, e.g. localhost:11112 or PACS@10.0.0.5:104', parseTarget)
}

export function addScuCommands(program: Command, actions: ScuActions, exit: (code: number) => void): void {
  const echo = scuCommand(program, 'echo')
    .description('Verify that a peer can be reached and answers (C-ECHO).')
    .addOption(new Option('-n, --repeat <number>', 'how often; 0 goes on until Ctrl-C').default(1).argParser(integer(0)))
    .addOption(new Option('-i, --interval <time>', 'time between two').default(1000, '1').argParser(parseDuration))
    .option('--abort', 'end with an A-ABORT instead of a release, to see what the peer makes of it')
  addConnectionOptions(echo)
    .addHelpText(
      'after',
      `
Examples:
  dicomtap echo localhost:11112
  dicomtap echo PACS@10.0.0.5:104 --aet WORKSTATION --repeat 5
  dicomtap echo pacs.example.org --tls-ca hospital.pem --user jane --ask-passcode
${CONNECTION_HELP}
${SCU_EXIT_CODES}`,
    )
    .action(async (target: Target, options: EchoOptions) => exit(await actions.echo(target, options)))

  const store = scuCommand(program, 'store')
    .description('Send DICOM files, and the files in folders (C-STORE).')
    .argument('<path...>', 'files and folders')
    .option('--no-recurse', 'leave out the folders within folders')
    .addOption(new Option('--associations <number>', 'associations to send on side by side').default(1).argParser(integer(1, 64)))
    .option('--convert', 'convert uncompressed files where the peer does not take the transfer syntax that they have')
    .addOption(new Option('--priority <priority>', 'what the peer is asked for').choices(['low', 'medium', 'high']).default('medium'))
    .addOption(new Option('--retries <number>', 'associations in a row that may be lost without a file answered').default(3).argParser(integer(0, 1000)))
    .option('--stop-on-error', 'end with the first file that fails')
    .option('--dry-run', 'look at the files and say what would be sent; connect nowhere')
    .option('--report <file>', 'write what became of each file, a line of JSON each')
  addConnectionOptions(store)
    .addHelpText(
      'after',
      `
Files are sent byte by byte as they are. What is not DICOM is skipped, and so are DICOMDIRs. A file counts as
stored when the peer said so. After a lost association the rest is sent on another one.

Examples:
  dicomtap store PACS@10.0.0.5:104 ./study
  dicomtap store localhost:11112 a.dcm b.dcm --verbose
  dicomtap store localhost:11112 ./archive --associations 4 --report sent.jsonl
  dicomtap store localhost:11112 ./study --dry-run
${CONNECTION_HELP}
${SCU_EXIT_CODES}`,
    )
    .action(async (target: Target, paths: readonly string[], options: StoreOptions) => exit(await actions.store(target, paths, options)))
}
