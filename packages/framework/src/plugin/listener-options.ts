import { basename } from 'node:path'
import type { ListenerOptions, ListenerPluginKey } from '../config/types.ts'
import { DicomtapError } from '../errors/index.ts'
import { validateWith } from './options.ts'
import type { Plugin } from './types.ts'

/** Keys of a listener that belong to plugins, and the package that brings each. */
export const LISTENER_PLUGINS = { tls: '@dicomtap/plugin-tls', proxyProtocol: '@dicomtap/plugin-access' } as const

const KEYS = Object.keys(LISTENER_PLUGINS) as ListenerPluginKey[]

/**
 * The options of a listener with those of plugins checked, their defaults filled in. `false` and `null` are as left out.
 *
 * @param where `listen[1]`, for messages.
 * @throws DICOMTAP_ERR_CFG_INVALID with one line per mistake; also when no plugin knows a key, because a listener
 * without what it asks for would not be safe.
 */
export async function validateListenerOptions(
  listener: ListenerOptions,
  plugins: readonly Plugin[],
  where: string,
  file: string | undefined,
): Promise<ListenerOptions> {
  const problems: string[] = []
  const checked: Partial<Record<ListenerPluginKey, unknown>> = {}
  for (const key of KEYS) {
    const value: unknown = listener[key]
    if (value === undefined || value === false || value === null) continue
    const path = `${where}.${key}`
    const schema = plugins.find(({ listenerOptions }) => listenerOptions?.[key] !== undefined)?.listenerOptions?.[key]
    if (schema === undefined) {
      const name = LISTENER_PLUGINS[key]
      problems.push(`${path}: no plugin is loaded that brings it; npm install ${name}, and add "${name}" to plugins`)
    } else {
      checked[key] = await validateWith(schema, value === true ? {} : value, path, problems)
    }
  }
  if (problems.length > 0) {
    const prefix = file === undefined ? '' : `${basename(file)}: `
    throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', problems.map((problem) => prefix + problem).join('\n'))
  }
  const { tls: _tls, proxyProtocol: _proxyProtocol, ...rest } = listener
  return { ...rest, ...(checked as ListenerOptions) }
}
