// Writes the framework's version into the peer ranges of the workspace packages, which `lerna version` leaves
// alone: `>=0.3.0 <1` before 1.0 (one version for all packages), `^1.2.0` afterwards. `--check` only looks.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, workspaces } from './workspaces.mjs'

const isCheck = process.argv.includes('--check')
const { version } = JSON.parse(readFileSync(join(ROOT, 'lerna.json'), 'utf8'))
const range = version.startsWith('0.') ? `>=${version} <1` : `^${version}`
const packages = workspaces()
const names = new Set(packages.map(({ manifest }) => manifest.name))

for (const { folder, path, manifest } of packages) {
  const stale = Object.entries(manifest.peerDependencies ?? {}).filter(([name, old]) => names.has(name) && old !== range)
  if (stale.length === 0) continue
  for (const [name, old] of stale) {
    console.log(`${path}: ${name} ${old} -> ${range}`)
    manifest.peerDependencies[name] = range
  }
  if (isCheck) process.exitCode = 1
  else writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}
console.log(`peer ranges: ${process.exitCode === 1 ? 'out of step, run "node scripts/sync-peers.mjs"' : 'in step'}`)
