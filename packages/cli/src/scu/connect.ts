import { ApplicationEntity, Stage } from '@dicomtap/framework'
import type { AssociateOptions, Association, AssociationAnswerInfo, LogLevel, RequestedContext } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
import type { Interrupts } from './interrupts.ts'
import { describeNegotiation } from './negotiation.ts'
import { associateOptionsOf, DEFAULT_CALLING_AE_TITLE, hasTlsDetails } from './options.ts'
import type { ConnectionOptions, Target } from './options.ts'
import type { Reporter } from './reporter.ts'
import { tlsConnectorOf } from './tls.ts'
import { userIdentityOf } from './user-identity.ts'

/** What a command wants of an association, besides what the connection options say. */
export type AssociationRequest = Pick<AssociateOptions, 'handlers' | 'sopClassExtended' | 'sopClassCommonExtended'> & {
  /** 1 to 128. */
  readonly contexts: readonly RequestedContext[]
}

/** What the parts of a command share. */
export interface ScuContext {
  readonly reporter: Reporter
  readonly interrupts: Interrupts
}

/** Opens associations with one peer, as many as are needed. */
export interface Connector {
  readonly ae: ApplicationEntity
  /** The peer, for messages: `PACS at host:104`. */
  readonly peer: string
  /** Ctrl-C ends the attempt; once there is an association, only a second one aborts it. */
  associate(request: AssociationRequest): Promise<Association>
  /** Ends what is left and stops the plugins. */
  close(): Promise<void>
}

/**
 * Reads what the options name (secrets, certificates, plugins of a configuration), once.
 * @throws UsageError, DICOMTAP_ERR_CFG_*, DICOMTAP_ERR_PLG_*
 */
export async function createConnector(target: Target, options: ConnectionOptions, { reporter, interrupts }: ScuContext): Promise<Connector> {
  // Asked first: what the plugins of a configuration print must not stand between question and answer.
  const userIdentity = await userIdentityOf(options)
  const connectTls = await tlsConnectorOf(options)
  const base = associateOptionsOf(target, options, userIdentity)
  const ae = await createAe(options)
  if (connectTls !== undefined) {
    if (options.tlsInsecure === true) {
      reporter.warn(`${reporter.paint.err('yellow', 'warning')}: --tls-insecure: the peer is not verified, anyone on the way can read and change what is sent`)
    }
    // With --tls alone a TLS plugin of the configuration goes first; what the command line says in detail holds.
    if (hasTlsDetails(options)) ae.hooks.outgoingConnection.tapPromise({ name: 'dicomtap', stage: Stage.Guard }, async (outgoing) => connectTls(outgoing))
    else ae.bind('outgoingConnection', (outgoing) => connectTls(outgoing))
  }
  if (connectTls === undefined && userIdentity !== undefined && userIdentity.type !== 1 && !isThisHost(base.host)) {
    // Asked last: nobody has secured the connection.
    ae.hooks.outgoingConnection.tapPromise({ name: 'dicomtap', stage: Stage.Fallback }, async () => {
      reporter.warn(`${reporter.paint.err('yellow', 'warning')}: without TLS anyone on the way can read the ${SECRETS[userIdentity.type]} that is sent: add --tls`)
      return undefined
    })
  }
  if (options.identityResponse === true) ae.bind('associationAnswer', refuseWithoutIdentityResponse)
  if (reporter.isVerbose) {
    // Asked for when nothing was accepted, above all: then there is no association to look at afterwards.
    ae.bind('associationAccepted', ({ association }) => {
      if (association.role === 'requestor') reporter.note(reporter.paint.err('dim', describeNegotiation(association)))
    })
  }
  interrupts.abort.addEventListener('abort', () => ae.abort('Interrupted'), { once: true })

  return {
    ae,
    peer: `${base.calledAeTitle ?? 'ANY-SCP'} at ${hostOf(base.host)}:${base.port}`,
    async associate(request) {
      const attempt = new AbortController()
      const giveUp = (): void => attempt.abort()
      if (interrupts.isInterrupted) giveUp()
      interrupts.cancel.addEventListener('abort', giveUp, { once: true })
      try {
        return await ae.associate({ ...base, ...request, signal: attempt.signal })
      } finally {
        interrupts.cancel.removeEventListener('abort', giveUp)
      }
    },
    close: () => ae.close({ deadlineMs: 0 }),
  }
}

/** An association for commands that need one. */
export interface OpenAssociation {
  readonly ae: ApplicationEntity
  readonly association: Association
  /** From the first packet to the established association. */
  readonly associationMs: number
  /** The peer, for messages: `PACS at host:104`. */
  readonly peer: string
  /** Releases the association and stops the plugins. */
  close(): Promise<void>
}

/** As {@link createConnector}, for one association. @throws what `ApplicationEntity.associate` throws, too. */
export async function openAssociation(
  target: Target,
  options: ConnectionOptions,
  request: AssociationRequest,
  context: ScuContext,
): Promise<OpenAssociation> {
  const { ae, peer, associate, close } = await createConnector(target, options, context)
  try {
    const startedAt = performance.now()
    const association = await associate(request)
    return {
      associationMs: performance.now() - startedAt,
      ae,
      peer,
      association,
      async close() {
        await association.release()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function createAe({ config, calling, verbose = false, debug = false }: ConnectionOptions): Promise<ApplicationEntity> {
  const logLevel: LogLevel = debug ? 'debug' : verbose ? 'warn' : 'error'
  if (config !== undefined) return (await createApplication(config, { aeTitle: calling, logLevel })).ae
  return new ApplicationEntity({ aeTitle: calling ?? DEFAULT_CALLING_AE_TITLE, logLevel })
}

/** What a user identity gives away, by its type (PS3.7 D.3.3.7.1). */
const SECRETS: Readonly<Record<number, string>> = { 2: 'passcode', 3: 'ticket', 4: 'assertion', 5: 'token' }

function isThisHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/u.test(host)
}

/** Without a confirmation nobody may have looked at the identity (PS3.7 D.3.3.7). */
function refuseWithoutIdentityResponse({ accept }: AssociationAnswerInfo): string | undefined {
  const isConfirmed = accept.userInformation.some(({ type }) => type === 0x59)
  return isConfirmed ? undefined : 'the peer did not confirm the user identity (--identity-response)'
}

function hostOf(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
