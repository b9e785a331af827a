import { createRequire } from 'node:module'
import { DicomtapError, Stage, definePlugin } from '@dicomtap/framework'
import type { AssociationServer, DimseService, IncomingConnection, Operation, PluginApi, PluginFactory, SharedState } from '@dicomtap/framework'
import { AddressSet, parseHost, plainAddress } from './addresses.ts'
import { bearable, destinationOf, mayMoveTo, secured } from './address-book.ts'
import { diagnosePeers } from './diagnose.ts'
import { Gate, associationEnded } from './gate.ts'
import { HostNames } from './host-names.ts'
import type { SharedSlots } from './admission/shared-slots.ts'
import { accessOptions, proxyProtocolOptions } from './options.ts'
import type { ResolvedAccessOptions, ResolvedProxyProtocolOptions } from './options.ts'
import { settingsFor } from './peer-settings.ts'
import { isContextGranted, isRequestGranted } from './policy/decide.ts'
import type { PolicySettings } from './policy/compile.ts'
import type { TlsService, UserIdentityService } from './policy/facts.ts'
import { PolicySource } from './policy-source.ts'
import { receiveProxyHeader } from './proxy-protocol/receive.ts'
import { REFUSED_STATUS, SERVICE_HOOKS } from './refused-status.ts'
import { publicPeer } from './service.ts'
import { unknownPeersPath } from './unknown-peers/file.ts'
import type { SharedUnknownPeers } from './unknown-peers/shared-list.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/**
 * Who may associate, from where, for what and how many at once: a peers file, rules, and the PROXY protocol of
 * load balancers. Denies by default.
 *
 * @example
 * await ae.use(access({ peers: './peers.yaml' }))
 */
export const access: PluginFactory<typeof accessOptions> = definePlugin({
  name: 'access',
  version,
  framework: `>=${version} <1`,
  // What they know of a peer is asked for.
  after: ['logging', 'tls', 'user-identity'],
  options: accessOptions,
  listenerOptions: { proxyProtocol: proxyProtocolOptions },

  async apply(api, options) {
    const path = api.resolvePath(options.peers)
    const hostNames = new HostNames({ log: api.log, resolveMs: options.resolveMs })
    const slots = await api.shareState<SharedSlots>('slots', new URL('./admission/shared-slots.js', import.meta.url), {})
    const unknownPeers = unknownPeersOf(api, options, path)
    const source = new PolicySource({
      path,
      settings: policySettings(options),
      hostNames,
      log: api.log,
      watchMs: options.watchMs,
      changed: (policy) => {
        slots.tell('keepOnly', [policy.unknown.key, ...policy.peers.map(({ key }) => key)])
        const isKnown = (aeTitle: string, address: string): boolean =>
          policy.candidates(aeTitle).some((peer) => peer.hasCertificate === undefined && peer.isAt(plainAddress(address), hostNames.addressesOf))
        void unknownPeers.forget(isKnown)
      },
    })
    try {
      await source.load()
    } catch (cause) {
      throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', (cause as Error).message, { cause })
    }
    const gate = new Gate({
      policy: () => source.current,
      hostNames,
      log: api.log,
      slots,
      unknownPeers: () => unknownPeers.current,
      tls: api.injectOptional<TlsService>('tls'),
      userIdentity: api.injectOptional<UserIdentityService>('user-identity'),
    })
    tapLifecycle(api, options, { source, hostNames, unknownPeers, gate, path })
    tapProxyProtocol(api, gate)
    tapAssociations(api, gate)
    tapServices(api, gate)
    api.hooks.moveDestination.tap((aeTitle) => destinationOf(source.current, aeTitle))
    // TLS first, for those who say something only when it is there; what a peer cannot bear last, whoever added it.
    api.hooks.outgoingAssociation.tap({ stage: Stage.Early }, (outgoing) => secured(source.current, outgoing))
    api.hooks.outgoingAssociation.tap({ stage: Stage.Fallback + 1 }, (outgoing) => bearable(source.current, outgoing))
    api.provideService('access', {
      peerOf: (association) => {
        const peer = gate.guestOf(association)?.admission.peer
        return peer === undefined ? undefined : publicPeer(peer)
      },
      peers: () => source.current.peers.map(publicPeer),
      destinationOf: (aeTitle) => destinationOf(source.current, aeTitle),
    })
  },
})

