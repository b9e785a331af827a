import type { ApplicationEntity } from '@dicomtap/framework'
import type { Stop } from './stop-on-signals.ts'

/** After an error that nobody caught, running operations get this long. */
const CLOSE_DEADLINE_MS = 2_000

/**
 * Errors that escape from plugins. A rejected promise that nobody waits for has harmed its plugin only:
 * it is logged and the server goes on. An exception that nobody caught leaves the process in a state
 * that nobody knows: it is logged and the server closes, exit code 1, for the supervisor to restart it.
 */
export function catchStrayErrors(ae: ApplicationEntity, stop: Stop): void {
  process.on('unhandledRejection', (reason) => {
    ae.log.error('a promise was rejected and nobody handled it', { code: 'DICOMTAP_ERR_PLG_UNHANDLED', ...describe(reason) })
  })
  process.on('uncaughtException', (error) => {
    ae.log.error('an exception was not caught; the server closes', { code: 'DICOMTAP_ERR_PLG_UNHANDLED', ...describe(error) })
    stop.fail(CLOSE_DEADLINE_MS)
  })
}

/** The error, and the package that its stack names first: whom to ask. */
function describe(reason: unknown): Record<string, unknown> {
  const error = reason instanceof Error ? reason : new Error(String(reason))
  const from = /node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)[/\\](?!.*node_modules)/u.exec(error.stack ?? '')?.[1]
  return { error, ...(from === undefined ? {} : { from: from.replace('\\', '/') }) }
}
