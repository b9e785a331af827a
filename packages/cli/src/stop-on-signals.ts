import type { ApplicationEntity, Association, Logger } from '@dicomtap/framework'
import { note } from './output/terminal.ts'

/** What a shell shows for a process that the signal ended: 128 and its number. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const
type StopSignal = keyof typeof STOP_SIGNALS

/** What a close may take besides the time of running operations, before the process ends all the same. */
export const CLOSE_MARGIN_MS = 15_000

/** How long the peers are given to take an A-ABORT. */
const ABORT_GRACE_MS = 500

/** What is stopped: an application entity, or several processes with one each. */
export interface Stoppable {
  readonly log: Pick<Logger, 'info' | 'error'>
  /** @param signal why; it is told what is waited for. Undefined: because of an error. */
  close(signal: string | undefined, deadlineMs: number | undefined): Promise<void>
  abort(message: string): void
  /** Is there nobody to send an A-ABORT to? */
  readonly isIdle: boolean
}

export interface Stop {
  /** Resolves when the server has stopped. */
  readonly exitCode: Promise<number>
  /** From now on a signal closes the server; before, it ends the process. */
  started(target: Stoppable): void
  /** Closes because of an error: exit code 1. When it happens again, or while a signal closes, what runs still gets that long. */
  fail(deadlineMs: number): void
}

/**
 * The first SIGTERM or SIGINT closes gracefully and gives 0, the second aborts what is left at once and
 * gives 143 or 130. Listens from the first moment: as process 1 of a container there is no default.
 */
export function stopOnSignals(): Stop {
  let target: Stoppable | undefined
  let isStopping = false
  let hasFailed = false
  let exit: (code: number) => void = () => {}
  const exitCode = new Promise<number>((resolve) => (exit = resolve))

  const close = (stopping: Stoppable, signal: StopSignal | undefined, deadlineMs?: number): void => {
    isStopping = true
    void stopping.close(signal, deadlineMs).then(
      () => exit(hasFailed ? 1 : 0),
      (error: unknown) => {
        stopping.log.error('the close failed', { error })
        exit(1)
      },
    )
  }
  const onSignal = (signal: StopSignal): void => {
    if (target === undefined) process.exit(STOP_SIGNALS[signal])
    if (isStopping) {
      note(`${signal} again: aborting`)
      target.abort('The server is stopping')
      setTimeout(() => exit(STOP_SIGNALS[signal]), target.isIdle ? 0 : ABORT_GRACE_MS)
      return
    }
    close(target, signal)
  }
  for (const signal of Object.keys(STOP_SIGNALS) as StopSignal[]) process.on(signal, onSignal)

  return {
    exitCode,
    started: (started) => (target = started),
    fail(deadlineMs) {
      if (target === undefined) process.exit(1)
      if (hasFailed) return
      hasFailed = true
      const failing = target
      // Nobody knows what still works.
      setTimeout(() => exit(1), deadlineMs + CLOSE_MARGIN_MS).unref()
      if (isStopping) setTimeout(() => failing.abort('The server is stopping'), deadlineMs).unref()
      else close(failing, undefined, deadlineMs)
    },
  }
}

/** An application entity that is the whole server. */
export function stoppable(ae: ApplicationEntity): Stoppable {
  return {
    log: ae.log,
    close(signal, deadlineMs) {
      if (signal !== undefined) {
        ae.log.info(`${signal}: closing, new associations are refused`, waitingFor(ae.activeAssociations.length, ae.limits.closeDeadlineMs))
        for (const association of ae.activeAssociations) ae.log.info('waiting for association', describeAssociation(association))
      }
      return ae.close(deadlineMs === undefined ? {} : { deadlineMs })
    },
    abort: (message) => ae.abort(message),
    get isIdle() {
      return ae.activeAssociations.length === 0
    },
  }
}

/** Fields of the line that says that the server closes. */
export function waitingFor(associations: number, atMostMs: number): Record<string, unknown> {
  return associations === 0 ? {} : { associations, atMostMs }
}

/** Fields of the line about an association that is waited for. */
export function describeAssociation({ id, callingAeTitle, remoteAddress, operations }: Association): Record<string, unknown> {
  return { association: id, callingAeTitle, remoteAddress, operations: operations.map(({ service }) => service).join(',') || 'none' }
}
