import { resolve } from 'node:path'
import { detectPackageManager, PACKAGE_MANAGERS } from './package-manager.ts'
import type { PackageManager } from './package-manager.ts'
import type { Flags } from './program.ts'
import { PLAIN_PORT, TLS_PORT } from './security.ts'
import type { AccessMode, TlsMode } from './security.ts'
import { assertFree } from './scaffold.ts'
import { SERVICE_NAMES, SERVICES } from './services.ts'
import type { ServiceName } from './services.ts'
import { complaint, parseAeTitle, parsePort, parseServices, UsageError } from './validate.ts'

/** Everything that the scaffold depends on. */
export interface Answers {
  readonly template: 'scp' | 'plugin'
  /** As typed, for the next commands. */
  readonly folder: string
  /** Absolute. */
  readonly target: string
  readonly aeTitle: string
  readonly port: number
  readonly tls: TlsMode | 'none'
  readonly access: AccessMode
  readonly services: readonly ServiceName[]
  /** C-FIND, C-MOVE and C-GET; only with the storage service. */
  readonly queryRetrieve: boolean
  readonly language: 'ts' | 'yaml'
  readonly packageManager: PackageManager
}

/** Ctrl-C at a question. */
export class Cancelled extends Error {
  override readonly name: string = 'Cancelled'
}

const DEFAULTS = { aeTitle: 'DICOMTAP', tls: 'none', access: 'open', queryRetrieve: false, language: 'ts' } as const

export function defaultFolder(template: Answers['template']): string {
  return template === 'plugin' ? 'dicomtap-plugin-example' : 'my-scp'
}

/**
 * What was asked for: flags first, then questions, when `isInteractive`, else defaults. All flags are
 * checked before the first question.
 *
 * @throws UsageError, Cancelled
 */
export async function collectAnswers(folder: string | undefined, flags: Flags, isInteractive: boolean): Promise<Answers> {
  const given = {
    aeTitle: flags.aeTitle === undefined ? undefined : parseAeTitle(flags.aeTitle),
    port: flags.port === undefined ? undefined : parsePort(flags.port),
    services: flags.services === undefined ? undefined : parseServices(flags.services),
  }
  if (flags.queryRetrieve === true && given.services?.includes('storage') === false) {
    throw new UsageError('--query-retrieve needs the service storage: it answers for what that keeps.')
  }
  const detected = flags.packageManager ?? detectPackageManager(process.env['npm_config_user_agent'])
  const ask = isInteractive ? await questions(flags.overwrite === true) : undefined
  const where = folder ?? (await ask?.folder(defaultFolder(flags.template))) ?? defaultFolder(flags.template)
  const isScp = flags.template === 'scp'
  const aeTitle = given.aeTitle ?? (isScp ? await ask?.aeTitle() : undefined) ?? DEFAULTS.aeTitle
  const tls = flags.tls ?? (isScp ? await ask?.tls() : undefined) ?? DEFAULTS.tls
  const usualPort = tls === 'only' ? TLS_PORT : PLAIN_PORT
  const port = given.port ?? (isScp ? await ask?.port(String(usualPort)) : undefined) ?? usualPort
  const access = flags.access ?? (isScp ? await ask?.access() : undefined) ?? DEFAULTS.access
  const services = given.services ?? (isScp ? await ask?.services() : undefined) ?? SERVICE_NAMES
  const mayQuery = isScp && services.includes('storage')
  return {
    template: flags.template,
    folder: where,
    target: resolve(where),
    aeTitle,
    tls,
    port,
    access,
    services,
    queryRetrieve: mayQuery && (flags.queryRetrieve ?? (await ask?.queryRetrieve()) ?? DEFAULTS.queryRetrieve),
    language: flags.language ?? (isScp ? await ask?.language() : undefined) ?? DEFAULTS.language,
    packageManager: flags.packageManager ?? (await ask?.packageManager(detected)) ?? detected,
  }
}

/** The questions; the prompts are loaded only when somebody is there to answer. */
async function questions(isOverwrite: boolean) {
  const { confirm, isCancel, multiselect, select, text } = await import('@clack/prompts')
  const answered = async <Value>(prompt: Promise<Value>): Promise<Exclude<Value, symbol>> => {
    const answer = await prompt
    if (isCancel(answer)) throw new Cancelled()
    return answer as Exclude<Value, symbol>
  }
  const askText = (message: string, fallback: string, parse: (value: string) => unknown) =>
    answered(
      text({
        message,
        placeholder: fallback,
        defaultValue: fallback,
        validate: (value) => complaint(parse)(value === undefined || value === '' ? fallback : value),
      }),
    )

  return {
    folder: (fallback: string) => askText('Where?', fallback, isOverwrite ? () => {} : assertFree),
    aeTitle: async () => parseAeTitle(await askText('AE title of the server?', DEFAULTS.aeTitle, parseAeTitle)),
    tls: () =>
      answered(
        select<Answers['tls']>({
          message: 'Encrypt connections (TLS)?',
          options: [
            { value: 'none', label: 'No', hint: 'to try things out, and inside a protected network' },
            { value: 'beside', label: `On port ${TLS_PORT}, beside a plain port`, hint: 'with certificates to try it out' },
            { value: 'only', label: 'Always', hint: 'no plain port' },
          ],
          initialValue: DEFAULTS.tls,
        }),
      ),
    port: async (usual: string) => parsePort(await askText('Port?', usual, parsePort)),
    access: () =>
      answered(
        select<AccessMode>({
          message: 'Who may associate?',
          options: [
            { value: 'open', label: 'Anyone who reaches the port' },
            { value: 'deny', label: 'The peers of a file, nobody else', hint: 'peers.yaml; this machine is in it' },
          ],
          initialValue: DEFAULTS.access,
        }),
      ),
    services: () =>
      answered(
        multiselect<ServiceName>({
          message: 'Which services? (space selects, return goes on)',
          options: SERVICE_NAMES.map((value) => ({ value, label: SERVICES[value].label, hint: SERVICES[value].hint })),
          initialValues: [...SERVICE_NAMES],
          required: true,
        }),
      ),
    queryRetrieve: () =>
      answered(confirm({ message: 'Answer queries and send images back (C-FIND, C-MOVE, C-GET)?', initialValue: DEFAULTS.queryRetrieve })),
    language: () =>
      answered(
        select<'ts' | 'yaml'>({
          message: 'Language of the config file?',
          options: [
            { value: 'ts', label: 'TypeScript', hint: 'checked and completed by the editor, can hold code' },
            { value: 'yaml', label: 'YAML', hint: 'plain data' },
          ],
          initialValue: DEFAULTS.language,
        }),
      ),
    packageManager: (detected: PackageManager) =>
      answered(
        select<PackageManager>({
          message: 'Package manager?',
          options: PACKAGE_MANAGERS.map((value) => ({ value, label: value })),
          initialValue: detected,
        }),
      ),
  }
}
