// Part of `npm run release:version`: gives the "Unreleased" section of each package's CHANGELOG.md the version
// and the date. Changelogs are written by hand, with the change; a package without a section gets a line.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publishedPackages } from './pack-all.mjs'
import { ROOT } from './workspaces.mjs'

const { version } = JSON.parse(readFileSync(join(ROOT, 'lerna.json'), 'utf8'))
const title = `## ${version} (${new Date().toISOString().slice(0, 10)})`

for (const { folder, path } of publishedPackages()) {
  const file = join(folder, 'CHANGELOG.md')
  const text = readFileSync(file, 'utf8')
  if (text.includes(`\n## ${version}`)) continue
  const isNoted = /^## Unreleased$/m.test(text)
  const released = isNoted
    ? text.replace(/^## Unreleased$/m, title)
    : text.replace(/^# Changelog\n/, `# Changelog\n\n${title}\n\nNo changes of its own.\n`)
  if (released === text) throw new Error(`${path}/CHANGELOG.md must begin with "# Changelog"`)
  writeFileSync(file, released)
}
