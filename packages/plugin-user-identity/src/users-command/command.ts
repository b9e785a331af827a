import { defineCommand } from '@dicomtap/framework'
import type { CommandArgument, CommandDefinition, CommandInvocation, CommandOption } from '@dicomtap/framework'
import { nameProblem } from '../names.ts'
import type { AddOptions, Output, PasscodeSource } from './types.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_CANCELLED = 130

const FILE: CommandArgument = { name: '<file>', description: 'the file of users' }
const PASSCODE_FILE: CommandOption = {
  flags: '--passcode-file <file>',
  description: 'take the passcode from the first line of a file; "-" is standard input',
}
const PASSCODES = `The passcode is asked for on a terminal, and is otherwise the first line of standard input. It is never an
argument: the list of processes shows those to everybody.`

class UsageError extends Error {}

/** `dicomtap users`: keeps the file that the option `users.file` names. */
export const command: CommandDefinition = defineCommand({
  name: 'users',
  summary: 'Keep the file of users and their passcodes.',
  help: `Examples:
  dicomtap users add users.yaml alice                 asks for the passcode, twice
  dicomtap users add users.yaml ct01 --roles modality
  dicomtap users list users.yaml
  dicomtap users verify users.yaml alice              is this the passcode?
  dicomtap users remove users.yaml alice

A server that runs reads the file again by itself.`,
  commands: [
    {
      name: 'add',
      summary: 'Add a user. The file is made when it is not there, for its owner only (0600).',
      arguments: [FILE, { name: '<username>', description: 'as the peer sends it' }],
      options: [
        { flags: '-r, --roles <names>', description: 'roles, separated by commas' },
        PASSCODE_FILE,
        { flags: '--algorithm <name>', description: 'how the passcode is hashed', choices: ['argon2id', 'scrypt'], default: 'argon2id' },
        { flags: '--username-only', description: 'no passcode: a user that the option usernameOnly lists, with its roles' },
        { flags: '--allow-short', description: 'take a passcode of less than 8 characters' },
        { flags: '--replace', description: 'the user may be there: the passcode becomes the new one, and the roles when they are given' },
      ],
      help: PASSCODES,
      run: (invocation) =>
        reporting(invocation, async ([file, username], { roles, ...given }, output) => {
          const { add } = await import('./actions.ts')
          const options = given as unknown as AddOptions
          await add(file, parseUsername(username), typeof roles === 'string' ? { ...options, roles: parseRoles(roles) } : options, output)
        }),
    },
    {
      name: 'list',
      summary: 'Print the users, how their passcodes are hashed, and their roles.',
      arguments: [FILE],
      options: [{ flags: '--json', description: 'print JSON' }],
      run: (invocation) =>
        reporting(invocation, async ([file], options, output) => (await import('./actions.ts')).list(file, options, output)),
    },
    {
      name: 'remove',
      summary: 'Remove a user.',
      arguments: [FILE, { name: '<username>', description: 'as it is listed' }],
      run: (invocation) =>
        reporting(invocation, async ([file, username], _options, output) =>
          (await import('./actions.ts')).remove(file, parseUsername(username), output),
        ),
    },
    {
      name: 'verify',
      summary: 'Tell whether a passcode is right: exit code 0, else 1.',
      arguments: [FILE, { name: '<username>', description: 'as it is listed' }],
      options: [PASSCODE_FILE],
      help: PASSCODES,
      run: (invocation) =>
        reporting(invocation, async ([file, username], options, output) =>
          (await import('./actions.ts')).verify(file, parseUsername(username), options as PasscodeSource, output),
        ),
    },
  ],
})

type Action = (given: readonly [file: string, username: string], options: CommandInvocation['options'], output: Output) => Promise<void>

/** Failures are one line: nothing that went wrong with a file of users is helped by a stack. */
async function reporting(invocation: CommandInvocation, action: Action): Promise<number> {
  const { arguments: [file = '', username = ''], options, stdout, stderr } = invocation
  const output: Output = { print: (text) => void stdout.write(`${text}\n`), note: (text) => void stderr.write(`${text}\n`) }
  try {
    await action([String(file), String(username)], options, output)
    return 0
  } catch (error) {
    if ((error as Error).name === 'Cancelled') {
      output.note('Cancelled; nothing was changed.')
      return EXIT_CANCELLED
    }
    output.note(`error: ${error instanceof Error ? error.message : String(error)}`)
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE
  }
}

function parseUsername(value: string): string {
  const problem = nameProblem(value)
  if (problem !== undefined) throw new UsageError(`The username ${problem}.`)
  return value
}

function parseRoles(value: string): readonly string[] {
  const roles = value.split(',').map((role) => role.trim())
  if (roles.some((role) => nameProblem(role) !== undefined)) throw new UsageError('Roles are names, separated by commas.')
  return [...new Set(roles)]
}
