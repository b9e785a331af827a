import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, SopClass, definePlugin } from '@dicomtap/framework'
import type { Association, AssociateOptions, LogRecord, PluginInput } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import type { TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { tls } from '@dicomtap/plugin-tls'
import type { ListenerTlsOptions, TlsPluginOptions } from '@dicomtap/plugin-tls'

export const CONTEXTS = [{ abstractSyntax: SopClass.Verification }]

/** A server with TLS that answers C-ECHO. */
export function secureServer(
  listenerTls: ListenerTlsOptions | boolean,
  { plugin = {}, plugins = [], ...options }: Omit<TestServerOptions, 'plugins'> & { readonly plugin?: TlsPluginOptions; readonly plugins?: readonly PluginInput[] } = {},
): Promise<TestServer> {
  return createTestServer({
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: ['1.2.840.10008.1.2'] }],
    ...options,
    handlers: { cEcho: () => 0x0000, ...options.handlers },
    plugins: [tls(plugin), ...plugins],
    listener: { tls: listenerTls, ...options.listener },
  })
}

/** A requestor with TLS, closed at the end of the test; and what it logged. */
export async function secureClient(t: ExecutionContext, options: TlsPluginOptions = {}): Promise<{ ae: ApplicationEntity; log: LogRecord[] }> {
  const log: LogRecord[] = []
  const capture = definePlugin({
    name: 'client-log',
    apply(api) {
      api.setLogSink((record) => log.push(record), () => true)
    },
  })
  const ae = new ApplicationEntity({ aeTitle: 'CT1' })
  await ae.use(capture(), tls(options))
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  return { ae, log }
}

export function associate(ae: ApplicationEntity, port: number, options: Partial<AssociateOptions> = {}): Promise<Association> {
  return ae.associate({ host: '127.0.0.1', port, calledAeTitle: 'ARCHIVE', contexts: CONTEXTS, tls: true, ...options })
}

/** The status of a C-ECHO over a connection of its own, or what went wrong. */
export async function echo(ae: ApplicationEntity, port: number, options: Partial<AssociateOptions> = {}): Promise<number | string> {
  try {
    const association = await associate(ae, port, options)
    const { status } = await association.cEcho()
    await association.release()
    return status
  } catch (error) {
    return (error as Error).message
  }
}

/** A bare TLS connection: open, or refused with a code. */
export async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}

export async function failedHandshake(port: number, options: ConnectionOptions): Promise<string> {
  try {
    const socket = await handshake(port, options)
    socket.destroy()
    return 'connected'
  } catch (error) {
    // As OpenSSL up to 3.4 calls the alerts that came with SSL 3.0.
    return (error as { code?: string }).code?.replace('SSL/TLS_ALERT', 'SSLV3_ALERT') ?? (error as Error).message
  }
}

/** A TCP connection that has sent these bytes. */
export async function rawConnection(t: ExecutionContext, port: number, bytes: readonly number[] | string = []): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  if (bytes.length > 0) socket.write(typeof bytes === 'string' ? bytes : Uint8Array.from(bytes))
  return socket
}

/** Everything that it was sent until it was closed. */
export async function untilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(chunks)
}

/** Waits for what has no event. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Why handshakes failed, as the log has it, once there are so many lines. */
export async function failures(server: TestServer, count: number): Promise<string[]> {
  const found = (): string[] => server.log.filter(({ message }) => message === 'TLS handshake failed').map(({ fields }) => String(fields?.['reason']))
  await until(() => found().length >= count)
  return found()
}
