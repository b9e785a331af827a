import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { defineCommand } from '@dicomtap/framework'
import type { CommandDefinition, CommandInvocation, CommandOption } from '@dicomtap/framework'
import type * as CertActions from './cert/actions.ts'
import type { CertContext, MakeOptions, Shown } from './cert/actions.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
/** Of a CA; certificates are renewed more often. */
const CA_DAYS = '3650'
const CERTIFICATE_DAYS = '365'
const LIST_DAYS = '30'

class UsageError extends Error {}

const DIRECTORY: CommandOption = { flags: '--dir <folder>', description: 'folder of the CA and of what it signs', default: './pki' }
const FORCE: CommandOption = { flags: '-f, --force', description: 'replace files that are there' }
const ALGORITHM: CommandOption = {
  flags: '--algorithm <name>',
  description: 'kind of key: RSA with 2048 bits, which all equipment knows, or ECDSA with P-256',
  choices: ['rsa', 'ecdsa'],
  default: 'rsa',
}
const days = (value: string): CommandOption => ({ flags: '--days <number>', description: 'how long it is valid', default: value })
const names = (description: string): CommandOption => ({ flags: '--name <names...>', description })

/** `dicomtap cert`: a CA and certificates for development. */
export const command: CommandDefinition = defineCommand({
  name: 'cert',
  summary: 'Make a CA and certificates for development and test networks.',
  help: `Examples:
  dicomtap cert ca
  dicomtap cert server --name pacs.test 10.0.0.5
  dicomtap cert client CT1
  dicomtap cert revoke pki/CT1.pem
  dicomtap cert show pki/server.pem

This is no CA for a hospital: its key lies unprotected beside the certificates.`,
  commands: [
    {
      name: 'ca',
      summary: 'Make a CA: ca.pem and ca.key.',
      options: [{ flags: '--name <text>', description: 'its name', default: 'dicomtap development CA' }, ALGORITHM, days(CA_DAYS), DIRECTORY, FORCE],
      run: (invocation) =>
        reporting(invocation, async (context, options) =>
          (await actions()).makeAuthority(context, { ...makeOptions(options), name: text(options['name'], '--name') }),
        ),
    },
    {
      name: 'server',
      summary: 'Make the certificate of a server, for this machine and the names given: server.pem and server.key.',
      options: [
        names('more host names and addresses that peers use'),
        { flags: '--common-name <text>', description: 'common name of the subject', default: 'dicomtap' },
        ALGORITHM,
        days(CERTIFICATE_DAYS),
        DIRECTORY,
        FORCE,
      ],
      run: (invocation) =>
        reporting(invocation, async (context, options) =>
          (await actions()).makeServer(context, {
            ...makeOptions(options),
            names: hostNames(options['name']),
            commonName: text(options['commonName'], '--common-name'),
          }),
        ),
    },
    {
      name: 'client',
      summary: 'Make the certificate of a peer: <AE title>.pem and <AE title>.key.',
      arguments: [{ name: '<ae-title>', description: 'the AE title that it stands for' }],
      options: [names('host names and addresses of the peer'), ALGORITHM, days(CERTIFICATE_DAYS), DIRECTORY, FORCE],
      run: (invocation) =>
        reporting(invocation, async (context, options) =>
          (await actions()).makeClient(context, {
            ...makeOptions(options),
            aeTitle: String(invocation.arguments[0] ?? ''),
            names: hostNames(options['name']),
          }),
        ),
    },
    {
      name: 'revoke',
      summary: 'Revoke a certificate: crl.pem.',
      arguments: [{ name: '<file>', description: 'the certificate' }],
      options: [days(LIST_DAYS), DIRECTORY],
      run: (invocation) =>
        reporting(invocation, async (context, options) =>
          (await actions()).revoke(context, resolve(invocation.cwd, String(invocation.arguments[0])), wholeNumber(options['days'])),
        ),
    },
    {
      name: 'crl',
      summary: 'Write the list of revoked certificates anew, before it expires: crl.pem.',
      options: [days(LIST_DAYS), DIRECTORY],
      run: (invocation) =>
        reporting(invocation, async (context, options) => (await actions()).renewList(context, wholeNumber(options['days']))),
    },
    {
      name: 'show',
      summary: 'Print what is in a file of certificates, or in a revocation list.',
      arguments: [{ name: '<file>', description: 'PEM' }],
      options: [{ flags: '--json', description: 'print JSON' }],
      run: (invocation) =>
        reporting(invocation, async (context, options) => {
          const shown = await (await actions()).show(resolve(invocation.cwd, String(invocation.arguments[0])))
          context.print(options['json'] === true ? JSON.stringify(shown, null, 2) : shown.map(lines).join('\n\n'))
        }),
    },
  ],
})

/** The ASN.1 library takes half a second to load, which `--help` need not wait for. */
function actions(): Promise<typeof CertActions> {
  return import('./cert/actions.ts')
}

type Options = CommandInvocation['options']

async function reporting(invocation: CommandInvocation, action: (context: CertContext, options: Options) => Promise<void>): Promise<number> {
  const { cwd, options, stdout, stderr } = invocation
  try {
    const { PkiFolder } = await import('./cert/folder.ts')
    const folder = new PkiFolder(resolve(cwd, typeof options['dir'] === 'string' ? options['dir'] : './pki'))
    await action({ folder, cwd, print: (line) => void stdout.write(`${line}\n`), note: (line) => void stderr.write(`${line}\n`) }, options)
    return 0
  } catch (error) {
    stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE
  }
}

function makeOptions(options: Options): MakeOptions {
  return { algorithm: options['algorithm'] === 'ecdsa' ? 'ecdsa' : 'rsa', days: wholeNumber(options['days']), force: options['force'] === true }
}

function wholeNumber(value: unknown): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 1 && number <= 36_500) return number
  throw new UsageError('--days takes a number of days, 1 to 36500')
}

function text(value: unknown, flag: string): string {
  if (typeof value === 'string' && /^[^\p{Cc}]{1,64}$/u.test(value)) return value
  throw new UsageError(`${flag} takes 1 to 64 characters`)
}

function hostNames(value: unknown): readonly string[] {
  const given = Array.isArray(value) ? value.map(String) : []
  for (const name of given) {
    if (isIP(name) === 0 && !/^(\*\.)?[\w-]+(\.[\w-]+)*$/.test(name)) throw new UsageError(`"${name}" is no host name and no address`)
  }
  return given.map((name) => name.toLowerCase())
}

function lines(shown: Shown): string {
  const rows =
    shown.type === 'certificate'
      ? [
          ['subject', shown.subject],
          ['issuer', shown.issuer],
          ['kind', shown.isCa ? 'CA' : 'certificate'],
          ['names', shown.names.join(', ')],
          ['AE titles', shown.aeTitles.join(', ')],
          ['valid', `${shown.validFrom.slice(0, 10)} to ${shown.validTo.slice(0, 10)}`],
          ['key', shown.key],
          ['serial', shown.serialNumber],
          ['fingerprint', shown.fingerprint256],
        ]
      : [
          ['list of', shown.issuer],
          ['valid', `${shown.thisUpdate.slice(0, 10)} to ${shown.nextUpdate?.slice(0, 10) ?? 'ever'}`],
          ['revoked', String(shown.revoked)],
        ]
  return rows
    .filter(([, value]) => value !== '')
    .map(([name = '', value = '']) => `${name.padEnd(12)} ${value}`)
    .join('\n')
}
