import { basename, extname, resolve } from 'node:path'
import { DicomtapError, parseConfig } from '@dicomtap/framework'
import type { ResolvedConfig } from '@dicomtap/framework'
import type { Loader } from 'cosmiconfig'
import { PACKAGE_KEY, assertReadable, findConfig } from './find-config.ts'
import { loadScript } from './load-script.ts'
import { parseJson } from './parse-json.ts'
import { syntaxError, yamlSyntaxError } from './syntax-error.ts'
import { unreadable } from './unreadable.ts'

export interface LoadConfigOptions {
  /** The folder that is searched, and that `file` is relative to. Default: the working folder. */
  readonly cwd?: string
  /** The config file; without it the folder is searched. */
  readonly file?: string | undefined
}

/**
 * Finds, reads and checks the configuration. Plugins that it names are not loaded yet: see `loadPlugins`.
 *
 * @throws DICOMTAP_ERR_CFG_NOT_FOUND, DICOMTAP_ERR_CFG_UNREADABLE, DICOMTAP_ERR_CFG_SYNTAX,
 * DICOMTAP_ERR_CFG_INVALID with one line per problem
 *
 * @example
 * const { config, file } = await loadConfig({ cwd: '/srv/archive' })
 */
export async function loadConfig(options: LoadConfigOptions = {}): Promise<{ config: ResolvedConfig; file: string }> {
  const cwd = resolve(options.cwd ?? '.')
  const file = options.file === undefined ? await findConfig(cwd) : resolve(cwd, options.file)
  if (file === undefined) {
    throw new DicomtapError(
      'DICOMTAP_ERR_CFG_NOT_FOUND',
      `${cwd}: no dicomtap.config.* here; go to the folder that has it, name it with --config, or make one with: npm create dicomtap@latest my-scp`,
    )
  }
  const content = await readConfig(file)
  const value: unknown = typeof content === 'function' ? await callConfig(content as () => unknown, file) : content
  if (value === undefined || value === null) {
    throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `${file}: the configuration is empty; give at least plugins`)
  }
  return { config: parseConfig(value, { file }), file }
}

async function callConfig(content: () => unknown, file: string): Promise<unknown> {
  try {
    return await content()
  } catch (error) {
    if (error instanceof DicomtapError) throw error
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw syntaxError(file, undefined, `its function failed: ${reason}`, error)
  }
}

async function readConfig(file: string): Promise<unknown> {
  const loader = LOADERS[extname(file)]
  if (loader === undefined) {
    throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `${file}: a config file ends in ${Object.keys(LOADERS).join(', ')}`)
  }
  await assertReadable(file)
  const { cosmiconfig } = await import('cosmiconfig')
  try {
    // Built per call: it reads a package.json of the working folder, whose mistakes must be reported as ours are.
    const explorer = cosmiconfig(PACKAGE_KEY, { searchPlaces: [basename(file)], loaders: LOADERS, cache: false })
    const result = await explorer.load(file)
    if (basename(file) === 'package.json' && (result?.config ?? null) === null) {
      throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `${file}: it has no key "${PACKAGE_KEY}"`)
    }
    return result?.config
  } catch (error) {
    throw configError(file, error)
  }
}

function configError(file: string, error: unknown): DicomtapError {
  if (error instanceof DicomtapError) return error
  const { code, filepath, message } = error as NodeJS.ErrnoException & { filepath?: string }
  if (code === 'EACCES' || code === 'EPERM' || code === 'ENOENT' || code === 'EISDIR') {
    return unreadable((error as NodeJS.ErrnoException).path ?? filepath ?? file, error)
  }
  // cosmiconfig's own reading, e.g. of a package.json beside the config, names the file in the message too.
  const what = message.replace(/^\w+ Error in [^\n]*:\n/u, '').split('\n', 1)[0] ?? ''
  return syntaxError(filepath ?? file, undefined, what, error)
}

const loadScriptConfig: Loader = async (file) => {
  const { default: value, ...named } = await loadScript(file)
  if (value !== undefined) return value as object | Promise<object>
  const names = Object.keys(named)
  const instead = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')} only`
  throw new DicomtapError('DICOMTAP_ERR_CFG_INVALID', `${file}: the configuration must be the default export; ${instead}`)
}
const loadJson: Loader = (file, content) => parseJson(content, file)
const loadYaml: Loader = async (file, content) => {
  const { defaultLoaders } = await import('cosmiconfig')
  try {
    return (await defaultLoaders['.yaml'](file, content)) as object
  } catch (error) {
    throw yamlSyntaxError(file, error)
  }
}

const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': loadScriptConfig,
  '.mts': loadScriptConfig,
  '.mjs': loadScriptConfig,
  '.js': loadScriptConfig,
  '.cjs': loadScriptConfig,
  '.json': loadJson,
  '.yaml': loadYaml,
  '.yml': loadYaml,
}
