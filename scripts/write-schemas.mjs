// Writes schema.json of each plugin package from the options schema in its build, for editors that complete
// YAML and JSON configs. A test in each package fails when the file is out of date.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { workspaces } from './workspaces.mjs'

for (const { folder, path } of workspaces()) {
  const built = join(folder, 'dist/index.js')
  if (!path.startsWith('packages/plugin-') || !existsSync(built)) continue
  const exported = Object.values(await import(pathToFileURL(built).href))
  const options = exported.find((value) => typeof value === 'function' && value.plugin?.options !== undefined)?.plugin.options
  if (options === undefined) continue
  const schema = z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' })
  writeFileSync(join(folder, 'schema.json'), `${JSON.stringify(schema, null, 2)}\n`)
  console.log(`${path}/schema.json`)
}
