import { writeFile } from 'node:fs/promises'
import { schemaText } from '../dist/schema.js'

await writeFile(new URL('../schema.json', import.meta.url), schemaText())
