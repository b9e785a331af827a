// Packs every publishable package: `node scripts/pack-all.mjs [folder]` (default `packed`).
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { stage } from './stage-package.mjs'
import { ROOT, workspaces } from './workspaces.mjs'

/** The packages that are published. */
export function publishedPackages() {
  return workspaces().filter(({ manifest }) => manifest.private !== true)
}

/** Packs one package as it is published; gives the tarball's path and the files in it. */
export async function pack(one, destination) {
  const staged = mkdtempSync(join(tmpdir(), 'dicomtap-staged-'))
  try {
    await stage(one, staged)
    const output = execFileSync('npm', ['pack', '--json', '--pack-destination', destination], {
      cwd: staged,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [packed] = Object.values(JSON.parse(output))
    return { tarball: join(destination, packed.filename), bytes: packed.unpackedSize, files: packed.files.map(({ path }) => path) }
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const destination = resolve(process.argv[2] ?? join(ROOT, 'packed'))
  mkdirSync(destination, { recursive: true })
  for (const one of publishedPackages()) console.log((await pack(one, destination)).tarball)
}
