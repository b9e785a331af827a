import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { DicomtapError } from '@dicomtap/framework'
import type { CommandDefinition } from '@dicomtap/framework'
import { isTypeScript, loadScript } from '../config/load-script.ts'
import type { FoundCommand } from './find.ts'

/**
 * Loads the module of a command.
 *
 * @throws DICOMTAP_ERR_PLG_COMMAND when there is no module, it fails, or exports no `command` of this name
 */
export async function loadCommand({ name, package: from, module: file }: FoundCommand): Promise<CommandDefinition> {
  const fail = (what: string, cause?: unknown): DicomtapError =>
    new DicomtapError('DICOMTAP_ERR_PLG_COMMAND', `dicomtap ${name} of ${from}: ${what}`, cause === undefined ? {} : { cause })
  if (!existsSync(file)) throw fail(`there is no ${file}; is the package built?`)
  let exported: unknown
  try {
    const module = isTypeScript(file) ? await loadScript(file) : ((await import(pathToFileURL(file).href)) as Record<string, unknown>)
    exported = module['command']
  } catch (error) {
    throw fail(`it cannot be loaded: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}`, error)
  }
  if (!isDefinition(exported)) throw fail('its module exports no command; it is made with defineCommand and exported as "command"')
  if (exported.name !== name) throw fail(`its module exports the command "${exported.name}"`)
  return exported
}

function isDefinition(value: unknown): value is CommandDefinition {
  if (typeof value !== 'object' || value === null) return false
  const { name, summary, run, commands } = value as Partial<CommandDefinition>
  return typeof name === 'string' && typeof summary === 'string' && (typeof run === 'function' || Array.isArray(commands))
}
