// Packs every publishable package: `node scripts/pack-all.mjs [folder]` (default `packed`).
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT, workspaces } from './workspaces.mjs'

/** The packages that are published. */
export function publishedPackages() {
  return workspaces().filter(({ manifest }) => manifest.private !== true)
}

/** Packs one package as `npm publish` would; gives the tarball's path and the files in it. */
export function pack({ folder }, destination) {
  const output = execFileSync('npm', ['pack', '--json', '--pack-destination', destination], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [packed] = Object.values(JSON.parse(output))
  return { tarball: join(destination, packed.filename), bytes: packed.unpackedSize, files: packed.files.map(({ path }) => path) }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const destination = resolve(process.argv[2] ?? join(ROOT, 'packed'))
  mkdirSync(destination, { recursive: true })
  for (const one of publishedPackages()) console.log(pack(one, destination).tarball)
}
