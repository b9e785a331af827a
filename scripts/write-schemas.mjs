// Writes schema.json of each plugin package from the options schema in its build, and what it exports as
// `fileSchemas`, for editors that complete YAML and JSON. A test in each package fails when the file is out of date.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { ROOT, workspaces } from './workspaces.mjs'

for (const { folder, path } of workspaces()) {
  const built = join(folder, 'dist/index.js')
  if (!path.startsWith('packages/plugin-') || !existsSync(built)) continue
  const plugin = await import(pathToFileURL(built).href)
  for (const [name, schema] of Object.entries(plugin.fileSchemas ?? {})) write(`${path}/${name}`, schema, { reused: 'ref' })
  const exported = Object.values(plugin)
  const options = exported.find((value) => typeof value === 'function' && value.plugin?.options !== undefined)?.plugin.options
  if (options === undefined) continue
  write(`${path}/schema.json`, options)
}

function write(path, schema, options = {}) {
  writeFileSync(join(ROOT, path), `${JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', ...options }), null, 2)}\n`)
  console.log(path)
}
