import { createServer } from 'node:net'
import { relative } from 'node:path'
import { DEFAULT_PORT, DicomtapError, redactOptions } from '@dicomtap/framework'
import type { ApplicationEntity, Finding, ListenerOptions, ResolvedConfig } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
import { endpoint } from '../output/endpoint.ts'
import { exitCodeOf, problemsOf, reportError } from '../output/report-error.ts'
import type { Problem } from '../output/report-error.ts'
import { note, painter, print, printJson, table, visible } from '../output/terminal.ts'
import type { CheckOptions } from '../program.ts'
import { workerCount } from '../workers/worker-count.ts'

/** What `dicomtap check --json` prints. */
export interface CheckReport {
  readonly ok: boolean
  readonly problems: readonly Problem[]
  /** What plugins have to say, e.g. of a certificate that expires soon. */
  readonly findings?: readonly Finding[]
  /** Absolute path of the config file; this and what follows is absent when it did not get that far. */
  readonly file?: string
  readonly aeTitle?: string
  readonly listeners?: readonly { readonly host: string | null; readonly port: number; readonly aeTitle: string; readonly isSecured?: true }[]
  readonly plugins?: readonly { readonly name: string; readonly version: string; readonly bootMs: number; readonly options: unknown }[]
  readonly supportedContexts?: number
  /** The configuration with defaults filled in, secrets hidden. */
  readonly config?: unknown
}

/** Loads the configuration, starts the plugins, listens nowhere, and says what it found. */
export async function check(options: CheckOptions): Promise<number> {
  let ae: ApplicationEntity | undefined
  try {
    const application = await createApplication(options.config)
    ae = application.ae
    workerCount(undefined, application.config)
    const findings = await ae.diagnose()
    const problems = options.ports === true ? await tryPorts(application.config) : []
    const report = describe(ae, application.config, application.file, problems.flatMap(problemsOf), findings)
    if (options.json === true) printJson(report)
    else {
      printReport(report)
      for (const finding of findings) printFinding(finding)
      for (const problem of problems) reportError(problem)
    }
    return report.ok ? 0 : 1
  } catch (error) {
    if (options.json === true) printJson({ ok: false, problems: problemsOf(error) } satisfies CheckReport)
    reportError(error, options.verbose === true)
    return exitCodeOf(error)
  } finally {
    await ae?.close({ deadlineMs: 0 })
  }
}

const FINDING_STYLES = { error: 'red', warning: 'yellow', info: 'cyan' } as const

function printFinding({ level, plugin, message }: Finding): void {
  const paint = painter(process.stderr)
  note(`${paint(FINDING_STYLES[level], level)} ${plugin}: ${visible(message)}`)
}

function describe(
  ae: ApplicationEntity,
  config: ResolvedConfig,
  file: string,
  problems: readonly Problem[],
  findings: readonly Finding[],
): CheckReport {
  const { plugins: _entries, listen, file: _file, ...settings } = config
  return {
    ok: problems.length === 0 && findings.every(({ level }) => level !== 'error'),
    problems,
    findings,
    file,
    aeTitle: ae.aeTitle,
    listeners: listeners(config).map(({ host, port = DEFAULT_PORT, aeTitle, tls = false }) => ({
      host: host ?? null,
      port,
      aeTitle: aeTitle ?? ae.aeTitle,
      ...(tls === false ? {} : { isSecured: true as const }),
    })),
    plugins: ae.plugins().map(({ name, version, bootMs, options }) => ({
      name,
      version,
      bootMs: Math.round(bootMs * 10) / 10,
      options: redactOptions(options) ?? null,
    })),
    supportedContexts: ae.supportedContexts.length,
    config: redactOptions({ ...settings, timeouts: ae.timeouts, limits: ae.limits, listen }),
  }
}

function listeners({ listen }: ResolvedConfig): readonly ListenerOptions[] {
  return listen.length === 0 ? [{}] : listen
}

function printReport({ ok, problems, file = '', aeTitle = '', listeners: places = [], plugins = [], supportedContexts = 0, config }: CheckReport): void {
  const paint = painter(process.stdout)
  const wrong = problems.length === 0 ? 'The server would start, but something is wrong.' : 'The server would not start.'
  const verdict = ok ? paint('green', 'The configuration is right.') : paint('red', wrong)
  print(`${verdict} ${paint('dim', shortPath(file))}\n`)
  print(
    table([
      ['AE title', aeTitle],
      ...places.map((one, index) => [
        index === 0 ? 'Listeners' : '',
        `${endpoint(one.host ?? undefined, one.port)}${one.isSecured === true ? ' with TLS' : ''}${one.aeTitle === aeTitle ? '' : ` as ${one.aeTitle}`}`,
      ]),
      ['Contexts', `${supportedContexts} supported`],
    ]),
  )
  print(`\n${paint('bold', 'Plugins, in the order in which they start')}`)
  if (plugins.length === 0) print('  none')
  for (const [index, one] of plugins.entries()) {
    print(`  ${index + 1}. ${paint('bold', one.name)} ${one.version} ${paint('dim', `(${one.bootMs} ms)`)}`)
    if (one.options !== null) print(settingLines(one.options, '', '     ').join('\n'))
  }
  print(`\n${paint('bold', 'Settings, defaults filled in')}`)
  print(settingLines(config).join('\n'))
}

/** `limits.maximumAssociations: 100`, one line per value. */
function settingLines(value: unknown, path = '', indent = '  '): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    return path === '' ? [] : [`${indent}${path}: ${inline(value)}`]
  }
  return Object.entries(value).flatMap(([key, one]) => settingLines(one, path === '' ? key : `${path}.${key}`, indent))
}

function inline(value: unknown): string {
  if (value === null || value === undefined) return value === null ? 'none' : 'not set'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function shortPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short.startsWith('..') ? file : short
}

/** One error for each configured port that cannot be opened. */
async function tryPorts(config: ResolvedConfig): Promise<DicomtapError[]> {
  const problems: DicomtapError[] = []
  for (const [index, listener] of listeners(config).entries()) {
    const { port = DEFAULT_PORT, host } = listener
    const error = await tryPort(port, host)
    if (error !== undefined) problems.push(new DicomtapError('DICOMTAP_ERR_NET_LISTEN', portProblem(index, endpoint(host, port), error), { cause: error }))
  }
  return problems
}

function portProblem(index: number, place: string, { code, message }: NodeJS.ErrnoException): string {
  const where = `listen[${index}]: ${place} cannot be opened`
  if (code === 'EADDRINUSE') return `${where}: another process listens there; stop it or choose another port`
  if (code === 'EACCES') return `${where}: this user may not open it; choose a port above 1023 or grant the privilege (CAP_NET_BIND_SERVICE on Linux)`
  return `${where}: ${message}`
}

function tryPort(port: number, host: string | undefined): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(undefined)))
  })
}
