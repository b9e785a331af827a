import type { ApplicationEntity } from '@dicomtap/framework'
import type { Stop } from './stop-on-signals.ts'

/** After an error that nobody caught, running operations get this long. */
const CLOSE_DEADLINE_MS = 2_000
/** A plugin that loses errors without end must not fill the disk with them. */
const MOST_LINES = 20
const PER_MS = 60_000

/**
 * Errors that escape from plugins. A rejected promise that nobody waits for has harmed its plugin only:
 * it is logged and the server goes on. An exception that nobody caught leaves the process in a state
 * that nobody knows: it is logged and the server closes, exit code 1, for the supervisor to restart it.
 */
export function catchStrayErrors(ae: Pick<ApplicationEntity, 'log' | 'plugins'>, stop: Pick<Stop, 'fail'>): void {
  const mayLog = limited(ae)
  const tell = (message: string, thrown: unknown): void => {
    if (!mayLog()) return
    const names = ae.plugins().map(({ name }) => name)
    ae.log.error(message, { code: 'DICOMTAP_ERR_PLG_UNHANDLED', ...describe(thrown, names) })
  }
  process.on('unhandledRejection', (reason) => {
    tell('a promise was rejected and nobody handled it', reason)
  })
  process.on('uncaughtException', (error) => {
    tell('an exception was not caught; the server closes', error)
    stop.fail(CLOSE_DEADLINE_MS)
  })
}

/** So many lines a minute; what was left out is said with the next one that is not. */
function limited(ae: Pick<ApplicationEntity, 'log'>): () => boolean {
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  return () => {
    const now = performance.now()
    if (now - since > PER_MS) {
      if (lines >= MOST_LINES) ae.log.error('errors that nobody handled were not logged', { number: lines - MOST_LINES + 1 })
      since = now
      lines = 0
    }
    lines += 1
    if (lines === MOST_LINES) ae.log.error('errors that nobody handled come faster than they are logged: no more for a minute')
    return lines < MOST_LINES
  }
}

/** The error, and whom to ask. What was thrown may be anything, and must not throw here once more. */
function describe(reason: unknown, plugins: readonly string[]): Record<string, unknown> {
  try {
    const error = reason instanceof Error ? reason : new Error(String(reason))
    void error.message.length
    const from = reason instanceof Error ? originOf(String(error.stack), plugins) : undefined
    return { error, ...(from === undefined ? {} : { from }) }
  } catch {
    return { error: new Error('what was thrown cannot be read') }
  }
}

/** Whose stack frames say nothing about who is to blame. */
const OWN: readonly string[] = ['@dicomtap/framework', '@dicomtap/cli', 'tapable']

/** The plugin or other package, else the file, that the stack names first. */
function originOf(stack: string, plugins: readonly string[]): string | undefined {
  const frames = stack.split('\n').filter((line) => line.startsWith('    at ') && !/\((?:node:|<anonymous>)|at node:/u.test(line))
  const packages = frames.flatMap((frame) => packageOf(frame) ?? [])
  const isPlugin = (name: string): boolean => plugins.some((plugin) => name === plugin || name.endsWith(`plugin-${plugin}`))
  const found = packages.find(isPlugin) ?? packages.find((name) => !OWN.includes(name))
  if (found !== undefined) return found
  return frames.flatMap((frame) => (packageOf(frame) === undefined ? (fileOf(frame) ?? []) : []))[0]
}

function packageOf(frame: string): string | undefined {
  return /node_modules[/\\]((?:@[^/\\]+[/\\])?[^/\\]+)[/\\](?!.*node_modules)/u.exec(frame)?.[1]?.replace('\\', '/')
}

function fileOf(frame: string): string | undefined {
  return /(?:file:\/\/)?((?:[A-Za-z]:)?[^\s():]+:\d+):\d+\)?$/u.exec(frame)?.[1]
}
