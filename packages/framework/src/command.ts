import type { Writable } from 'node:stream'
import type { ResolvedConfig } from './config/types.ts'
import type { PluginApi } from './plugin/types.ts'

/** A flag of a command, in the notation of commander. */
export interface CommandOption {
  /** `--host <address>`, `-f, --force`, `--allow <services...>`. */
  readonly flags: string
  readonly description: string
  readonly default?: unknown
  readonly choices?: readonly string[]
  readonly required?: boolean
}

export interface CommandArgument {
  /** `<title>` must be given, `[folder]` may be, `[paths...]` takes several. */
  readonly name: string
  readonly description: string
}

/** What a command gets to work with. */
export interface CommandInvocation {
  /** In the order of `arguments`; undefined for one that was left out, a list for `[paths...]`. */
  readonly arguments: readonly (string | readonly string[] | undefined)[]
  /** By their camel case names: `--not-after` is `notAfter`. */
  readonly options: Readonly<Record<string, unknown>>
  /** Absolute; relative paths on the command line start here. */
  readonly cwd: string
  /** Results go here, everything else to `stderr`. */
  readonly stdout: Writable
  readonly stderr: Writable
  /** Aborted at Ctrl-C; a second one ends the process. */
  readonly signal: AbortSignal
  /** The configuration of this folder, or of `--config`. @throws DICOMTAP_ERR_CFG_* */
  loadConfig(): Promise<ResolvedConfig>
  /**
   * The options that the configuration gives a plugin, checked by its schema, without starting it; undefined when
   * the configuration does not name it. @throws DICOMTAP_ERR_CFG_*, DICOMTAP_ERR_PLG_*
   */
  pluginOptions(plugin: string): Promise<ConfiguredPlugin | undefined>
  /**
   * Starts the plugins of the configuration in this process, as `dicomtap start` does but without listening, has `work`
   * use their services, and stops them; gives back what `work` does. For commands that change what a server works
   * with, which may run meanwhile: all plugins are there, so that each is told by its hooks.
   * @throws DICOMTAP_ERR_CFG_*, DICOMTAP_ERR_PLG_*, DICOMTAP_ERR_HOOK_*, and what `work` throws
   *
   * @example
   * const { instancesStored } = await withServices(async ({ inject }) => inject('storage').stats())
   */
  withServices<Result>(work: (services: CommandServices) => Promise<Result>): Promise<Result>
}

/** The services of plugins that have started, by their names. */
export type CommandServices = Pick<PluginApi, 'inject' | 'injectOptional'>

/** A plugin as the configuration has it. */
export interface ConfiguredPlugin {
  /** As validated, defaults filled in. */
  readonly options: unknown
  /** As {@link PluginApi.resolvePath}: relative paths start at the config file's folder. */
  resolvePath(path: string): string
}

/**
 * A command that a plugin package adds to `dicomtap`. The package names its module in package.json, so that
 * the command line finds it without loading the plugin: `"dicomtap": { "commands": { "peers": "./dist/peers-command.js" } }`.
 * The module exports it as `command`.
 */
export interface CommandDefinition {
  /** One lower-case word or several with hyphens. */
  readonly name: string
  /** One sentence for the list of commands. */
  readonly summary: string
  /** More help, after the options: examples. */
  readonly help?: string
  readonly arguments?: readonly CommandArgument[]
  /** `--config <file>` and `--verbose` are there in any case; `--json` is for the command to define. */
  readonly options?: readonly CommandOption[]
  readonly commands?: readonly CommandDefinition[]
  /** Gives back the exit code; nothing means 0. A DicomtapError that it throws is printed in one line. */
  run?(invocation: CommandInvocation): Promise<number | void>
}

/**
 * Gives a command its types; returns what it gets.
 *
 * @example
 * export const command = defineCommand({
 *   name: 'peers',
 *   summary: 'List the peers that may associate.',
 *   async run({ stdout }) { stdout.write('none\n') },
 * })
 */
export function defineCommand(command: CommandDefinition): CommandDefinition {
  return Object.freeze(command)
}
