import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { definePlugin } from '@dicomtap/framework'
import type { LogRecord, Plugin, UserIdentityRequest, UserItem } from '@dicomtap/framework'
import { testScu } from '@dicomtap/framework/testing'
import type { TestScuTarget } from '@dicomtap/framework/testing'
import type { UserIdentityService } from '@dicomtap/plugin-user-identity'

/** "password" with the salt "somesalt", m=65536, t=2, p=1: the test vector of the reference implementation of argon2id. */
export const ALICE = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'

/** RFC 7914 section 12: scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1). */
export const BOB =
  '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw'

/** A folder of the test's own. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-user-identity-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A file of users of the test's own. */
export async function usersYaml(t: ExecutionContext, text: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'users.yaml')
  await writeFile(file, text, { mode: 0o600 })
  return file
}

export const bytes = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? Buffer.from(value, 'utf8') : value)

/** The item 0x58 (PS3.7 D.3.3.7.1). */
export function identityItem(
  userIdentityType: number,
  primaryField: string | Uint8Array,
  secondaryField: string | Uint8Array = '',
  positiveResponseRequested = false,
): UserIdentityRequest {
  return { type: 0x58, userIdentityType, positiveResponseRequested, primaryField: bytes(primaryField), secondaryField: bytes(secondaryField) }
}

/** What an association came to: the acceptor's items, or the rejection in words. */
export async function outcome(target: TestScuTarget, ...userInformation: readonly UserItem[]): Promise<readonly UserItem[] | string> {
  try {
    await using scu = await testScu(target, { callingAeTitle: 'CT01', userInformation })
    return scu.accept.userInformation
  } catch (error) {
    return (error as Error).message
  }
}

/** The item 0x59 among what came back, as text; undefined when there is none. */
export function responseIn(items: readonly UserItem[] | string): string | undefined {
  if (typeof items === 'string') return undefined
  const item = items.find(({ type }) => type === 0x59)
  return item !== undefined && 'serverResponse' in item ? Buffer.from(item.serverResponse).toString('utf8') : undefined
}

export const isAccepted = (result: readonly UserItem[] | string): boolean => typeof result !== 'string'

/** The rejection in words. */
export const refusal = (result: readonly UserItem[] | string): string => (typeof result === 'string' ? result : 'accepted')

/** Hands out the service, as a later plugin gets it. */
export function listener(): { plugin: Plugin; service(): UserIdentityService } {
  let service: UserIdentityService | undefined
  const listen = definePlugin({
    name: 'dicomtap-plugin-listener',
    requires: ['user-identity'],
    apply(api) {
      service = api.inject('user-identity')
    },
  })
  return {
    plugin: listen(),
    service() {
      if (service === undefined) throw new Error('no service')
      return service
    },
  }
}

/** Everything that was logged, as text: messages, fields, errors with their causes. */
export function logText(log: readonly LogRecord[]): string {
  const seen = new Set<unknown>()
  return JSON.stringify(log, (_key, value: unknown) => {
    if (typeof value === 'object' && value !== null) {
      if (seen.has(value)) return '[seen]'
      seen.add(value)
    }
    if (value instanceof Error) return { message: value.message, stack: value.stack, cause: value.cause }
    return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
  })
}
