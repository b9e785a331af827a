import type { LogLevel } from '@dicomtap/framework'
import { createApplication, override } from '../application.ts'
import { loadConfig } from '../config/load-config.ts'
import { print } from '../output/terminal.ts'
import type { StartOptions } from '../program.ts'
import { readyLine } from '../ready-line.ts'
import { reloadOnHangup } from '../reload-on-hangup.ts'
import { serve } from '../serve.ts'
import { stopOnSignals, stoppable } from '../stop-on-signals.ts'
import { catchStrayErrors } from '../stray-errors.ts'
import { WORKER_VARIABLE } from '../workers/protocol.ts'
import { workerCount } from '../workers/worker-count.ts'

/** Runs the server until a signal stops it. The answer is the exit code. */
export async function start(options: StartOptions): Promise<number> {
  if (process.env[WORKER_VARIABLE] !== undefined) {
    const { isWorker, runWorker } = await import('../workers/worker.ts')
    if (isWorker()) return runWorker(options)
  }
  const stop = stopOnSignals()
  const hangup = reloadOnHangup()
  const overrides = { ...options, logLevel: options.logLevel as LogLevel | 'silent' | undefined }
  const loaded = await loadConfig({ file: options.config })
  const workers = workerCount(options.workers, loaded.config)
  if (workers > 1) {
    const { runPrimary } = await import('../workers/primary.ts')
    const config = override(loaded.config, overrides)
    return runPrimary({ workers, config, file: loaded.file, stop, hangup, isVerbose: options.verbose === true })
  }
  const { ae, file, config } = await createApplication(loaded, overrides, (created) => catchStrayErrors(created, stop))
  stop.started(stoppable(ae))
  try {
    const servers = await serve(ae)
    hangup.started({
      log: ae.log,
      get isClosing() {
        return ae.isClosing
      },
      reload: async () => ae.reload(override((await loadConfig({ file: config.file })).config, overrides)),
    })
    print(readyLine({ servers, plugins: ae.plugins().length }, config, file))
  } catch (error) {
    await ae.close({ deadlineMs: 0 })
    throw error
  }
  return stop.exitCode
}
