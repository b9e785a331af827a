import { ApplicationEntity } from '@dicomtap/framework'
import type { LogLevel, ResolvedConfig, ServerProcess } from '@dicomtap/framework'
import { loadConfig } from './config/load-config.ts'
import { loadPlugins } from './plugins/load-plugins.ts'

/** What the command line may set instead of the config file. */
export interface Overrides {
  readonly port?: number | undefined
  readonly aeTitle?: string | undefined
  readonly logLevel?: LogLevel | 'silent' | undefined
}

export interface Application {
  readonly ae: ApplicationEntity
  readonly config: ResolvedConfig
  /** Absolute path of the config file. */
  readonly file: string
}

/**
 * Everything up to a started application entity that does not listen yet: finds and checks the
 * configuration, loads its plugins, starts them.
 *
 * @param source the file, or the configuration that was loaded already.
 * @param created called before the plugins start.
 * @param serverProcess given when this is one of several processes of a server.
 * @throws DICOMTAP_ERR_CFG_*, DICOMTAP_ERR_PLG_*, DICOMTAP_ERR_HOOK_*
 */
export async function createApplication(
  source: string | undefined | Pick<Application, 'config' | 'file'>,
  overrides: Overrides = {},
  created: (ae: ApplicationEntity) => void = () => {},
  serverProcess?: ServerProcess,
): Promise<Application> {
  const { config: configured, file } = typeof source === 'object' ? source : await loadConfig({ file: source })
  const config = override(configured, overrides)
  const plugins = await loadPlugins(config)
  const ae = new ApplicationEntity(config, serverProcess)
  created(ae)
  await ae.use(...plugins)
  return { ae, config, file }
}

/** The configuration with what the command line says put over it. */
export function override(config: ResolvedConfig, { port, aeTitle, logLevel }: Overrides): ResolvedConfig {
  const [first = {}, ...others] = config.listen
  return {
    ...config,
    ...(port === undefined ? {} : { listen: [{ ...first, port }, ...others] }),
    ...(aeTitle === undefined ? {} : { aeTitle }),
    ...(logLevel === undefined ? {} : { logLevel }),
  }
}
