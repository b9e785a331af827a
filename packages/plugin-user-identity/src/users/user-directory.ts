import { createHmac, randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import type { Logger } from '@dicomtap/framework'
import { WatchedFile } from '../watched-file.ts'
import { decoyHash } from './phc.ts'
import type { PasscodeHash } from './phc.ts'
import { parseUsersYaml, UsersProblem, usersOf } from './users-document.ts'
import type { User } from './users-document.ts'

const MAXIMUM_BYTES = 4_194_304

/** The users of one version of the file. */
export class UserDirectory {
  readonly #users: ReadonlyMap<string, User>
  readonly #hashes: readonly PasscodeHash[]
  readonly #key: Buffer

  constructor(users: ReadonlyMap<string, User>, key: Buffer) {
    this.#users = users
    this.#key = key
    const hashes = [...users.values()].flatMap(({ passcode }) => (passcode === undefined ? [] : [passcode]))
    this.#hashes = hashes.length === 0 ? [decoyHash()] : hashes
  }

  get size(): number {
    return this.#users.size
  }

  find(name: string): User | undefined {
    return this.#users.get(name)
  }

  /**
   * The hash to check an unknown user's passcode against, only to take as long as for a known one. Always
   * the same for a name, and picked among those of the file, whose costs may differ.
   */
  decoyFor(name: string): PasscodeHash {
    const pick = createHmac('sha256', this.#key).update(name).digest().readUInt32BE(0) % this.#hashes.length
    return this.#hashes[pick] ?? decoyHash()
  }
}

/** The file of users. Usernames in `usernameOnly` must have no passcode in it: anyone could be them. */
export function usersFile(path: string, usernameOnly: readonly string[], log: Logger): WatchedFile<UserDirectory> {
  const key = randomBytes(32)
  return new WatchedFile({
    path,
    what: 'the file of users',
    whenAbsent: 'make it with "npx dicomtap users add <file> <username>"',
    maximumBytes: MAXIMUM_BYTES,
    log,
    parse(text) {
      const users = usersOf(parseUsersYaml(text))
      const twice = usernameOnly.find((name) => users.get(name)?.passcode !== undefined)
      if (twice !== undefined) {
        throw new UsersProblem(`users.${twice} has a passcode, but usernameOnly lets anyone be '${twice}': remove it in one of the two`)
      }
      return new UserDirectory(users, key)
    },
    onRead: (stats) => warnOfPermissions(path, stats, log),
  })
}

function warnOfPermissions(path: string, { mode }: Stats, log: Logger): void {
  if (process.platform === 'win32') return
  const octal = (mode & 0o777).toString(8).padStart(3, '0')
  if ((mode & 0o022) !== 0) log.warn('others may change the file of users: chmod 600', { file: path, mode: octal })
  else if ((mode & 0o004) !== 0) log.warn('everybody may read the file of users and guess at its hashes: chmod 600', { file: path, mode: octal })
}
