import { dirname, resolve } from 'node:path'
import { definePlugin, DicomtapError, validateAllOptions } from '@dicomtap/framework'
import type { ApplicationEntity, CommandDefinition, CommandInvocation, CommandServices, ConfiguredPlugin } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
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
    withServices: (work) => withServices(work, file as string | undefined, verbose === true),
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

/** What the plugins say below a warning is of no interest to who waits for a command. */
async function withServices<Result>(work: (services: CommandServices) => Promise<Result>, configFile: string | undefined, isVerbose: boolean): Promise<Result> {
  let ae: ApplicationEntity | undefined
  try {
    await createApplication(configFile, isVerbose ? {} : { logLevel: 'warn' }, (created) => (ae = created))
    let services: CommandServices | undefined
    // The plugin of a second call comes after all others, and may have every service.
    await ae?.use(
      definePlugin({
        name: 'dicomtap-command',
        apply(api) {
          services = { inject: api.inject, injectOptional: api.injectOptional }
        },
      })(),
    )
    await ae?.ready()
    if (services === undefined) throw new Error('The plugins did not start')
    return await work(services)
  } finally {
    await ae?.close()
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
