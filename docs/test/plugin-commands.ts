import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CommandDefinition } from '@dicomtap/framework'
import { ROOT } from './pages.js'

/** The commands that the plugins of this repository bring, as the command line would load them. */
export async function commandsOfPlugins(): Promise<(CommandDefinition & { readonly package: string })[]> {
  const found: (CommandDefinition & { readonly package: string })[] = []
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    const folder = join(ROOT, 'packages', name)
    if (!existsSync(join(folder, 'package.json'))) continue
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name: string
      dicomtap?: { commands: Readonly<Record<string, string>> }
    }
    for (const module of Object.values(manifest.dicomtap?.commands ?? {})) {
      const { command } = (await import(pathToFileURL(join(folder, module)).href)) as { command: CommandDefinition }
      found.push({ ...command, package: manifest.name })
    }
  }
  return found
}
