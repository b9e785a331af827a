import { createRequire } from 'node:module'
import { Stage, definePlugin } from '@dicomtap/framework'
import type { Association, AssociationServer, PluginApi, PluginFactory, Rejection, ResolvedConfig } from '@dicomtap/framework'
import { TlsConnector } from './connector.ts'
import { MAXIMUM_NAMES, identityIn } from './identity.ts'
import type { IdentityPolicy, TlsIdentity } from './identity.ts'
import { LimitedWarnings, TITLE_REJECTED } from './limited-warnings.ts'
import { ListenerRegistry } from './listener-registry.ts'
import { DEFAULT_PROFILE, listenerTlsOptions, tlsOptions } from './options.ts'
import type { ClientTlsOptions, ListenerTlsOptions } from './options.ts'
import { profileWarning } from './profiles.ts'
import { Upkeep } from './upkeep.ts'

declare module '@dicomtap/framework' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- merged
  interface ListenerTls extends ListenerTlsOptions {}
  // oxlint-disable-next-line typescript/no-empty-object-type -- merged
  interface AssociateTls extends ClientTlsOptions {}
}

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** PS3.8 9.3.4: rejected-permanent, service-user, calling AE title not recognized. */
const CALLING_AE_TITLE_NOT_RECOGNIZED: Rejection = { result: 1, source: 1, reason: 3 }

/**
 * TLS by the secure transport connection profiles of PS3.15 annex B, for listeners with `tls` and for connections
 * that are opened with it.
 *
 * @example
 * await ae.use(tls())
 * await ae.listen({ port: 2762, tls: { cert: './server.pem', key: './server.key', ca: './ca.pem' } })
 */
export const tls: PluginFactory<typeof tlsOptions> = definePlugin({
  name: 'tls',
  version,
  framework: `>=${version} <1`,
  options: tlsOptions,
  listenerOptions: { tls: listenerTlsOptions },

  async apply(api, options) {
    const upkeep = new Upkeep(api.log, options.watchMs)
    const listeners = new ListenerRegistry({ shared: options.listener, resolvePath: api.resolvePath, log: api.log, upkeep })
    const connector = new TlsConnector({
      shared: options.client,
      resolvePath: api.resolvePath,
      log: api.log,
      opened: (credentials) => upkeep.add(credentials),
      closed: (credentials) => upkeep.remove(credentials),
    })
    const rejections = new LimitedWarnings(api.log, TITLE_REJECTED)
    acceptWithTls(api, listeners, rejections)
    api.hooks.ready.tapPromise(async () => {
      // With nothing in it there is nothing to find, and the CAs of Node take their time to read.
      if (Object.keys(options.client).length > 0) await connector.check()
      const warning = profileWarning(options.client.profile ?? DEFAULT_PROFILE)
      if (warning !== undefined) upkeep.warn(`plugins[tls].options.client: ${warning}`)
    })

    api.hooks.outgoingConnection.tapPromise(async (outgoing) => {
      if (outgoing.tls === undefined || outgoing.tls === false) return undefined
      upkeep.start()
      return connector.connect(outgoing)
    })

    const identities = new WeakMap<Association, TlsIdentity>()
    const tooMany = tellOfManyNames(api)
    api.provideService('tls', {
      identityOf(association) {
        const { security, server } = association
        if (security?.isAuthorized !== true || security.peerCertificate === undefined) return undefined
        const known = identities.get(association)
        if (known !== undefined) return known
        const identity = identityIn(security.peerCertificate, identityPolicy(listeners, server, options.listener), () => tooMany(association))
        identities.set(association, identity)
        return identity
      },
    })

    api.hooks.configReload.tapPromise(async ({ config }) => {
      if (tlsIn(config) !== tlsIn(api.config)) api.log.warn('tls of the listeners changed in the configuration: that holds after a restart; their files are read again now')
      await upkeep.checkFiles(true)
    })
    api.hooks.listening.tapPromise(async () => upkeep.start())
    api.hooks.diagnose.tapPromise(async ({ report }) => {
      for (const { level, message } of upkeep.findings()) report({ level, plugin: 'tls', message })
    })
    api.onDispose(() => {
      upkeep.dispose()
      listeners.dispose()
      rejections.dispose()
    })
  },
})

function acceptWithTls(api: PluginApi, listeners: ListenerRegistry, rejections: LimitedWarnings): void {
  // Whatever cannot be used is told of before a socket is opened, and by `dicomtap check`.
  api.hooks.ready.tapPromise(async () => {
    for (const [index, listener] of api.config.listen.entries()) {
      if (isWanted(listener.tls)) await listeners.open(listener.tls, `listen[${index}].tls`)
    }
  })
  api.hooks.listenerOptions.tapPromise({ stage: Stage.Late }, async (listener) => {
    if (!isWanted(listener.tls)) return listener
    const index = api.config.listen.findIndex(({ tls: own }) => JSON.stringify(own) === JSON.stringify(listener.tls))
    const { tls: key } = await listeners.open(listener.tls, index < 0 ? 'listen.tls' : `listen[${index}].tls`)
    return { ...listener, tls: key }
  })
  api.hooks.incomingConnection.tapPromise(async (connection, { server }) => {
    if (!isWanted(server.options.tls)) return connection
    const listener = listeners.of(server)
    if (listener === undefined) {
      connection.socket.destroy()
      throw new Error('the listener has tls, and no certificate was read for it')
    }
    return listener.secure(connection)
  })
  api.hooks.associationRequest.tap({ stage: Stage.Early }, ({ association }) => {
    const { server, callingAeTitle, remoteAddress, id } = association
    const listener = server === undefined ? undefined : listeners.of(server)
    if (server === undefined || listener?.settings.checkCallingAeTitle !== true) return undefined
    const identity = api.injectOptional('tls')?.identityOf(association)
    if (identity?.aeTitles.includes(callingAeTitle.trim()) === true) return undefined
    rejections.note(remoteAddress, {
      association: id,
      callingAeTitle,
      subject: identity?.subject.slice(0, LONGEST_IN_LOG) ?? 'no certificate',
      aeTitles: identity?.aeTitles.join(', ').slice(0, LONGEST_IN_LOG) ?? '',
    })
    return CALLING_AE_TITLE_NOT_RECOGNIZED
  })
}

/** What a certificate may say is longer. */
const LONGEST_IN_LOG = 200
/** Certificates that are told of; a line for each, once. */
const MAXIMUM_TOLD = 100

function tellOfManyNames(api: PluginApi): (association: Association) => void {
  const told = new Set<string>()
  return ({ security, callingAeTitle, remoteAddress }) => {
    const fingerprint = security?.peerCertificate?.fingerprint256 ?? ''
    if (told.has(fingerprint) || told.size >= MAXIMUM_TOLD) return
    told.add(fingerprint)
    api.log.warn('the certificate of a peer has more names than are read', { callingAeTitle, remoteAddress, fingerprint, readOfEachKind: MAXIMUM_NAMES })
  }
}

function tlsIn({ listen }: ResolvedConfig): string {
  return JSON.stringify(listen.map(({ tls: own }) => own))
}

function isWanted(value: ListenerTlsOptions | boolean | null | undefined): value is ListenerTlsOptions | true {
  return value !== undefined && value !== null && value !== false
}

function identityPolicy(listeners: ListenerRegistry, server: AssociationServer | undefined, shared: ListenerTlsOptions): IdentityPolicy {
  const settings = server === undefined ? undefined : listeners.of(server)?.settings
  return settings ?? { identities: shared.identities ?? [], aeTitlesFrom: shared.aeTitlesFrom ?? ['commonName', 'dnsName'] }
}
