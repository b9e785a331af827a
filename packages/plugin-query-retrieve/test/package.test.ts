import { readFile } from 'node:fs/promises'
import test from 'ava'
import { z } from 'zod'
import { queryRetrieveOptions } from '../dist/index.js'

const read = (name: string): Promise<string> => readFile(new URL(`../${name}`, import.meta.url), 'utf8')
const made = z.toJSONSchema(queryRetrieveOptions, { io: 'input', unrepresentable: 'any' }) as { readonly properties: Readonly<Record<string, { readonly default?: unknown }>> }

test('schema.json is that of the sources', async (t) => {
  t.deepEqual(JSON.parse(await read('schema.json')), JSON.parse(JSON.stringify(made)))
})

test('the README has every option, and no other', async (t) => {
  const readme = await read('README.md')
  const section = readme.slice(readme.indexOf('## Options'), readme.indexOf('### Models'))
  const named = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name)
  t.deepEqual(named.sort(), Object.keys(made.properties).sort())
})

test('the README has the models of the options', async (t) => {
  const readme = await read('README.md')
  const section = readme.slice(readme.indexOf('### Models'), readme.indexOf('### Attributes'))
  const rows = Object.fromEntries([...section.matchAll(/^\| `(\w+)` \|.*`\[([\w, ]+)\]` \|$/gm)].map(([, name = '', services = '']) => [name, services.split(', ')]))
  const { models } = queryRetrieveOptions.parse({})
  t.deepEqual<unknown, unknown>(rows, { ...models })
})
