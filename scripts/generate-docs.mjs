// Writes the generated parts of the documentation, between `<!-- generated:name -->` and
// `<!-- /generated -->`, from the built packages: `npm run docs`. `--check` only looks.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { REGIONS } from './docs/regions.mjs'
import { ROOT } from './workspaces.mjs'

const REGION = /(<!-- generated:([a-z-]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g

const isCheck = process.argv.includes('--check')
const problems = []
const used = new Set()
let count = 0

for (const file of pages()) {
  const before = readFileSync(file, 'utf8')
  const after = before.replaceAll(REGION, (whole, start, name, end) => {
    const make = REGIONS[name]
    if (make === undefined) {
      problems.push(`${relative(ROOT, file)}: there is no generated part '${name}' in scripts/docs/regions.mjs`)
      return whole
    }
    count += 1
    used.add(name)
    return `${start}\n${make()}\n\n${end}`
  })
  if (after === before) continue
  if (isCheck) problems.push(`${relative(ROOT, file)}: out of date, run "npm run docs"`)
  else {
    writeFileSync(file, after)
    console.log(`written: ${relative(ROOT, file)}`)
  }
}
for (const name of Object.keys(REGIONS)) if (!used.has(name)) problems.push(`the generated part '${name}' is used in no page`)

if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  process.exitCode = 1
} else {
  console.log(`docs: ${count} generated parts in order`)
}

function pages() {
  const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return [...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'].map((name) => join(ROOT, name)), ...inDocs]
}
