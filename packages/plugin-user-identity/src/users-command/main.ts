import { CommanderError } from 'commander'
import { Cancelled } from './read-passcode.ts'
import { createProgram } from './program.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_CANCELLED = 130

/** Runs the command line `args` and sets the exit code of the process. */
export async function main(args: readonly string[]): Promise<void> {
  const program = createProgram({
    add: async (...given) => (await import('./actions.ts')).add(...given),
    list: async (...given) => (await import('./actions.ts')).list(...given),
    remove: async (...given) => (await import('./actions.ts')).remove(...given),
    verify: async (...given) => (await import('./actions.ts')).verify(...given),
  })
  for (const command of [program, ...program.commands]) command.exitOverride()
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = report(error)
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  if (error instanceof Cancelled) {
    process.stderr.write('Cancelled; nothing was changed.\n')
    return EXIT_CANCELLED
  }
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  return EXIT_FAILURE
}
