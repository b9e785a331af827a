import { parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { nameProblem } from '../names.ts'
import { parsePasscodeHash } from './phc.ts'
import type { PasscodeHash } from './phc.ts'

/** One entry of a file of users. */
export interface User {
  /** Without one the user can identify by name only (type 1). */
  readonly passcode: PasscodeHash | undefined
  readonly roles: readonly string[]
}

/** Something wrong in a file of users: where and what, without secrets. */
export class UsersProblem extends Error {
  override readonly name: string = 'UsersProblem'
}

/**
 * The YAML of a file of users. Every scalar is text, so that the user `007` is not the number 7.
 * @throws UsersProblem
 */
export function parseUsersYaml(text: string): Document {
  const document = parseDocument(text, { schema: 'failsafe', uniqueKeys: true, stringKeys: true })
  const [error] = document.errors
  // The lines below the first show the file's text, which may be a hash.
  if (error !== undefined) throw new UsersProblem((error.message.split('\n')[0] ?? '').replace(/:$/, ''))
  return document
}

/** The users in a document, by name. @throws UsersProblem */
export function usersOf(document: Document): ReadonlyMap<string, User> {
  let content: unknown
  try {
    content = document.toJS({ mapAsMap: true, maxAliasCount: 10 })
  } catch {
    throw new UsersProblem('its aliases cannot be resolved')
  }
  if (isNothing(content)) return new Map()
  const entries = mapOf(content, 'the file', ['users']).get('users')
  if (isNothing(entries)) return new Map()
  return new Map([...mapOf(entries, 'users')].map(([name, entry]) => [name, userOf(name, entry)]))
}

function userOf(name: string, entry: unknown): User {
  const problem = nameProblem(name)
  if (problem !== undefined) throw new UsersProblem(`the username ${JSON.stringify(name.slice(0, 64))} ${problem}`)
  const where = `users.${name}`
  if (isNothing(entry)) return { passcode: undefined, roles: [] }
  const fields = mapOf(entry, where, ['passcode', 'roles'])
  return { passcode: passcodeOf(fields.get('passcode'), where), roles: rolesOf(fields.get('roles'), where) }
}

function passcodeOf(value: unknown, where: string): PasscodeHash | undefined {
  if (value === undefined) return undefined
  const hash = typeof value === 'string' ? parsePasscodeHash(value.trim()) : 'must be text'
  if (typeof hash === 'string') throw new UsersProblem(`${where}.passcode ${hash}`)
  return hash
}

function rolesOf(value: unknown, where: string): readonly string[] {
  if (isNothing(value)) return []
  if (!Array.isArray(value) || value.some((role) => typeof role !== 'string' || role === '')) {
    throw new UsersProblem(`${where}.roles must be a list of names`)
  }
  return Object.freeze([...new Set(value as string[])])
}

function mapOf(value: unknown, where: string, allowed?: readonly string[]): ReadonlyMap<string, unknown> {
  if (!(value instanceof Map)) throw new UsersProblem(`${where} must be a map`)
  const map = value as ReadonlyMap<string, unknown>
  const unknown = allowed === undefined ? undefined : [...map.keys()].find((key) => !allowed.includes(key))
  if (unknown === undefined) return map
  throw new UsersProblem(`${where} has the unknown key ${JSON.stringify(unknown.slice(0, 64))}; there is only ${allowed?.join(' and ')}`)
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}
