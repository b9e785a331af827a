import { CommanderError } from 'commander'
import type { Command } from 'commander'
import { EXIT_USAGE } from './output/exit-codes.ts'
import { OWN_COMMANDS } from './own-commands.ts'
import { createProgram } from './program.ts'
import { limitYoungGeneration } from './young-generation.ts'

/**
 * Runs the command line `args` and ends the process with its exit code. Each command's code is loaded
 * when it is asked for: `--help` must not wait for the parts that start a server.
 */
export async function main(args: readonly string[]): Promise<void> {
  // A reader that goes away (`dicomtap hooks | head`) or a lost terminal must not end a server.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const program = createProgram(
    {
      async start(options) {
        // Before the framework is loaded, which alone makes it grow.
        limitYoungGeneration()
        return (await import('./commands/start.ts')).start(options)
      },
      check: async (options) => (await import('./commands/check.ts')).check(options),
      hooks: async (name, options) => (await import('./commands/hooks.ts')).hooks(name, options),
      plugins: async (options) => (await import('./commands/plugins.ts')).plugins(options),
      schema: async (options) => (await import('./commands/schema.ts')).schema(options),
      echo: async (target, options) => (await import('./commands/echo.ts')).echo(target, options),
      store: async (target, paths, options) => (await import('./commands/store.ts')).store(target, paths, options),
      find: async (target, keys, options) => (await import('./commands/find.ts')).find(target, keys, options),
      get: async (target, keys, options) => (await import('./commands/get.ts')).get(target, keys, options),
      move: async (target, keys, options) => (await import('./commands/move.ts')).move(target, keys, options),
    },
    finish,
  )
  try {
    if (!isOwn(args[0])) {
      const { addPluginCommands } = await import('./plugin-commands/register.ts')
      const instead = await addPluginCommands(program, args, finish)
      if (instead !== undefined) {
        process.stderr.write(`error: ${instead}\n`)
        return finish(EXIT_USAGE)
      }
    }
    overrideExit(program)
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) finish(error.exitCode === 0 ? 0 : EXIT_USAGE)
    else {
      const { exitCodeOf, reportError } = await import('./output/report-error.ts')
      reportError(error, args.includes('--verbose'))
      finish(exitCodeOf(error))
    }
  }
}

/** A command of dicomtap itself, or an option that is answered without the list of commands. */
function isOwn(first: string | undefined): boolean {
  return first === '--version' || first === '-V' || (first !== 'help' && OWN_COMMANDS.has(first ?? ''))
}

function overrideExit(command: Command): void {
  command.exitOverride()
  for (const one of command.commands) overrideExit(one)
}

/** Exits after what was printed is written, even when a plugin left a timer or a socket open. */
function finish(code: number): void {
  process.exitCode = code
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}
