import type { UserIdentityOptions } from '@dicomtap/framework'
import { askSecret } from './ask-secret.ts'
import { UsageError } from './exit.ts'
import { PASSCODE_VARIABLE } from './options.ts'
import type { ConnectionOptions } from './options.ts'
import { readBinarySecret, readSecret } from './secret-files.ts'

/**
 * The user identity that the options describe (PS3.7 D.3.3.7); undefined when there is none.
 * @throws UsageError when options do not go together, or a file cannot be read.
 */
export async function userIdentityOf(options: ConnectionOptions, env: NodeJS.ProcessEnv = process.env): Promise<UserIdentityOptions | undefined> {
  const { user, jwtFile, samlFile, kerberosFile, passcodeFile, askPasscode = false, identityResponse = false } = options
  const given = Object.entries({ '--user': user, '--jwt-file': jwtFile, '--saml-file': samlFile, '--kerberos-file': kerberosFile })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name)
  if (given.length > 1) throw new UsageError(`${given.join(' and ')}: an association has one user identity; leave one out`)
  if (user === undefined && (passcodeFile !== undefined || askPasscode)) throw new UsageError('a passcode needs a user name: add --user <name>')
  if (given.length === 0 && identityResponse) throw new UsageError('--identity-response: give an identity, e.g. --user <name>')
  if (passcodeFile !== undefined && askPasscode) throw new UsageError('--passcode-file and --ask-passcode: leave one out')

  const positiveResponseRequested = identityResponse
  if (user !== undefined) {
    if (user === '') throw new UsageError('--user: the name is empty')
    const passcode = await passcodeOf(options, env)
    return passcode === undefined
      ? { type: 1, primaryField: user, positiveResponseRequested }
      : { type: 2, primaryField: user, secondaryField: passcode, positiveResponseRequested }
  }
  if (kerberosFile !== undefined) {
    return { type: 3, primaryField: await readBinarySecret('--kerberos-file', kerberosFile), positiveResponseRequested }
  }
  if (samlFile !== undefined) return { type: 4, primaryField: await readSecret('--saml-file', samlFile), positiveResponseRequested }
  if (jwtFile !== undefined) return { type: 5, primaryField: (await readSecret('--jwt-file', jwtFile)).trim(), positiveResponseRequested }
  return undefined
}

async function passcodeOf({ user, passcodeFile, askPasscode }: ConnectionOptions, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (passcodeFile !== undefined) return readSecret('--passcode-file', passcodeFile)
  if (askPasscode === true) return askSecret(`Passcode of ${user}`)
  const inherited = env[PASSCODE_VARIABLE]
  return inherited === '' ? undefined : inherited
}
