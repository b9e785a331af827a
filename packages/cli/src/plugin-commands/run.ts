import { dirname, resolve } from 'node:path'
import { DicomtapError, validateAllOptions } from '@dicomtap/framework'
import type { CommandDefinition, CommandInvocation, ConfiguredPlugin } from '@dicomtap/framework'
import { loadConfig } from '../config/load-config.ts'
import { exitCodeOf, reportError } from '../output/report-error.ts'
import { loadPlugins } from '../plugins/load-plugins.ts'
import { packageNameOf } from '../plugins/locate.ts'
import { shortName } from '../plugins/plugin-factory.ts'
import { watchInterrupts } from '../scu/interrupts.ts'
import type { ParsedCommand } from './build.ts'

/** Runs a plugin's command: gives it configuration and Ctrl-C, turns what it throws into a line. Gives the exit code. */
export async function runPluginCommand({ run }: CommandDefinition, { arguments: args, options }: ParsedCommand): Promise<number> {
  const { config: file, verbose, ...own } = options
  const interrupts = watchInterrupts()
  const invocation: CommandInvocation = {
    arguments: args,
    options: own,
    cwd: process.cwd(),
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupts.cancel,
    loadConfig: async () => (await loadConfig({ file: file as string | undefined })).config,
    pluginOptions: (plugin) => pluginOptions(plugin, file as string | undefined),
  }
  try {
    return checkedCode(await run?.(invocation)) ?? interrupts.exitCode(0)
  } catch (error) {
    if (interrupts.isInterrupted) return interrupts.exitCode(1)
    reportError(error, verbose === true)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

/** What is no exit code must not become 0. */
function checkedCode(code: unknown): number | undefined {
  if (code === undefined) return undefined
  return Number.isInteger(code) && (code as number) >= 0 && (code as number) <= 255 ? (code as number) : 1
}

async function pluginOptions(name: string, configFile: string | undefined): Promise<ConfiguredPlugin | undefined> {
  const { config, file } = await loadConfig({ file: configFile })
  const wanted = shortName(packageNameOf(name))
  const plugin = (await loadPlugins(config)).find((one) => one.name === name || one.name === wanted)
  if (plugin === undefined) return undefined
  const [validated] = await validateAllOptions([plugin], file)
  if (validated === undefined) throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `${name}: its options cannot be read`)
  return { options: validated.options, resolvePath: (path) => resolve(dirname(file), path) }
}
