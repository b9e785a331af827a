import { isMap, YAMLMap } from 'yaml'
import type { Document } from 'yaml'
import { hashPasscode, verifyPasscode } from '../users/phc.ts'
import { usersOf } from '../users/users-document.ts'
import type { User } from '../users/users-document.ts'
import { editUsers, readUsers } from './edit-file.ts'
import { readPasscode } from './read-passcode.ts'
import type { AddOptions, ListOptions, Output, PasscodeSource } from './types.ts'

const LEAST_CHARACTERS = 8

export async function add(file: string, username: string, options: AddOptions, { note }: Output): Promise<void> {
  const { roles, algorithm, usernameOnly = false, allowShort = false, replace = false } = options
  const refuseKnown = (document: Document | undefined): void => {
    if (replace || document === undefined || !usersOf(document).has(username)) return
    throw new Error(`${file} has the user '${username}'; change it with --replace`)
  }
  // Before the question: nobody should type a passcode twice and then be refused.
  refuseKnown(await readUsers(file))
  const passcode = usernameOnly ? undefined : await newPasscode(options, allowShort, algorithm)
  await editUsers(file, (document) => {
    refuseKnown(document)
    const known = usersOf(document).get(username)
    const entry: Record<string, unknown> = passcode === undefined ? {} : { passcode }
    const kept = roles ?? known?.roles ?? []
    if (kept.length > 0) entry['roles'] = kept
    if (!isMap(document.get('users'))) document.set('users', new YAMLMap())
    document.setIn(['users', username], document.createNode(entry))
  })
  note(`${file}: '${username}' can identify${passcode === undefined ? ' by name, when usernameOnly lists it' : ''}.`)
}

async function newPasscode(source: PasscodeSource, allowShort: boolean, algorithm: AddOptions['algorithm']): Promise<string> {
  const passcode = await readPasscode(source, true)
  if (!allowShort && [...passcode.toString('utf8')].length < LEAST_CHARACTERS) {
    throw new Error(`The passcode has less than ${LEAST_CHARACTERS} characters and is guessed easily; --allow-short takes it`)
  }
  return hashPasscode(passcode, algorithm)
}

export async function list(file: string, { json = false }: ListOptions, { note, print }: Output): Promise<void> {
  const users = [...(await existing(file))].map(([username, { passcode, roles }]) => ({
    username,
    passcode: passcode?.algorithm ?? null,
    roles: [...roles],
  }))
  if (json) return print(JSON.stringify(users, null, 2))
  if (users.length === 0) return note(`${file} has no users.`)
  const width = Math.max(...users.map(({ username }) => username.length))
  for (const { username, passcode, roles } of users) {
    print(`${username.padEnd(width)}  ${(passcode ?? 'no passcode').padEnd(11)}  ${roles.join(', ')}`.trimEnd())
  }
}

export async function remove(file: string, username: string, { note }: Output): Promise<void> {
  known(await existing(file), file, username)
  await editUsers(file, (document) => {
    known(usersOf(document), file, username)
    document.deleteIn(['users', username])
  })
  note(`${file}: '${username}' is removed.`)
}

export async function verify(file: string, username: string, source: PasscodeSource, { note }: Output): Promise<void> {
  const { passcode } = known(await existing(file), file, username)
  if (passcode === undefined) throw new Error(`'${username}' has no passcode`)
  if (!(await verifyPasscode(passcode, await readPasscode(source, false)))) throw new Error('The passcode is wrong')
  note('The passcode is right.')
}

async function existing(file: string): Promise<ReadonlyMap<string, User>> {
  const document = await readUsers(file)
  if (document === undefined) throw new Error(`There is no ${file}; "dicomtap users add ${file} <username>" makes it`)
  return usersOf(document)
}

function known(users: ReadonlyMap<string, User>, file: string, username: string): User {
  const user = users.get(username)
  if (user === undefined) throw new Error(`${file} has no user '${username}'`)
  return user
}
