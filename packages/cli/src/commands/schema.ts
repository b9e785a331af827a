import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { configJsonSchema } from '@dicomtap/framework'
import { printJson } from '../output/terminal.ts'
import { installedPlugins } from '../plugins/installed.ts'
import type { SchemaOptions } from '../program.ts'

/** Prints the JSON Schema of the configuration, with the options of the plugins installed here. */
export async function schema(options: SchemaOptions): Promise<number> {
  const base = configJsonSchema()
  printJson(options.plugins ? withPlugins(base, await pluginSchemas(resolve(options.config ?? 'dicomtap.config.yaml'))) : base)
  return 0
}

type Schema = Readonly<Record<string, unknown>>

/** The `schema.json` of each installed plugin that has one, by package name. */
async function pluginSchemas(file: string): Promise<Map<string, Schema>> {
  const schemas = new Map<string, Schema>()
  for (const { package: name, folder } of await installedPlugins(file)) {
    const path = join(folder, 'schema.json')
    if (existsSync(path)) schemas.set(name, JSON.parse(await readFile(path, 'utf8')) as Schema)
  }
  return schemas
}

/** `{ use: <name>, options }` gets the schema of the options that belong to the name. */
export function withPlugins(base: Schema, plugins: ReadonlyMap<string, Schema>): Schema {
  if (plugins.size === 0) return base
  const { plugins: entries, ...properties } = base['properties'] as Schema
  const conditions = [...plugins].map(([name, { $schema: _version, ...optionsSchema }]) => ({
    if: { type: 'object', properties: { use: { const: name } }, required: ['use'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { properties: { options: optionsSchema } },
  }))
  // Offered by the editor; the empty schema lets every other name through.
  const known = { enum: [...plugins.keys()] }
  const items = { anyOf: [known, { properties: { use: known } }, {}], allOf: conditions }
  return { ...base, properties: { ...properties, plugins: { ...(entries as Schema), items } } }
}
