import { Option } from 'commander'
import type { Command } from 'commander'
import type { AssociateOptions, Timeouts, UserIdentityOptions } from '@dicomtap/framework'
import { UsageError } from './exit.ts'
import { collect, integer, parseAddress, parseAeTitle, parseMaximumPdu, parseTimeout } from './parse-values.ts'
import { DEFAULT_TARGET_PORT, DEFAULT_TLS_PORT } from './target.ts'
import type { Target } from './target.ts'

export { parseTarget } from './target.ts'
export type { Target } from './target.ts'

/** What `addConnectionOptions` parses: the options that every SCU command has. */
export interface ConnectionOptions {
  readonly calling?: string
  readonly called?: string
  readonly config?: string
  /** Milliseconds; Infinity is none. */
  readonly timeoutConnection?: number
  readonly timeoutAcse?: number
  readonly timeoutDimse?: number
  readonly timeoutNetwork?: number
  readonly maxPdu?: number
  /** As typed: keywords, short names or UIDs. See `transferSyntaxUids`. */
  readonly transferSyntax?: readonly string[]
  readonly localAddress?: string
  readonly outstanding?: number
  readonly tls?: boolean
  readonly tlsCa?: readonly string[]
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsPassphraseFile?: string
  readonly tlsServerName?: string
  readonly tlsInsecure?: boolean
  readonly user?: string
  readonly passcodeFile?: string
  readonly askPasscode?: boolean
  readonly jwtFile?: string
  readonly samlFile?: string
  readonly kerberosFile?: string
  readonly identityResponse?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly debug?: boolean
}

export const DEFAULT_CALLING_AE_TITLE = 'DICOMTAP'
/** The variable that the passcode of --user is taken from. */
export const PASSCODE_VARIABLE = 'DICOMTAP_PASSCODE'

/** The end of the help of every SCU command. */
export const CONNECTION_HELP = `
host:port may be written [::1]:port and PACS@host:port, with the AE title of the peer. Without a port it is
104, with TLS 2762. Times are in seconds, or with a unit: 500ms, 2m. 0 is no time-out.`

export const SCU_EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly failed, 78 something is wrong in the configuration,
130 ended by Ctrl-C. The first Ctrl-C cancels and releases the association, the second aborts it.
Help and docs: https://github.com/dicomtap/dicomtap`

/** Adds the options that every SCU command has, in groups of its help. */
export function addConnectionOptions(command: Command): Command {
  const add = (group: string, ...options: readonly Option[]): void => {
    for (const option of options) command.addOption(option.helpGroup(group))
  }
  add(
    'Association:',
    new Option('--aet, --calling <title>', `AE title of this side (default: ${DEFAULT_CALLING_AE_TITLE})`).argParser(parseAeTitle),
    new Option('--aec, --called <title>', 'AE title of the peer (default: ANY-SCP)').argParser(parseAeTitle),
    new Option('-x, --transfer-syntax <name>', 'propose these: keyword of the standard, UID, or a short name such as explicit, jpeg2000; repeatable').argParser(collect),
    new Option('--max-pdu <bytes>', 'largest PDU that this side accepts; 0 is unlimited (default: 256k)').argParser(parseMaximumPdu),
    new Option('--outstanding <number>', 'requests to have under way at once, if the peer agrees; 0 is unlimited').argParser(integer(0, 0xffff)),
    new Option('--local-address <address>', 'address of this host to connect from').argParser(parseAddress),
    new Option('--timeout-connection <time>', 'wait for the connection (default: 15)').argParser(parseTimeout),
    new Option('--timeout-acse <time>', 'wait for the answer to an association or release request (default: 30)').argParser(parseTimeout),
    new Option('--timeout-dimse <time>', 'wait for a response (default: 30)').argParser(parseTimeout),
    new Option('--timeout-network <time>', 'silence of the peer before it is given up (default: 60)').argParser(parseTimeout),
    new Option('-c, --config <file>', 'load the plugins and settings of this configuration; none is looked for without it'),
  )
  add(
    'TLS:',
    new Option('--tls', 'connect with TLS 1.2 or later; so do the other options of this group'),
    new Option('--tls-ca <file>', 'certificates to trust, in PEM, instead of those that Node trusts; repeatable').argParser(collect),
    new Option('--tls-cert <file>', 'certificate of this side, in PEM'),
    new Option('--tls-key <file>', 'its private key, in PEM'),
    new Option('--tls-passphrase-file <file>', 'file with the passphrase of the key'),
    new Option('--tls-server-name <name>', 'name that the certificate of the peer must have (default: the host)'),
    new Option('--tls-insecure', 'do not verify the peer: anyone can read and change what is sent'),
  )
  add(
    'User identity:',
    new Option('--user <name>', `user name; with a passcode when one is given below or in the variable ${PASSCODE_VARIABLE}`),
    new Option('--passcode-file <file>', 'file with the passcode; - reads it from stdin'),
    new Option('--ask-passcode', 'ask for the passcode at the terminal'),
    new Option('--jwt-file <file>', 'file with a JSON web token'),
    new Option('--saml-file <file>', 'file with a SAML assertion'),
    new Option('--kerberos-file <file>', 'file with a Kerberos service ticket'),
    new Option('--identity-response', 'ask the peer to confirm the identity, and go on only if it does'),
  )
  add(
    'Output:',
    new Option('--json', 'print the result as JSON'),
    new Option('-q, --quiet', 'print errors only'),
    new Option('--verbose', 'also what was negotiated'),
    new Option('--debug', 'also the log of the protocol, and the stack of an error'),
  )
  return command
}

