import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What of a package.json is looked at. */
export interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly description?: string
  readonly keywords?: readonly string[]
  readonly exports?: unknown
  readonly dicomtap?: { readonly commands?: unknown } | null
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** `@scope/name/sub/path` is `@scope/name`. */
export function packageNameOf(specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

/** The folder of an installed package as seen from a file, or undefined. */
export function findPackage(name: string, fromFile: string): string | undefined {
  const parents = createRequire(fromFile).resolve.paths(name) ?? []
  return parents.map((parent) => join(parent, name)).find((folder) => existsSync(join(folder, 'package.json')))
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
}

/**
 * The file that `import '<specifier>'` in `fromFile` would load. Node resolves with the conditions of
 * `import` from another file's place only behind a flag, so packages whose exports tell `import` and
 * `require` apart go through jiti; the others do not pay for loading it.
 */
export async function resolveModule(specifier: string, fromFile: string, manifest: Manifest): Promise<string> {
  const exports = JSON.stringify(manifest.exports ?? null)
  if (!/"(?:import|require|module-sync|node)":/u.test(exports)) return createRequire(fromFile).resolve(specifier)
  const { createJiti } = await import('jiti')
  const parent = pathToFileURL(fromFile).href
  return fileURLToPath(createJiti(parent, { fsCache: false }).esmResolve(specifier, parent))
}