export function policySettings({ default: fallback, lenientAeTitles, calledAeTitles, rejections }: ResolvedAccessOptions): PolicySettings {
  return { default: fallback, comparison: lenientAeTitles ? 'lenient' : 'exact', calledAeTitles, rejections }
}

/** Where the list of unknown peers is; undefined: none is kept. */
export function unknownPeersFile({ unknownPeers }: ResolvedAccessOptions, peersPath: string, resolvePath: (path: string) => string): string | undefined {
  if (unknownPeers === false) return undefined
  return unknownPeers.file === undefined ? unknownPeersPath(peersPath) : resolvePath(unknownPeers.file)
}

/** The list of unknown peers, once the server is ready. */
interface UnknownPeersOfServer {
  readonly current: SharedState<SharedUnknownPeers> | undefined
  open(): Promise<void>
  /** Takes out those that are known now. */
  forget(isKnown: (aeTitle: string, address: string) => boolean): Promise<void>
}

function unknownPeersOf(api: PluginApi, { unknownPeers, ...options }: ResolvedAccessOptions, peersPath: string): UnknownPeersOfServer {
  const path = unknownPeersFile({ ...options, unknownPeers }, peersPath, api.resolvePath)
  let current: SharedState<SharedUnknownPeers> | undefined
  return {
    get current() {
      return current
    },
    async open() {
      if (path === undefined || unknownPeers === false) return
      const module = new URL('./unknown-peers/shared-list.js', import.meta.url)
      current = await api.shareState<SharedUnknownPeers>('unknown-peers', module, { path, maximum: unknownPeers.maximum })
    },
    async forget(isKnown) {
      try {
        const known = (await current?.call('all'))?.filter(({ aeTitle, address }) => isKnown(aeTitle, address)) ?? []
        if (known.length > 0) current?.tell('forget', known)
      } catch (error) {
        api.log.warn('peers that are known now stay in the list of unknown ones', { error })
      }
    },
  }
}

interface Parts {
  readonly source: PolicySource
  readonly hostNames: HostNames
  readonly unknownPeers: UnknownPeersOfServer
  readonly gate: Gate
  readonly path: string
}

function tapLifecycle(api: PluginApi, options: ResolvedAccessOptions, { source, hostNames, unknownPeers, gate, path }: Parts): void {
  api.hooks.ready.tapPromise(async () => {
    const { current: policy } = source
    await Promise.all([hostNames.use(policy.hostNames), unknownPeers.open()])
    if (policy.peers.length === 0 && policy.rules.length === 0) {
      const state = source.isMissing ? 'is not there' : 'names no peer'
      if (options.default === 'deny') {
        api.log.warn(`NOBODY MAY ASSOCIATE: the peers file ${state}. Let somebody in: dicomtap peers add <AE title> --host <address>`, { file: path })
      } else {
        api.log.warn(`everybody may associate: the peers file ${state}, and the default is to allow`, { file: path, may: policy.unknown.rights.names.join(', ') })
      }
    } else {
      api.log.info('access by the peers file', { file: path, peers: policy.peers.length, rules: policy.rules.length, default: options.default })
    }
    source.watch()
    hostNames.start()
    gate.refusals.start()
  })
  api.hooks.configReload.tapPromise(() => source.reload())
  api.hooks.diagnose.tapPromise(async ({ report }) => {
    await hostNames.use(source.current.hostNames)
    const findings = await diagnosePeers({
      path,
      options,
      policy: source.current,
      isMissing: source.isMissing,
      unresolved: hostNames.problems,
      config: api.config,
      hasTls: api.injectOptional('tls') !== undefined,
      hasUserIdentity: api.injectOptional('user-identity') !== undefined,
    })
    for (const finding of findings) report({ ...finding, plugin: 'access' })
  })
  api.onDispose(() => {
    source.unwatch()
    hostNames.stop()
    gate.refusals.stop()
  })
}

