import { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import type { ApplicationEntityOptions, ListenerOptions } from '../config/types.ts'
import { definePlugin } from '../define.ts'
import type { HookHandler, HookName } from '../hooks/types.ts'
import type { LogLevel, LogRecord } from '../logger.ts'
import type { PluginInput } from '../plugin/types.ts'

export interface TestServerOptions extends ApplicationEntityOptions {
  readonly plugins?: readonly PluginInput[]
  /** Options of its listener; port 0 at 127.0.0.1 unless they say otherwise. */
  readonly listener?: ListenerOptions
  /** Handlers bound before the listener opens. */
  readonly handlers?: { readonly [Name in HookName]?: HookHandler<Name> }
}

/** A running AE for a test, and what it logged. */
export interface TestServer extends AsyncDisposable {
  readonly ae: ApplicationEntity
  readonly server: AssociationServer
  readonly port: number
  /** Every log line, of all levels; nothing is written to stderr. */
  readonly log: readonly LogRecord[]
  /** The messages logged at one level. */
  logged(level: LogLevel): string[]
  /** Closes the AE without waiting for operations. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * An ApplicationEntity that listens on a free port of 127.0.0.1 and keeps its log to itself.
 *
 * @example
 * await using server = await createTestServer({ plugins: [quarantine({ directory })] })
 * await using scu = await testScu(server, { contexts: [[SopClass.CTImageStorage, TransferSyntax.ExplicitVRLittleEndian]] })
 */
export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { plugins = [], listener, handlers = {}, ...aeOptions } = options
  const log: LogRecord[] = []
  const capture = definePlugin({
    name: 'test-log',
    apply(api) {
      api.setLogSink(
        (record) => log.push(record),
        () => true,
      )
    },
  })
  const ae = new ApplicationEntity(aeOptions)
  for (const name of Object.keys(handlers) as HookName[]) {
    const handler = handlers[name]
    if (handler !== undefined) ae.bind(name, handler as HookHandler<typeof name>)
  }
  await ae.use(capture(), ...plugins)
  const server = await ae.listen({ port: 0, host: '127.0.0.1', ...listener })
  return {
    ae,
    server,
    port: server.port,
    log,
    logged: (level) => log.filter((record) => record.level === level).map(({ message }) => message),
    [Symbol.asyncDispose]: () => ae.close({ deadlineMs: 0 }),
  }
}
