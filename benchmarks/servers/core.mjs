#!/usr/bin/env node
// The core without ApplicationEntity, plugin container and tapable: connections go to the framework's own upper layer and
// DIMSE providers, and the handlers of C-ECHO and C-STORE are called straight. What hooks and plugins cost is the difference
// to `server.mjs --discard`, which has the same handlers as plugins.
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { HOOK_NAMES } from '@dicomtap/framework'
import { internal } from '../micro/internals.mjs'

const { values } = parseArgs({ options: { port: { type: 'string' } } })
const [{ DulServiceProvider }, { DimseServiceProvider }, { resolveLimits, resolveTimeouts }] = await Promise.all(
  ['dul/provider.js', 'dimse/provider.js', 'config/defaults.js'].map(internal),
)
const takeOver = await internal('dul/take-over.js').catch(() => ({}))

const nothing = () => undefined
const log = { error: console.error, warn: console.error, info: nothing, debug: nothing, trace: nothing, isEnabled: () => false, child: () => log }
const limits = resolveLimits()
const timeouts = resolveTimeouts()
const HANDLERS = {
  cEcho: async () => 0x0000,
  cStore: async ({ dataSet }) => {
    await dataSet.pipeTo({ write: nothing })
    return 0x0000
  },
}
/** As the table of hooks, with the handlers alone. */
const hooks = Object.fromEntries(HOOK_NAMES.map((name) => [name, { taps: name in HANDLERS ? [{}] : [], promise: HANDLERS[name], call: nothing }]))
const ae = { log }

/** Accepts every context with its first transfer syntax, performs what comes, releases. */
class Core {
  hooks = hooks
  log = log
  limits = limits
  timeouts = timeouts
  maximumOperationsPerformed = 1
  maximumOperationsInvoked = 1
  association = { ae, id: 'a', log }
  contexts = new Map()
  peerMaximumLength = 0
  dul
  dimse

  constructor(socket) {
    this.dul = new DulServiceProvider({ user: this, ...limits, associateLimits: limits })
    this.dul.accept(socket)
  }

  get isOpenForSending() {
    return this.dul.state === 'Sta6' || this.dul.state === 'Sta8'
  }

  associateIndication(request) {
    for (const { id, abstractSyntax, transferSyntaxes } of request.presentationContexts) {
      this.contexts.set(id, { id, abstractSyntax, transferSyntax: transferSyntaxes[0], asScu: false, asScp: true })
    }
    this.peerMaximumLength = request.userInformation.find(({ type }) => type === 0x51)?.maximumLengthReceived ?? 0
    this.dimse = new DimseServiceProvider(this)
    this.dul.issue({
      ...request,
      type: 'A-ASSOCIATE-AC',
      presentationContexts: [...this.contexts.values()].map(({ id, transferSyntax }) => ({ id, result: 0, transferSyntax })),
      userInformation: [{ type: 0x51, maximumLengthReceived: limits.maximumPduBytes }, { type: 0x52, implementationClassUid: '2.25.1' }],
    })
  }

  pDataIndication(...fragment) {
    this.dimse.fragment(...fragment)
  }

  readIndication() {
    this.dimse?.readEnd()
  }

  releaseIndication() {
    this.dul.issue({ type: 'A-RELEASE-RP' })
  }

  silenceIndication() {
    return true
  }

  abort(message) {
    console.error(message)
    this.dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
  }

  closedIndication = nothing
  abortIndication = nothing
  refusalIndication = nothing
  refusedIndication = nothing
}

// Sockets are made as the listener of an ApplicationEntity makes them.
createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => new Core(takeOver.takeOver?.(accepted) ?? accepted)).listen(Number(values.port), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
