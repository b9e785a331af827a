import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** The workspace packages: `{ folder, path, manifest }`, in the order of the root package.json. */
export function workspaces() {
  const { workspaces: patterns } = readManifest(ROOT)
  return patterns.flatMap(foldersOf)
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, path: relative(ROOT, folder), manifest: readManifest(folder) }))
}

export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function foldersOf(pattern) {
  if (!pattern.endsWith('/*')) return [join(ROOT, pattern)]
  const parent = join(ROOT, pattern.slice(0, -2))
  if (!existsSync(parent)) return []
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(parent, entry.name))
    .sort()
}
