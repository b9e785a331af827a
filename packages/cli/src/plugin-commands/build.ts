import { Argument, Command, Option } from 'commander'
import type { CommandDefinition, CommandInvocation } from '@dicomtap/framework'
import { EXIT_CODES } from '../output/exit-codes.ts'

/** The parsed command line of a plugin's command. */
export interface ParsedCommand {
  readonly arguments: CommandInvocation['arguments']
  readonly options: Readonly<Record<string, unknown>>
}

/** Runs a definition with what was parsed. */
export type RunCommand = (definition: CommandDefinition, parsed: ParsedCommand) => Promise<void>

/** What no command of a plugin defines: every command has them. */
const COMMON = new Set(['--config', '-c', '--verbose', '--help', '-h'])

/**
 * The command line of a definition, with its commands within.
 *
 * @param path the command as it is called: `dicomtap peers`
 * @throws Error when the definition is not one
 */
export function buildCommand(definition: CommandDefinition, run: RunCommand, path: string = `dicomtap ${definition.name}`): Command {
  const { name, summary, help, arguments: args = [], options = [], commands = [] } = definition
  const command = new Command(name)
    .description(summary)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`Run "${path} --help" to see what it takes.`)
  // What stands behind a command is that command's, also where both know the option.
  if (commands.length > 0) command.helpCommand('help [command]', 'print the help of a command').enablePositionalOptions()
  for (const one of args) command.addArgument(new Argument(one.name, one.description))
  for (const one of options) {
    const option = new Option(one.flags, one.description)
    if ([option.long, option.short].some((flag) => flag !== undefined && COMMON.has(flag))) throw new Error(`${path}: every command has ${one.flags}`)
    if (one.choices !== undefined) option.choices(one.choices)
    if (one.default !== undefined) option.default(one.default, typeof one.default === 'string' ? one.default : JSON.stringify(one.default))
    command.addOption(option.makeOptionMandatory(one.required === true))
  }
  for (const one of commands) command.addCommand(buildCommand(one, run, `${path} ${one.name}`))
  if (definition.run !== undefined) {
    command
      .option('-c, --config <file>', 'the configuration file')
      .option('--verbose', 'print the stack of an error too')
      .action(async (...given: unknown[]) => {
        await run(definition, { arguments: given.slice(0, args.length) as CommandInvocation['arguments'], options: command.opts() })
      })
  } else if (commands.length === 0) throw new Error(`${path}: a command has run or commands`)
  return command.addHelpText('after', `${help === undefined ? '' : `\n${help.trim()}\n`}\n${EXIT_CODES}`)
}
