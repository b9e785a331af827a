import { resolve } from 'node:path'
import { Command } from 'commander'
import { OWN_COMMANDS } from '../own-commands.ts'
import { note } from '../output/terminal.ts'
import { findPluginCommands } from './find.ts'
import type { FoundCommand } from './find.ts'
import { FIRST_PARTY_COMMANDS, notInstalled } from './first-party.ts'

const HEADING = 'Commands of plugins:'

/**
 * Adds the commands of plugins that a command line asks for: the one that it names, loaded; all of them, by name
 * only, to a list of commands. Commands of dicomtap itself wait for none of it.
 *
 * @returns what to tell instead of running anything: the command is known, its plugin is not installed
 * @throws DICOMTAP_ERR_PLG_COMMAND
 */
export async function addPluginCommands(program: Command, args: readonly string[], exit: (code: number) => void): Promise<string | undefined> {
  const asked = askedFor(args)
  if (asked !== undefined && OWN_COMMANDS.has(asked)) return undefined
  const { commands, problems } = await findPluginCommands(configFileOf(args))
  if (asked === undefined) {
    for (const command of commands.values()) program.addCommand(listed(command))
    for (const problem of problems.values()) note(`warning: ${problem}`)
    return undefined
  }
  const found = commands.get(asked)
  const problem = problems.get(asked)
  if (found === undefined && problem !== undefined) throw await commandError(problem)
  if (found === undefined) return notInstalled(asked)
  program.enablePositionalOptions().addCommand(await build(found, exit))
  return undefined
}

/** What runs a command is loaded with it: a list of commands needs neither the framework nor a configuration. */
async function build(found: FoundCommand, exit: (code: number) => void): Promise<Command> {
  const [{ loadCommand }, { buildCommand }, { runPluginCommand }] = await Promise.all([import('./load.ts'), import('./build.ts'), import('./run.ts')])
  const definition = await loadCommand(found)
  try {
    return buildCommand(definition, async (one, parsed) => exit(await runPluginCommand(one, parsed)))
  } catch (error) {
    throw await commandError(`dicomtap ${found.name} of ${found.package}: ${(error as Error).message}`, error)
  }
}

async function commandError(message: string, cause?: unknown): Promise<Error> {
  const { DicomtapError } = await import('@dicomtap/framework')
  return new DicomtapError('DICOMTAP_ERR_PLG_COMMAND', message, { cause })
}

function listed({ name, package: from }: FoundCommand): Command {
  const own = FIRST_PARTY_COMMANDS[name]
  return new Command(name).description(own?.package === from ? own.summary : `Comes with ${from}.`).helpGroup(HEADING)
}

/** The command that is named, also after `help`; undefined for a list of commands. */
function askedFor(args: readonly string[]): string | undefined {
  const [first, second] = args
  const name = first === 'help' ? second : first
  return name === undefined || name.startsWith('-') ? undefined : name
}

/** The file whose folder the plugins belong to: that of --config, else any in the working folder. */
function configFileOf(args: readonly string[]): string {
  for (const [index, arg] of args.entries()) {
    if (arg === '--') break
    if (arg === '--config' || arg === '-c') return resolve(args[index + 1] ?? 'dicomtap.config.yaml')
    if (arg.startsWith('--config=')) return resolve(arg.slice('--config='.length))
  }
  return resolve('dicomtap.config.yaml')
}
