import type { ApplicationEntity, Association } from '@dicomtap/framework'
import { note } from './output/terminal.ts'

/** What a shell shows for a process that the signal ended: 128 and its number. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const
type StopSignal = keyof typeof STOP_SIGNALS

/** What a close may take besides the time of running operations, before the process ends all the same. */
const CLOSE_MARGIN_MS = 15_000

/** How long the peers are given to take an A-ABORT. */
const ABORT_GRACE_MS = 500

export interface Stop {
  /** Resolves when the server has stopped. */
  readonly exitCode: Promise<number>
  /** From now on a signal closes the application entity; before, it ends the process. */
  started(ae: ApplicationEntity): void
  /** Closes because of an error: exit code 1. When it happens again, or while a signal closes, what runs still gets that long. */
  fail(deadlineMs: number): void
}

/**
 * The first SIGTERM or SIGINT closes gracefully and gives 0, the second aborts what is left at once and
 * gives 143 or 130. Listens from the first moment: as process 1 of a container there is no default.
 */
export function stopOnSignals(): Stop {
  let ae: ApplicationEntity | undefined
  let isStopping = false
  let hasFailed = false
  let exit: (code: number) => void = () => {}
  const exitCode = new Promise<number>((resolve) => (exit = resolve))

  const close = (target: ApplicationEntity, code: number, deadlineMs?: number): void => {
    isStopping = true
    void target.close(deadlineMs === undefined ? {} : { deadlineMs }).then(
      () => exit(hasFailed ? 1 : code),
      (error: unknown) => {
        target.log.error('the close failed', { error })
        exit(1)
      },
    )
  }
  const onSignal = (signal: StopSignal): void => {
    if (ae === undefined) process.exit(STOP_SIGNALS[signal])
    if (isStopping) {
      note(`${signal} again: aborting`)
      ae.abort('The server is stopping')
      setTimeout(() => exit(STOP_SIGNALS[signal]), ae.activeAssociations.length === 0 ? 0 : ABORT_GRACE_MS)
      return
    }
    ae.log.info(`${signal}: closing, new associations are refused`, waitingFor(ae))
    for (const association of ae.activeAssociations) ae.log.info('waiting for association', describe(association))
    close(ae, 0)
  }
  for (const signal of Object.keys(STOP_SIGNALS) as StopSignal[]) process.on(signal, onSignal)

  return {
    exitCode,
    started: (started) => (ae = started),
    fail(deadlineMs) {
      if (ae === undefined) process.exit(1)
      if (hasFailed) return
      hasFailed = true
      const target = ae
      // Nobody knows what still works.
      setTimeout(() => exit(1), deadlineMs + CLOSE_MARGIN_MS).unref()
      if (isStopping) setTimeout(() => target.abort('The server is stopping'), deadlineMs).unref()
      else close(target, 1, deadlineMs)
    },
  }
}

function waitingFor(ae: ApplicationEntity): Record<string, unknown> {
  const { length: associations } = ae.activeAssociations
  return associations === 0 ? {} : { associations, atMostMs: ae.limits.closeDeadlineMs }
}

function describe({ id, callingAeTitle, remoteAddress, operations }: Association): Record<string, unknown> {
  return { association: id, callingAeTitle, remoteAddress, operations: operations.map(({ service }) => service).join(',') || 'none' }
}
