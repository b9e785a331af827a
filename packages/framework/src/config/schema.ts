import { basename } from 'node:path'
import { DicomtapError } from '../errors/index.ts'
import { DEFAULT_AE_TITLE, DEFAULT_PORT } from './defaults.ts'
import { applicationEntityRule, configRule, listenerRule } from './option-rules.ts'
import type { JsonSchema, Problems, Rule } from './rules.ts'
import type { ApplicationEntityOptions, ListenerOptions, ResolvedConfig } from './types.ts'

/**
 * Checks a configuration as loaded from `file` (absolute, or undefined when there is none) and fills in
 * the AE title and the listeners. Relative paths and plugin names are left to whoever starts the server.
 * @throws DICOMTAP_ERR_CFG_INVALID with one line per bad path.
 */
export function parseConfig(input: unknown, { file }: { readonly file?: string | undefined } = {}): ResolvedConfig {
  // An empty YAML file is null: everything by default.
  const { $schema: _, ...config } = parse(configRule, input ?? {}, file, ({ listen }, problems) => checkPorts(listen, problems))
  return Object.freeze({
    ...config,
    aeTitle: config.aeTitle ?? DEFAULT_AE_TITLE,
    listen: (config.listen ?? [{}]).map((listener) => ({ ...listener, port: listener.port ?? DEFAULT_PORT })),
    file,
  })
}

/**
 * Checks the options of an ApplicationEntity; absent ones stay absent.
 * @throws DICOMTAP_ERR_CFG_INVALID with one line per bad path.
 */
export function parseApplicationEntityOptions(input: unknown): ApplicationEntityOptions {
  return parse(applicationEntityRule, input ?? {}, undefined)
}

/**
 * Checks the options of a listener; absent ones stay absent.
 * @throws DICOMTAP_ERR_CFG_INVALID with one line per bad path.
 */
export function parseListenerOptions(input: unknown): ListenerOptions {
  return parse(listenerRule, input ?? {}, undefined)
}

/** The JSON Schema of the config file, for editors. */
export function configJsonSchema(): JsonSchema {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'dicomtap configuration', ...configRule.schema }
}

function parse<T>(
  rule: Rule<T>,
  input: unknown,
  file: string | undefined,
  check?: (parsed: T, problems: Problems) => void,
): T {
  const problems: Problems = []
  const parsed = rule.parse(input, '', problems)
  if (parsed !== undefined && problems.length === 0) check?.(parsed, problems)
  if (problems.length > 0 || parsed === undefined) {
    const where = file === undefined ? '' : `${basename(file)}: `
    throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', problems.map((problem) => where + problem).join('\n'))
  }
  return parsed
}

/** Two listeners on one port would fail only when the second is opened. */
function checkPorts(listen: readonly (ListenerOptions | undefined)[] | undefined, problems: Problems): void {
  const seen = new Map<string, number>()
  for (const [index, listener] of (listen ?? []).entries()) {
    const { port = DEFAULT_PORT, host = '' } = listener ?? {}
    const first = seen.get(`${port} ${host}`)
    if (first !== undefined && port !== 0) problems.push(`listen[${index}].port: ${port} is taken by listen[${first}]`)
    else seen.set(`${port} ${host}`, index)
  }
}
