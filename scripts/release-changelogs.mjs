// Part of `npm run release:version`: gives the "Unreleased" section of each package's CHANGELOG.md the version
// and the date. Changelogs are written by hand, with the change; a package without a section gets a line.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publishedPackages } from './pack-all.mjs'
import { ROOT } from './workspaces.mjs'

const { version } = JSON.parse(readFileSync(join(ROOT, 'lerna.json'), 'utf8'))
const title = `## [${version}] - ${new Date().toISOString().slice(0, 10)}`
const UNRELEASED = /^## \[?Unreleased\]?$/m

for (const { folder, path } of publishedPackages()) {
  const file = join(folder, 'CHANGELOG.md')
  const text = readFileSync(file, 'utf8')
  if (new RegExp(`^## \\[?${version.replaceAll('.', '\\.')}\\b`, 'm').test(text)) continue
  const released = UNRELEASED.test(text)
    ? text.replace(UNRELEASED, title)
    : text.replace(/^(?=## )/m, `${title}\n\nNo changes of its own.\n\n`)
  if (released === text) throw new Error(`${path}/CHANGELOG.md has no section to put ${version} before`)
  writeFileSync(file, released)
}
