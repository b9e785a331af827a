import { dirname, resolve as resolvePath } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { RequestedContext, SupportedContext } from './acse/types.ts'
import { AssociationServer } from './association-server.ts'
import { ANSWER_CHECKS } from './association/answer-checks.ts'
import type { AssociateOptions } from './association/associate-options.ts'
import type { Association, AssociationEnvironment } from './association/association.ts'
import { AssociationPool } from './association/pool.ts'
import { AssociationRegistry } from './association/registry.ts'
import { withoutContext } from './association/requested-contexts.ts'
import type { AssociationSettings } from './association/settings.ts'
import type { SharedPlaces } from './association/shared-places.ts'
import { SupportedContexts } from './association/supported-contexts.ts'
import { requestAssociation } from './associate.ts'
import { closeApplicationEntity } from './close.ts'
import type { CloseOptions } from './close.ts'
import { associationSettings, resolveScope } from './config/association-settings.ts'
import { parseRequestedContexts } from './config/associate-rule.ts'
import { resolveLimits, resolveTimeouts } from './config/defaults.ts'
import type { ApplicationEntityOptions, Limits, ListenerOptions, ResolvedConfig, Timeouts } from './config/types.ts'
import { parseConfig, parseListenerOptions } from './config/schema.ts'
import { createLogger } from './console-log.ts'
import type { ReplaceableLogger } from './console-log.ts'
import { describeApplicationEntity, printsAs } from './describe.ts'
import type { Operation } from './dimse/types.ts'
import { diagnose } from './diagnose.ts'
import { DicomtapError } from './errors/index.ts'
import type { ErrorCode } from './errors/index.ts'
import { BindingDispatcher } from './hooks/bindings.ts'
import { Bindable } from './hooks/bindable.ts'
import type { HandlerBindings } from './hooks/bindings.ts'
import { createHooks } from './hooks/create-hooks.ts'
import { createGuardContext } from './hooks/guard-context.ts'
import { handlerLimitMs } from './hooks/handler-limits.ts'
import { runLifecycle, transform } from './hooks/run.ts'
import type { Finding, HookTable } from './hooks/types.ts'
import { FRAMEWORK_VERSION, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from './identity.ts'
import type { Logger } from './logger.ts'
import { PluginContainer } from './plugin/container.ts'
import type { PluginInfo } from './plugin/container.ts'
import type { PluginInput } from './plugin/types.ts'
import type { WarmUpOptions, WarmUpResult } from './rehearsal/rehearse.ts'
import { LocalStates } from './server-process.ts'
import type { ServerProcess, SharedState } from './server-process.ts'

/** A server that has just started is asked at once, if at all. */
const BEFORE_WARM_UP_MS = 100

/**
 * A DICOM application entity: titles, contexts, limits, hooks and plugins, and the listeners that let
 * peers in.
 *
 * @example
 * const ae = new ApplicationEntity({ aeTitle: 'ARCHIVE' })
 * await ae.use(verification(), storage({ directory: './data' }))
 * const server = await ae.listen({ port: 11112 })
 * // ...
 * await ae.close()
 */
export class ApplicationEntity extends Bindable {
  static {
    printsAs(ApplicationEntity.prototype, describeApplicationEntity)
  }

  readonly aeTitle: string
  readonly implementationClassUid: string
  readonly implementationVersionName: string | null
  readonly timeouts: Timeouts
  readonly limits: Limits
  /** The hook table. Plugins get a tap-only view of it; `bind` is for handlers at run time. */
  readonly hooks: HookTable
  readonly log: Logger
  /** @internal */
  override readonly bindings: HandlerBindings
  /** @internal What C-MOVE sub-operations go out on. */
  readonly subAssociations: AssociationPool = new AssociationPool({ associate: (options, operation) => this.associate(options, operation) })
  readonly #config: ResolvedConfig
  readonly #dispatcher: BindingDispatcher
  readonly #plugins: PluginContainer
  readonly #registry = new AssociationRegistry()
  readonly #contexts: SupportedContexts
  #requestedContexts: readonly RequestedContext[] = []
  readonly #servers: AssociationServer[] = []
  readonly #serverProcess: ServerProcess | undefined
  readonly #localStates: LocalStates
  readonly #abort = new AbortController()
  readonly #stopWarmUp = new AbortController()
  #warmingUp: Promise<WarmUpResult> | undefined
  #isSealed = false
  #starting: Promise<void> | undefined
  #associations = 0
  #isPreClosed = false
  #closing: Promise<void> | undefined
  #closesAtMs: number | undefined

  /**
   * @param options also a whole resolved config, as `parseConfig` gives it.
   * @param serverProcess given when this is one of several processes of a server.
   * @throws DICOMTAP_ERR_CFG_INVALID with one line per value that is not allowed.
   */
  constructor(options: ApplicationEntityOptions | ResolvedConfig = {}, serverProcess?: ServerProcess) {
    super()
    this.#serverProcess = serverProcess
    // What parseConfig gave has been checked, and knows its file.
    const config = 'file' in options ? options : parseConfig(options)
    this.#config = config
    this.aeTitle = config.aeTitle
    this.implementationClassUid = config.implementationClassUid ?? IMPLEMENTATION_CLASS_UID
    this.implementationVersionName =
      config.implementationVersionName === undefined ? IMPLEMENTATION_VERSION_NAME : config.implementationVersionName
    this.timeouts = resolveTimeouts(config.timeouts)
    this.limits = resolveLimits(config.limits)
    this.#contexts = new SupportedContexts(config.contexts)
    this.hooks = createHooks()
    const common = serverProcess === undefined ? {} : { worker: serverProcess.name }
    const log: ReplaceableLogger = createLogger({ level: config.logLevel ?? 'info', common })
    this.log = log
    this.#localStates = new LocalStates(log)
    const guardContext = createGuardContext({
      table: this.hooks,
      log: this.log,
      isSealed: () => this.#isSealed,
      checks: ANSWER_CHECKS,
      limitMs: (hook) => handlerLimitMs(hook, this.timeouts, this.#closesAtMs),
    })
    this.#dispatcher = new BindingDispatcher(this.hooks, guardContext)
    this.bindings = this.#dispatcher.root
    this.#plugins = new PluginContainer({
      applicationEntity: this,
      hooks: this.hooks,
      config,
      frameworkVersion: FRAMEWORK_VERSION,
      guardContext,
      disposeTimeoutMs: this.limits.closeDeadlineMs,
      host: {
        supportSopClass: ({ uid, transferSyntaxes, roles }) => {
          this.addSupportedContext(uid, transferSyntaxes, roles)
        },
        setLogSink: (sink, isEnabled) => log.setSink(sink, isEnabled),
        logger: this.log.child({}, 'plugin'),
        signal: this.#abort.signal,
        shareState: (name, module, options) => this.#shareState(name, module, options),
        resolvePath: (path) => resolvePath(config.file === undefined ? process.cwd() : dirname(config.file), path),
      },
    })
  }

  get config(): ResolvedConfig {
    return this.#config
  }

  /** Contexts offered to peers, by abstract syntax. Assigning replaces them all. */
  get supportedContexts(): readonly SupportedContext[] {
    return this.#contexts.list
  }
  set supportedContexts(contexts: readonly SupportedContext[]) {
    this.#contexts.replace(contexts)
  }

  /**
   * Supports an abstract syntax, or adds transfer syntaxes to it (default: the uncompressed ones of
   * PS3.5 10, of a video class its codecs before them). Holds for associations requested from now on.
   * @throws DICOMTAP_ERR_CFG_INVALID when a UID is none.
   */
  addSupportedContext(
    abstractSyntax: string,
    transferSyntaxes?: readonly string[],
    roles?: { readonly scu: boolean; readonly scp: boolean },
  ): void {
    this.#contexts.add(abstractSyntax, transferSyntaxes, roles)
  }

  /** Takes transfer syntaxes, or the whole abstract syntax, away. What is not there is ignored. */
  removeSupportedContext(abstractSyntax: string, transferSyntaxes?: readonly string[]): void {
    this.#contexts.remove(abstractSyntax, transferSyntaxes)
  }

  /** Associations that were admitted or requested and have not ended. */
  get activeAssociations(): readonly Association[] {
    return this.#registry.active
  }

  /** The listeners that were opened and not closed. */
  get servers(): readonly AssociationServer[] {
    return this.#servers.filter((server) => server.isListening)
  }

  /** The name of this process, when it is one of several of a server: `w1`. */
  get worker(): string | undefined {
    return this.#serverProcess?.name
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** Plugins that have started, in order. */
  plugins(): PluginInfo[] {
    return this.#plugins.list()
  }

  /**
   * Adds plugins and starts them: falsy entries are skipped, arrays flattened. Plugins that depend on
   * each other go into one call, in any order.
   * @throws DICOMTAP_ERR_PLG_*
   */
  async use(...plugins: PluginInput[]): Promise<this> {
    if (this.#isSealed) {
      throw new DicomtapError('DICOMTAP_ERR_HOOK_AFTER_LISTEN', 'Plugins must be added before the first listen() or associate()')
    }
    this.#plugins.use(...plugins)
    await this.#plugins.boot()
    return this
  }

  /**
   * Everything before the first socket: `configResolved` and `ready` hooks. `listen` does it when it was
   * not done. @throws what a handler threw.
   */
  ready(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    await this.#plugins.boot()
    // What a listener asks for and no plugin brings must not wait for the listener to be told of.
    for (const [index, listener] of this.#config.listen.entries()) await this.#plugins.listenerOptions(listener, `listen[${index}]`)
    await runLifecycle(this.hooks.configResolved, { applicationEntity: this, config: this.#config })
    await this.#shareLimits()
    await runLifecycle(this.hooks.ready, { applicationEntity: this })
    this.#isSealed = true
  }

  /**
   * Opens a listener. Hooks cannot be tapped by plugins any more from here on.
   * @throws DICOMTAP_ERR_NET_LISTEN, DICOMTAP_ERR_CFG_INVALID, and what handlers of lifecycle hooks throw.
   */
  async listen(options: ListenerOptions = {}): Promise<AssociationServer> {
    this.#refuseWhenClosed()
    const checked = parseListenerOptions(options)
    await this.ready()
    const index = this.#config.listen.indexOf(options)
    const complete = await this.#plugins.listenerOptions(checked, index < 0 ? 'listen' : `listen[${index}]`)
    const listener = await transform(this.hooks.listenerOptions, complete, { applicationEntity: this })
    const server = this.#createServer(listener)
    // It may have been closed while handlers were asked, or the socket opened.
    this.#refuseWhenClosed()
    await server.open()
    this.#servers.push(server)
    try {
      this.#refuseWhenClosed()
      await runLifecycle(this.hooks.listening, { applicationEntity: this, server })
    } catch (error) {
      await server.close()
      throw error
    }
    if (this.#config.warmUp === true) void this.warmUp()
    return server
  }

  /**
   * Rehearses what peers will ask for, so that the first of them finds compiled code: JavaScript that has not run often
   * is several times slower, for thousands of messages. Begins when nobody has needed the server for a moment, waits
   * while there are associations, and ends after `budgetMs`, or with `close`. Nobody sees it: private
   * ApplicationEntities are sent associations, C-ECHOs and C-STOREs over the loopback interface, no hook of this one is
   * called but `warmUp`, and nothing is logged or stored. Called again, it returns the same promise, which never
   * rejects. `dicomtap start` does it unless `warmUp` is false.
   *
   * @example
   * const server = await ae.listen({ port: 11112 })
   * void ae.warmUp()
   */
  warmUp(options: WarmUpOptions = {}): Promise<WarmUpResult> {
    this.#warmingUp ??= this.#rehearse(options)
    return this.#warmingUp
  }

  /** @internal A listener without a socket: connections are handed to it. */
  async unboundServer(): Promise<AssociationServer> {
    await this.ready()
    return this.#createServer({})
  }

  async #rehearse(options: WarmUpOptions): Promise<WarmUpResult> {
    const { signal } = this.#stopWarmUp
    // Even to load it would delay who has waited for the server to be there.
    await delay(BEFORE_WARM_UP_MS, undefined, { ref: false, signal }).catch(() => {})
    const { rehearse } = await import('./rehearsal/rehearse.ts')
    return rehearse(
      {
        applicationEntity: this,
        createRehearsal: () => silentLike(this.#config),
        isIdle: () => this.#registry.isIdle,
        signal,
      },
      options,
    )
  }

  /**
   * Requests an association with a peer (PS3.8 7.1) and resolves when it is established, with one context
   * accepted at least. Hooks cannot be tapped by plugins any more from here on.
   *
   * @param operation the C-MOVE that the association is for, as the hooks are told; of use to the core alone.
   * @throws AssociationRejectedError (DICOMTAP_ERR_ACSE_REJECTED) with result, source and reason;
   * DICOMTAP_ERR_NET_CONNECT when there is no connection within `timeouts.connectionMs`;
   * DICOMTAP_ERR_ACSE_TIMEOUT when the peer does not answer within `timeouts.acseMs`; AssociationAbortedError
   * (DICOMTAP_ERR_ACSE_ABORTED) when the peer, a handler or `signal` ended it; DICOMTAP_ERR_ACSE_CONTEXT when no
   * context was accepted; DICOMTAP_ERR_ACSE_REQUEST when the options are no request, one line per mistake, or
   * the application entity is closed; DICOMTAP_ERR_TLS_UNAVAILABLE; DICOMTAP_ERR_HOOK_FAILED when a handler
   * threw; DICOMTAP_ERR_HOOK_ANSWER when what one gave is no socket.
   * @example
   * await using association = await ae.associate({
   *   host: 'pacs', port: 104, calledAeTitle: 'PACS',
   *   contexts: [{ abstractSyntax: SopClass.Verification }],
   * })
   * const { status } = await association.cEcho()
   */
  associate(options: AssociateOptions, operation?: Operation): Promise<Association> {
    return requestAssociation(
      {
        hooks: this.hooks,
        defaults: { callingAeTitle: this.aeTitle, contexts: this.#requestedContexts },
        ready: () => this.ready(),
        settingsFor: (checked) => associationSettings(checked, this, resolveScope(checked, this, this.#contexts)),
        environmentFor: (settings) => this.#environmentFor(undefined, settings),
        refuseWhenClosed: () => {
          // `preClose` may need associations to finish what was begun. A C-MOVE that runs has until the deadline of
          // `close`, and its signal ends it then.
          if (operation === undefined && this.#isPreClosed) this.#refuseWhenClosed('DICOMTAP_ERR_ACSE_REQUEST')
        },
      },
      options,
      operation,
    )
  }

  /** Contexts that `associate` proposes when it is given none, in order. Assigning replaces them all. */
  get requestedContexts(): readonly RequestedContext[] {
    return this.#requestedContexts
  }
  set requestedContexts(contexts: readonly RequestedContext[]) {
    this.#requestedContexts = parseRequestedContexts(contexts)
  }

  /**
   * Adds a context to propose. The same abstract syntax may be there several times, with different transfer
   * syntaxes, so that the peer can accept each.
   * @throws DICOMTAP_ERR_ACSE_REQUEST when a UID is none, or there are 128 already.
   */
  addRequestedContext(
    abstractSyntax: string,
    transferSyntaxes?: readonly string[],
    roles?: { readonly scu: boolean; readonly scp: boolean },
  ): void {
    const context = { abstractSyntax, ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }), ...(roles === undefined ? {} : { roles }) }
    this.requestedContexts = [...this.#requestedContexts, context]
  }

  /** Takes transfer syntaxes, or the whole abstract syntax, away from the contexts to propose. What is not there is ignored. */
  removeRequestedContext(abstractSyntax: string, transferSyntaxes?: readonly string[]): void {
    this.#requestedContexts = withoutContext(this.#requestedContexts, abstractSyntax, transferSyntaxes)
  }

  /** Opens every listener of the config, port 11112 when it names none; all or none. */
  async listenAll(): Promise<readonly AssociationServer[]> {
    const opened: AssociationServer[] = []
    try {
      for (const listener of this.#config.listen) opened.push(await this.listen(listener))
    } catch (error) {
      await Promise.all(opened.map((server) => server.close()))
      throw error
    }
    return opened
  }

  /** Tells plugins about a changed config; what a plugin cannot change at run time it says so itself. */
  async reload(config: ResolvedConfig): Promise<void> {
    await runLifecycle(this.hooks.configReload, { applicationEntity: this, config })
  }

  /**
   * Asks the plugins whether all is well, e.g. whether certificates are about to expire. Needs no listener.
   * @throws what `ready` throws.
   */
  async diagnose(): Promise<readonly Finding[]> {
    await this.ready()
    return diagnose(this)
  }

  /**
   * Closes gracefully: refuse new associations, `preClose`, wait for running operations until the
   * deadline, abort the rest, dispose plugins in reverse order. Every call gets the same promise.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const deadlineMs = options.deadlineMs ?? this.limits.closeDeadlineMs
    this.#closesAtMs ??= performance.now() + deadlineMs
    this.#stopWarmUp.abort()
    this.#closing ??= closeApplicationEntity({
      ae: this,
      warmUp: this.#warmingUp,
      servers: this.#servers,
      registry: this.#registry,
      subAssociations: this.subAssociations,
      plugins: { dispose: () => this.#dispose() },
      signal: this.#abort,
      preClosed: () => {
        this.#isPreClosed = true
      },
      deadlineAtMs: this.#closesAtMs,
    })
    return this.#closing
  }

  /** Aborts every association now; `close` then has nothing to wait for. */
  abort(message = 'The server is stopping'): void {
    for (const association of this.#registry.all) association.abort(message)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What it is and has, on several lines, for people: titles, listeners, contexts, limits, associations. */
  override toString(): string {
    return describeApplicationEntity(this)
  }

  #shareState<T extends object>(name: string, module: string, options: unknown): Promise<SharedState<T>> {
    const process = this.#serverProcess
    if (process === undefined) return this.#localStates.open(name, module, options)
    return process.openState(name, module, options) as Promise<SharedState<unknown>> as Promise<SharedState<T>>
  }

  async #shareLimits(): Promise<void> {
    const process = this.#serverProcess
    if (process === undefined) return
    const module = new URL('./association/shared-places.js', import.meta.url).href
    this.#registry.share({ process, places: await this.#shareState<SharedPlaces>('associations', module, {}) })
  }

  async #dispose(): Promise<Error[]> {
    const failed = await this.#plugins.dispose()
    await this.#localStates.dispose()
    return failed
  }

  #refuseWhenClosed(code: ErrorCode = 'DICOMTAP_ERR_NET_LISTEN'): void {
    if (this.isClosing) throw new DicomtapError(code, 'The application entity is closed')
  }

  #createServer(options: ListenerOptions): AssociationServer {
    const scope = resolveScope(options, this, options.contexts === undefined ? this.#contexts : new SupportedContexts(options.contexts))
    let settings: AssociationSettings | undefined
    return new AssociationServer({
      ae: this,
      options,
      bindings: this.#dispatcher.createBindings(),
      log: this.log,
      hooks: this.hooks,
      registry: this.#registry,
      process: this.#serverProcess,
      settings: () => {
        // Of what they are made only the contexts change.
        if (settings?.supportedContexts !== scope.contexts.map) settings = Object.freeze(associationSettings(options, this, scope))
        return settings
      },
      environmentFor: (server, settings) => this.#environmentFor(server, settings),
    })
  }

  #environmentFor(server: AssociationServer | undefined, settings: AssociationSettings): AssociationEnvironment {
    this.#associations += 1
    return {
      ae: this,
      server,
      id: `${this.#serverProcess === undefined ? '' : `${this.#serverProcess.name}-`}a${this.#associations}`,
      hooks: this.hooks,
      log: this.log,
      registry: this.#registry,
      settings,
      bindings: this.#dispatcher.createBindings(),
    }
  }
}

/** One of the same settings that nobody hears of. */
function silentLike(config: ResolvedConfig): ApplicationEntity {
  return new ApplicationEntity({ ...config, logLevel: 'silent', warmUp: false, requireUserIdentity: false, listen: [], plugins: [] })
}
