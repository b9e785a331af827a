import { basename } from 'node:path'
import type { ApplicationEntity, AssociationServer, LogLevel, ResolvedConfig } from '@dicomtap/framework'
import { createApplication, override } from '../application.ts'
import { loadConfig } from '../config/load-config.ts'
import { endpoint } from '../output/endpoint.ts'
import { problemsOf } from '../output/report-error.ts'
import { painter, print } from '../output/terminal.ts'
import type { StartOptions } from '../program.ts'
import { catchStrayErrors } from '../stray-errors.ts'
import { stopOnSignals } from '../stop-on-signals.ts'

/** Runs the server until a signal stops it. The answer is the exit code. */
export async function start(options: StartOptions): Promise<number> {
  const overrides = { ...options, logLevel: options.logLevel as LogLevel | 'silent' | undefined }
  const stop = stopOnSignals()
  const hangup = reloadOnHangup()
  const { ae, file, config } = await createApplication(options.config, overrides, (created) => catchStrayErrors(created, stop))
  stop.started(ae)
  try {
    const servers = await ae.listenAll()
    hangup.started(ae, async () => override((await loadConfig({ file: config.file })).config, overrides))
    print(readyLine(ae, servers, config, file))
  } catch (error) {
    await ae.close({ deadlineMs: 0 })
    throw error
  }
  return stop.exitCode
}

function readyLine(ae: ApplicationEntity, servers: readonly AssociationServer[], config: ResolvedConfig, file: string): string {
  const paint = painter(process.stdout)
  const places = servers.map(({ aeTitle, host, port }, index) => {
    const { tls = false } = config.listen[index] ?? {}
    return `${aeTitle} on ${endpoint(host, port)}${tls === false ? '' : ' with TLS'}`
  })
  const plugins = ae.plugins().length
  const details = `${plugins} ${plugins === 1 ? 'plugin' : 'plugins'}, ${basename(file)}, ${Math.round(process.uptime() * 1000)} ms`
  return `${paint('green', 'ready')} ${paint('bold', places.join(', '))} (${details})`
}

/**
 * SIGHUP: a configuration that is wrong is reported, and the one that runs stays. Before the server has
 * started there is nothing to reload, but the signal must not end it. Windows has no such signal.
 */
function reloadOnHangup(): { started(ae: ApplicationEntity, load: () => Promise<ResolvedConfig>): void } {
  let reload = async (): Promise<void> => {}
  let running: Promise<void> | undefined
  if (process.platform !== 'win32') {
    process.on('SIGHUP', () => {
      running ??= reload().finally(() => (running = undefined))
    })
  }
  return {
    started(ae, load) {
      reload = async () => {
        try {
          if (ae.isClosing) return
          await ae.reload(await load())
          ae.log.info('configuration reloaded')
        } catch (error) {
          for (const { code, message } of problemsOf(error)) ae.log.error(`not reloaded: ${message}`, { code })
        }
      }
    },
  }
}
