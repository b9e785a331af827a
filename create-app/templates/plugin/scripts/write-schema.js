// Writes schema.json from the options: editors complete YAML configurations with it.
import { writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { options } from '../dist/options.js'

const schema = z.toJSONSchema(options, { io: 'input', target: 'draft-7' })
await writeFile(new URL('../schema.json', import.meta.url), `${JSON.stringify(schema, null, 2)}\n`)
