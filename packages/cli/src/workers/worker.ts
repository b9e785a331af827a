import cluster from 'node:cluster'
import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import type { ApplicationEntity, LogLevel, ResolvedConfig } from '@dicomtap/framework'
import { createApplication, override } from '../application.ts'
import { loadConfig } from '../config/load-config.ts'
import { exitCodeOf, problemsOf } from '../output/report-error.ts'
import type { StartOptions } from '../program.ts'
import { serve } from '../serve.ts'
import { describeAssociation } from '../stop-on-signals.ts'
import { catchStrayErrors } from '../stray-errors.ts'
import { PrimaryLink } from './link.ts'
import { WORKER_VARIABLE } from './protocol.ts'
import type { ToWorker } from './protocol.ts'

/** Signals go to the primary; terminals and service managers send them to every process of the group. */
const PRIMARY_SIGNALS = process.platform === 'win32' ? (['SIGINT', 'SIGTERM'] as const) : (['SIGINT', 'SIGTERM', 'SIGHUP'] as const)

/** Was this process forked by `start --workers`? */
export function isWorker(): boolean {
  return process.env[WORKER_VARIABLE] !== undefined && cluster.isWorker
}

/** One of the processes of a server: does what the primary says, and ends with it. */
export async function runWorker(options: StartOptions): Promise<number> {
  for (const signal of PRIMARY_SIGNALS) process.on(signal, () => {})
  const overrides = { ...options, logLevel: options.logLevel as LogLevel | 'silent' | undefined }
  const link = new PrimaryLink(`w${cluster.worker?.id}`, Number(process.env[WORKER_VARIABLE]))
  // Of no concern to commands that a plugin runs.
  delete process.env[WORKER_VARIABLE]
  let ae: ApplicationEntity | undefined
  let isReady = false
  let configured: ResolvedConfig | undefined
  let file = options.config
  let exit: (code: number) => void = () => {}
  const exitCode = new Promise<number>((resolve) => (exit = resolve))

  const close = (deadlineMs: number | undefined, code: number): void => {
    // As a signal during the start of one process.
    if (ae === undefined || !isReady) process.exit(code)
    const { log } = ae
    ae.close(deadlineMs === undefined ? {} : { deadlineMs }).then(
      () => exit(code),
      (error: unknown) => {
        log.error('the close failed', { error })
        exit(1)
      },
    )
  }
  const reload = async (step: 'check' | 'apply'): Promise<void> => {
    try {
      if (step === 'check') configured = override((await loadConfig({ file })).config, overrides)
      else if (configured !== undefined) await ae?.reload(configured)
      link.send({ type: 'reloaded', problems: [] })
    } catch (error) {
      link.send({ type: 'reloaded', problems: problemsOf(error) })
    }
  }
  process.on('message', (message: ToWorker, socket: Socket | undefined) => {
    if (link.took(message, socket)) return
    if (message.type === 'count') link.send({ type: 'counted', associations: ae?.activeAssociations.length ?? 0 })
    else if (message.type === 'close') {
      for (const association of ae?.activeAssociations ?? []) ae?.log.info('waiting for association', describeAssociation(association))
      close(message.deadlineMs, 0)
    } else if (message.type === 'abort') ae?.abort('The server is stopping')
    else if (message.type === 'reload') void reload(message.step)
    else if (message.type === 'log') ae?.log[message.record.level](message.record.message, { ...message.record.fields })
  })

  link.send({ type: 'hearing' })

  try {
    const fail = (deadlineMs: number): void => {
      link.send({ type: 'failing' })
      close(deadlineMs, 1)
    }
    const created = (made: ApplicationEntity): void => {
      ae = made
      catchStrayErrors(made, { fail })
    }
    const application = await createApplication(options.config, overrides, created, link)
    file = application.file
    const servers = await serve(application.ae)
    isReady = true
    link.send({
      type: 'ready',
      details: { servers: servers.map(({ aeTitle, host, port }) => ({ aeTitle, host, port })), plugins: application.ae.plugins().length },
    })
  } catch (error) {
    link.send({ type: 'failed', problems: problemsOf(error), detail: options.verbose === true ? inspect(error, { depth: 4 }) : undefined })
    await ae?.close({ deadlineMs: 0 })
    return exitCodeOf(error)
  }
  return exitCode
}