function tapProxyProtocol(api: PluginApi, gate: Gate): void {
  const trustedBy = new WeakMap<AssociationServer, AddressSet>()
  const trustedOf = (server: AssociationServer, { trusted }: ResolvedProxyProtocolOptions): AddressSet => {
    const known = trustedBy.get(server) ?? AddressSet.of(trusted.flatMap((text) => parseHost(text) ?? []))
    trustedBy.set(server, known)
    return known
  }
  // Before TLS: the header is in front of the handshake.
  api.hooks.incomingConnection.tapPromise({ stage: Stage.Early }, async (connection: IncomingConnection, { server }) => {
    const options = server.options.proxyProtocol as ResolvedProxyProtocolOptions | undefined
    if (options === undefined) return connection
    const reception = await receiveProxyHeader(connection, options, trustedOf(server, options))
    if (reception.outcome === 'go-on') return reception.connection
    const { problem } = reception
    if (problem !== undefined) {
      gate.refusals.note({
        message: 'connection refused: PROXY protocol',
        key: `proxy ${problem} ${connection.remoteAddress}`,
        fields: { remoteAddress: connection.remoteAddress, port: connection.localPort, why: problem },
      })
    }
    connection.socket.destroy()
    return connection
  })
}

function tapAssociations(api: PluginApi, gate: Gate): void {
  const { hooks } = api
  hooks.associationRequest.tapPromise({ stage: Stage.Guard }, ({ association }) => gate.request(association))
  hooks.associationSettings.tap({ stage: Stage.Early }, (settings, { association }) => {
    const guest = gate.guestOf(association)
    return guest === undefined ? settings : settingsFor(settings, guest.admission.profile.profile)
  })
  hooks.authorization.tap({ stage: Stage.Guard }, ({ association }) => gate.authorize(association))
  hooks.acceptedContexts.tap({ stage: Stage.Late }, (contexts, { association }) => {
    const guest = gate.guestOf(association)
    if (guest === undefined) return []
    const kept = contexts.filter(({ abstractSyntax, asScu }) => isContextGranted(guest.admission.grant, abstractSyntax, asScu))
    if (kept.length < contexts.length) {
      if (kept.length === 0) gate.noteNoContext(association)
      api.log.debug('contexts left out for want of a right', { association: association.id, accepted: kept.length, of: contexts.length })
    }
    return kept
  })
  hooks.associationRejected.tap(({ association }) => associationEnded(association))
  hooks.associationReleased.tap(({ association }) => associationEnded(association))
  hooks.associationAborted.tap(({ association }) => associationEnded(association))
}

function tapServices(api: PluginApi, gate: Gate): void {
  const mayAsk = (operation: Operation): boolean => {
    const { association, service, context, sopClassUid } = operation
    // What a peer sends on an association that this side asked for, this side asked for.
    if (association.role === 'requestor') return true
    const guest = gate.guestOf(association)
    return guest !== undefined && isRequestGranted(guest.admission.grant, service, context.abstractSyntax, sopClassUid)
  }
  const refuse = (operation: Operation, why: string): { status: number; errorComment: string } => {
    const { association, service, sopClassUid } = operation
    gate.refusals.note({
      message: 'request refused',
      key: `${service} ${association.remoteAddress} ${association.callingAeTitle} ${why}`,
      fields: { association: association.id, callingAeTitle: association.callingAeTitle, remoteAddress: association.remoteAddress, service, sopClassUid, why },
    })
    return { status: REFUSED_STATUS[service], errorComment: 'Not authorized' }
  }
  for (const [service, hook] of Object.entries(SERVICE_HOOKS) as [DimseService, 'cEcho'][]) {
    if (service === 'C-MOVE') continue
    api.hooks[hook].tap({ stage: Stage.Guard }, (_request, operation) => (mayAsk(operation) ? undefined : refuse(operation, 'the peer has no right to it')))
  }
  api.hooks.cMove.tap({ stage: Stage.Guard }, (request, operation) => {
    if (!mayAsk(operation)) return refuse(operation, 'the peer has no right to it')
    const guest = gate.guestOf(operation.association)
    if (guest === undefined || mayMoveTo(guest.policy, guest.admission.profile, guest.facts.callingAeTitle, request.moveDestination)) return undefined
    return refuse(operation, 'the peer may not have objects moved there')
  })
}
