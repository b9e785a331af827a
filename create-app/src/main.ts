import { CommanderError } from 'commander'
import { Cancelled, collectAnswers } from './answers.ts'
import type { Answers } from './answers.ts'
import { findTarballs } from './manifest.ts'
import { installCommand, runCommand } from './package-manager.ts'
import { createProgram, VERSION } from './program.ts'
import type { Flags } from './program.ts'
import { initGit, run } from './run.ts'
import { assertFree, portsInWords, scaffold, shellWord } from './scaffold.ts'
import { CERTIFICATES_SCRIPT } from './security.ts'
import { SERVICES } from './services.ts'
import { openScreen } from './screen.ts'
import type { Screen } from './screen.ts'
import { undoOnExit } from './undo.ts'
import type { Undo } from './undo.ts'
import { UsageError } from './validate.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_CANCELLED = 130

/** Runs the command line `args` and sets the exit code of the process. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await createProgram(create).parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = report(error)
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  if (error instanceof Cancelled) {
    process.stderr.write('Cancelled; nothing was made.\n')
    return EXIT_CANCELLED
  }
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`error: ${message}\n`)
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE
}

async function create(folder: string | undefined, flags: Flags): Promise<void> {
  const isInteractive = flags.yes !== true && process.stdin.isTTY && process.stdout.isTTY
  const screen = await openScreen(isInteractive)
  const tarballs = flags.packages === undefined ? undefined : await findTarballs(flags.packages)
  // Before the first question: nobody should answer five and then be refused.
  if (folder !== undefined && flags.overwrite !== true) assertFree(folder)
  screen.title(`create-dicomtap ${VERSION}`)
  const answers = await collectAnswers(folder, flags, isInteractive)
  const undo = undoOnExit(answers.target)
  try {
    const files = await scaffold(answers, { version: VERSION, overwrite: flags.overwrite === true, tarballs, undo })
    screen.done(summary(answers, files.length))
    if (flags.git && (await initGit(answers.target))) screen.done('Made a git repository.')
    if (flags.install) {
      await install(answers, screen, undo)
      if (answers.tls !== 'none' && answers.template === 'scp') await makeCertificates(answers, screen, undo)
    }
  } finally {
    undo.keep()
  }
  screen.end(nextCommands(answers, flags.install))
}

function summary(answers: Answers, files: number): string {
  const { template, folder, aeTitle, access, services, queryRetrieve } = answers
  if (template === 'plugin') return `Made a plugin in ${folder} (${files} files).`
  const what = [...services.map((name) => SERVICES[name].label), ...(queryRetrieve ? ['Query/Retrieve'] : [])].join(', ')
  return `Made a server in ${folder} (${files} files): AE title ${aeTitle}, ${portsInWords(answers)}, ${what}${access === 'deny' ? ', the peers of peers.yaml' : ''}.`
}

async function install({ folder, target, packageManager }: Answers, screen: Screen, undo: Undo): Promise<void> {
  const [manager, argument] = installCommand(packageManager)
  const progress = screen.progress(`Installing packages with ${manager} ...`)
  const { ok, output } = await run(manager, [argument], target, undo.children)
  if (ok) return progress.done('Installed the packages.')
  progress.fail(`${manager} ${argument} failed:`)
  process.stderr.write(`${output.trimEnd()}\n`)
  throw new Error(
    `The files in ${folder} are complete, but their packages are not installed. ` +
      `When the cause is mended: cd ${shellWord(folder)} && ${manager} ${argument}`,
  )
}

async function makeCertificates({ folder, target, packageManager }: Answers, screen: Screen, undo: Undo): Promise<void> {
  const { ok, output } = await run(packageManager, ['run', CERTIFICATES_SCRIPT], target, undo.children)
  if (ok) return screen.done('Made certificates to try TLS out, in pki/.')
  process.stderr.write(`${output.trimEnd()}\n`)
  throw new Error(`The server in ${folder} has no certificates yet. Go on with: cd ${shellWord(folder)} && ${packageManager} run ${CERTIFICATES_SCRIPT}`)
}

function nextCommands({ template, folder, target, tls, packageManager }: Answers, isInstalled: boolean): string[] {
  return [
    ...(target === process.cwd() ? [] : [`cd ${shellWord(folder)}`]),
    ...(isInstalled ? [] : [installCommand(packageManager).join(' ')]),
    ...(isInstalled || tls === 'none' || template === 'plugin' ? [] : [runCommand(packageManager, CERTIFICATES_SCRIPT)]),
    runCommand(packageManager, template === 'plugin' ? 'test' : 'start'),
  ]
}
