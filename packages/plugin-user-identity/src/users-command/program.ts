import { createRequire } from 'node:module'
import { Command, InvalidArgumentError, Option } from 'commander'
import { nameProblem } from '../names.ts'
import type { HashAlgorithm } from '../users/phc.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

export interface PasscodeSource {
  /** A path, or `-` for standard input. */
  readonly passcodeFile?: string
}
export interface AddOptions extends PasscodeSource {
  readonly roles?: readonly string[]
  readonly algorithm: HashAlgorithm
  readonly usernameOnly?: boolean
  readonly allowShort?: boolean
  readonly replace?: boolean
}
export interface ListOptions {
  readonly json?: boolean
}

/** What each command does. */
export interface UsersActions {
  add(file: string, username: string, options: AddOptions): Promise<void>
  list(file: string, options: ListOptions): Promise<void>
  remove(file: string, username: string): Promise<void>
  verify(file: string, username: string, options: PasscodeSource): Promise<void>
}

const EXIT_CODES = `
Exit codes: 0 fine, 1 failure, 2 wrong usage, 130 cancelled.
Help and docs: https://github.com/dicomtap/dicomtap`

const PASSCODES = `
The passcode is asked for on a terminal, and is otherwise the first line of standard input. It is never an
argument: the list of processes shows those to everybody.`

/** The command line: names, options and help, without what they do. */
export function createProgram(actions: UsersActions): Command {
  const program = new Command('dicomtap-users')
    .description('Keeps the file of users of @dicomtap/plugin-user-identity.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('Run "dicomtap-users --help" to see what there is.')
    .addHelpText(
      'after',
      `
Examples:
  dicomtap-users add users.yaml alice                 asks for the passcode, twice
  dicomtap-users add users.yaml ct01 --roles modality
  dicomtap-users list users.yaml
  dicomtap-users verify users.yaml alice              is this the passcode?
  dicomtap-users remove users.yaml alice

A server that runs reads the file again by itself.
${EXIT_CODES}`,
    )

  command(program, 'add')
    .description('Add a user. The file is made when it is not there, for its owner only (0600).')
    .argument('<file>', 'the file of users')
    .argument('<username>', 'as the peer sends it', parseUsername)
    .option('-r, --roles <names>', 'roles, separated by commas', parseRoles)
    .option('--passcode-file <file>', 'take the passcode from the first line of a file; "-" is standard input')
    .addOption(new Option('--algorithm <name>', 'how the passcode is hashed').choices(['argon2id', 'scrypt']).default('argon2id'))
    .option('--username-only', 'no passcode: a user that the option usernameOnly lists, with its roles')
    .option('--allow-short', 'take a passcode of less than 8 characters')
    .option('--replace', 'the user may be there: the passcode becomes the new one, and the roles when they are given')
    .addHelpText('after', `${PASSCODES}\n${EXIT_CODES}`)
    .action((file: string, username: string, options: AddOptions) => actions.add(file, username, options))

  command(program, 'list')
    .description('Print the users, how their passcodes are hashed, and their roles.')
    .argument('<file>', 'the file of users')
    .option('--json', 'print JSON')
    .addHelpText('after', EXIT_CODES)
    .action((file: string, options: ListOptions) => actions.list(file, options))

  command(program, 'remove')
    .description('Remove a user.')
    .argument('<file>', 'the file of users')
    .argument('<username>', 'as it is listed', parseUsername)
    .addHelpText('after', EXIT_CODES)
    .action((file: string, username: string) => actions.remove(file, username))

  command(program, 'verify')
    .description('Tell whether a passcode is right: exit code 0, else 1.')
    .argument('<file>', 'the file of users')
    .argument('<username>', 'as it is listed', parseUsername)
    .option('--passcode-file <file>', 'take the passcode from the first line of a file; "-" is standard input')
    .addHelpText('after', `${PASSCODES}\n${EXIT_CODES}`)
    .action((file: string, username: string, options: PasscodeSource) => actions.verify(file, username, options))

  return program
}

function command(program: Command, name: string): Command {
  return program
    .command(name)
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`Run "dicomtap-users ${name} --help" to see what it takes.`)
}

function parseUsername(value: string): string {
  const problem = nameProblem(value)
  if (problem !== undefined) throw new InvalidArgumentError(`The username ${problem}.`)
  return value
}

function parseRoles(value: string): readonly string[] {
  const roles = value.split(',').map((role) => role.trim())
  if (roles.some((role) => nameProblem(role) !== undefined)) throw new InvalidArgumentError('Roles are names, separated by commas.')
  return [...new Set(roles)]
}