/** Is a secure connection asked for, by --tls or any option of its group? */
export function wantsTls(options: ConnectionOptions): boolean {
  return options.tls === true || hasTlsDetails(options)
}

/** Do the options say how the connection is to be secured, and not only that it is? */
export function hasTlsDetails({ tlsCa, tlsCert, tlsKey, tlsPassphraseFile, tlsServerName, tlsInsecure }: ConnectionOptions): boolean {
  return tlsInsecure === true || [tlsCa, tlsCert, tlsKey, tlsPassphraseFile, tlsServerName].some((one) => one !== undefined)
}

/** The options of `ApplicationEntity.associate`, without contexts, and without secrets unless they are given. */
export function associateOptionsOf(target: Target, options: ConnectionOptions, userIdentity?: UserIdentityOptions): AssociateOptions {
  const isTls = wantsTls(options)
  const calledAeTitle = calledTitle(target, options)
  const { calling, localAddress, outstanding, maxPdu } = options
  const timeouts = timeoutsOf(options)
  return {
    host: target.host,
    port: target.port ?? (isTls ? DEFAULT_TLS_PORT : DEFAULT_TARGET_PORT),
    ...(calledAeTitle === undefined ? {} : { calledAeTitle }),
    ...(calling === undefined ? {} : { callingAeTitle: calling }),
    ...(localAddress === undefined ? {} : { localAddress }),
    // This side performs nothing but the C-STORE sub-operations of a C-GET, which come one by one.
    ...(outstanding === undefined ? {} : { asynchronousOperations: { invoked: outstanding, performed: 1 } }),
    ...(maxPdu === undefined ? {} : { limits: { maximumPduBytes: maxPdu } }),
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
    ...(isTls ? { tls: true } : {}),
    ...(userIdentity === undefined ? {} : { userIdentity }),
  }
}

function calledTitle({ calledAeTitle }: Target, { called }: ConnectionOptions): string | undefined {
  if (calledAeTitle !== undefined && called !== undefined && calledAeTitle !== called) {
    throw new UsageError(`two AE titles for the peer: ${calledAeTitle}@ and --called ${called}; leave one out`)
  }
  return called ?? calledAeTitle
}

function timeoutsOf({ timeoutAcse, timeoutConnection, timeoutDimse, timeoutNetwork }: ConnectionOptions): Partial<Timeouts> {
  const given = { acseMs: timeoutAcse, connectionMs: timeoutConnection, dimseMs: timeoutDimse, networkMs: timeoutNetwork }
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, time]) => time !== undefined)
      .map(([name, time]) => [name, time === Infinity ? null : time]),
  )
}
