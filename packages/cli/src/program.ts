import { Command, InvalidArgumentError, Option } from 'commander'
import { EXIT_CODES } from './output/exit-codes.ts'
import { addQueryCommands } from './query/register.ts'
import type { QueryActions } from './query/register.ts'
import { parseAeTitle } from './scu/parse-values.ts'
import { addScuCommands } from './scu/program.ts'
import type { ScuActions } from './scu/program.ts'
import { VERSION } from './version.ts'

const CONFIG_HELP = `
The configuration is dicomtap.config.{ts,mts,mjs,js,cjs,json,yaml,yml}, .dicomtaprc.{json,yaml} or the key
"dicomtap" of package.json in this folder; no other folder is searched.`

/** Parsed options of every command that reads the configuration. */
export interface ConfigOptions {
  readonly config?: string
  readonly verbose?: boolean
}
export interface StartOptions extends ConfigOptions {
  readonly port?: number
  readonly aeTitle?: string
  readonly logLevel?: string
  readonly workers?: number | 'auto'
}
export interface JsonOptions extends ConfigOptions {
  readonly json?: boolean
}
export interface CheckOptions extends JsonOptions {
  readonly ports?: boolean
}
export interface HooksOptions extends JsonOptions {
  readonly all?: boolean
}
export interface SchemaOptions extends ConfigOptions {
  readonly plugins: boolean
}

/** What each command does with its parsed options; the answer is the exit code. */
export interface Actions extends ScuActions, QueryActions {
  start(options: StartOptions): Promise<number>
  check(options: CheckOptions): Promise<number>
  hooks(name: string | undefined, options: HooksOptions): Promise<number>
  plugins(options: JsonOptions): Promise<number>
  schema(options: SchemaOptions): Promise<number>
}

/** The command line: names, options and help, without what they do. */
export function createProgram(actions: Actions, exit: (code: number) => void): Command {
  const program = new Command('dicomtap')
    .description('Runs and inspects a DICOM server made of plugins, and talks to others.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('Run "dicomtap --help" to see what there is.')
    .addHelpText(
      'after',
      `
Examples:
  dicomtap start                 run the server of this folder
  dicomtap check                 is the configuration right? what does it come to?
  dicomtap hooks                 which plugin acts where, in which order
  dicomtap echo localhost:11112  does a peer answer?
  dicomtap start --help          the options of a command

No configuration yet? npm create dicomtap@latest my-scp

${EXIT_CODES}`,
    )

  command(program, 'start')
    .description('Run the server until it is told to stop.')
    .addOption(new Option('-p, --port <number>', 'port of the first listener, instead of the one configured').argParser(parsePort))
    .addOption(new Option('-a, --ae-title <title>', 'AE title, instead of the one configured').argParser(parseAeTitle))
    .addOption(
      new Option('-l, --log-level <level>', 'how much is logged, instead of what is configured')
        .choices(['error', 'warn', 'info', 'debug', 'trace', 'silent']),
    )
    .addOption(
      new Option('-w, --workers <number>', 'processes that share the work, or auto: one for each core; instead of what is configured').argParser(parseWorkers),
    )
    .addHelpText(
      'after',
      `
Examples:
  dicomtap start
  dicomtap start --config /etc/dicomtap/archive.yaml
  dicomtap start --port 11113 --log-level debug
  dicomtap start --workers auto

When it can be reached it prints one line on stdout. Logs go to stderr.
  Ctrl-C, SIGTERM   finish what runs, refuse what is new, exit 0; a second one aborts at once, exit 130 or 143
  SIGHUP            read the configuration again
${CONFIG_HELP}

${EXIT_CODES}`,
    )
    .action(async (options: StartOptions) => exit(await actions.start(options)))

  command(program, 'check')
    .description('Check the configuration and print what it comes to, without opening a port.')
    .option('--ports', 'also check that the ports can be opened')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Loads and starts the plugins as "start" would, except that nothing listens. Secrets are not printed. Plugins tell
what they find, e.g. a certificate about to expire; an error among it is exit code 1.

Examples:
  dicomtap check
  dicomtap check --ports --config /etc/dicomtap/archive.yaml
  dicomtap check --json | jq .plugins
${CONFIG_HELP}

${EXIT_CODES}`,
    )
    .action(async (options: CheckOptions) => exit(await actions.check(options)))

  command(program, 'hooks')
    .description('Show each hook with the plugins that act on it, in order, or explain one hook.')
    .argument('[name]', 'a hook, e.g. cStore')
    .option('--all', 'also the hooks that no plugin uses')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  dicomtap hooks                 the hooks in use
  dicomtap hooks --all           every hook there is
  dicomtap hooks cStore          when it fires, what a handler gets and gives
${CONFIG_HELP}

${EXIT_CODES}`,
    )
    .action(async (name: string | undefined, options: HooksOptions) => exit(await actions.hooks(name, options)))

  command(program, 'plugins')
    .description('List the plugins that are loaded, and those installed but not loaded.')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Installed means: a dependency in the package.json of the project with the keyword dicomtap-plugin.

Examples:
  dicomtap plugins
  dicomtap plugins --json
${CONFIG_HELP}

${EXIT_CODES}`,
    )
    .action(async (options: JsonOptions) => exit(await actions.plugins(options)))

  command(program, 'schema')
    .description('Print the JSON Schema of the configuration, for editors.')
    .option('--no-plugins', 'leave out the options of the plugins installed here')
    .addHelpText(
      'after',
      `
Examples:
  dicomtap schema > dicomtap.schema.json
and as first line of dicomtap.config.yaml:
  # yaml-language-server: $schema=./dicomtap.schema.json
The schema without plugins comes with the package:
  # yaml-language-server: $schema=./node_modules/@dicomtap/cli/schema.json

${EXIT_CODES}`,
    )
    .action(async (options: SchemaOptions) => exit(await actions.schema(options)))

  addScuCommands(program, actions, exit)
  addQueryCommands(program, actions, exit)
  return program
}

function command(program: Command, name: string): Command {
  return program
    .command(name)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`Run "dicomtap ${name} --help" to see what it takes.`)
    .option('-c, --config <file>', 'the configuration file')
    .option('--verbose', 'print the stack of an error too')
}

/** The same limit as in the configuration. */
const MAXIMUM_WORKERS = 64

function parseWorkers(value: string): number | 'auto' {
  const workers = Number(value)
  if (value === 'auto') return value
  if (!/^\d{1,2}$/u.test(value) || workers < 1 || workers > MAXIMUM_WORKERS) throw new InvalidArgumentError(`auto, or a number from 1 to ${MAXIMUM_WORKERS}.`)
  return workers
}

function parsePort(value: string): number {
  const port = Number(value)
  if (!/^\d{1,5}$/u.test(value) || port > 65535) throw new InvalidArgumentError('A port is a number from 0 to 65535; 0 picks a free one.')
  return port
}
