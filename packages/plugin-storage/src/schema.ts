import { z } from 'zod'
import { storageOptions } from './options.ts'

/** The text of `schema.json`: what editors complete the options in a config file with. */
export function schemaText(): string {
  const schema = z.toJSONSchema(storageOptions, { io: 'input', target: 'draft-07' })
  return `${JSON.stringify(schema, undefined, 2)}\n`
}
