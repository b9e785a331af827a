import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { UsageError } from './validate.ts'

interface Manifest {
  name: string
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

export interface ManifestOptions {
  readonly name: string
  /** The version of this package, which is that of all `@dicomtap` packages. */
  readonly version: string
  /** `@dicomtap/plugin-*` dependencies that nobody asked for. */
  readonly without: readonly string[]
  /** Scripts that nobody needs. */
  readonly withoutScripts: readonly string[]
  /** Tarballs by package name, which stand in for the registry. */
  readonly tarballs: ReadonlyMap<string, string> | undefined
}

/**
 * Fills in the package.json of a new project: its name, and for each `@dicomtap` package the version
 * that belongs to this one, so that no template names a version.
 */
export async function fillManifest(file: string, { name, version, without, withoutScripts, tarballs }: ManifestOptions): Promise<void> {
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest
  manifest.name = name
  for (const script of withoutScripts) delete manifest.scripts?.[script]
  for (const dependencies of [manifest.dependencies, manifest.devDependencies]) {
    for (const one of Object.keys(dependencies ?? {})) {
      if (dependencies === undefined || !one.startsWith('@dicomtap/')) continue
      if (without.includes(one)) delete dependencies[one]
      else dependencies[one] = tarballs === undefined ? `^${version}` : tarballOf(one, tarballs)
    }
  }
  for (const one of Object.keys(manifest.peerDependencies ?? {})) {
    if (one.startsWith('@dicomtap/')) Object.assign(manifest.peerDependencies ?? {}, { [one]: peerRange(version) })
  }
  await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Before 1.0 all packages have one version and plugins fit every later one below 1.0. */
export function peerRange(version: string): string {
  return version.startsWith('0.') ? `>=${version} <1` : `^${version}`
}

function tarballOf(name: string, tarballs: ReadonlyMap<string, string>): string {
  const tarball = tarballs.get(name)
  if (tarball === undefined) throw new UsageError(`--packages: there is no tarball of ${name} ${[...tarballs.keys()].join(', ')}`)
  return `file:${tarball}`
}

/** The tarballs that `npm pack` made in a folder, by package name. */
export async function findTarballs(folder: string): Promise<Map<string, string>> {
  const root = resolve(folder)
  const files = await readdir(root).catch((error: unknown) => {
    throw new UsageError(`--packages: ${root} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  })
  const tarballs = new Map<string, string>()
  for (const file of files.sort()) {
    // npm names the tarball of @dicomtap/cli 0.1.0 dicomtap-cli-0.1.0.tgz.
    const name = /^dicomtap-(?<name>[a-z-]+)-\d+\.\d+\.\d+.*\.tgz$/u.exec(file)?.groups?.['name']
    if (name === undefined) continue
    if (tarballs.has(`@dicomtap/${name}`)) throw new UsageError(`--packages: ${root} has several versions of @dicomtap/${name}; keep one`)
    tarballs.set(`@dicomtap/${name}`, join(root, file))
  }
  if (tarballs.size === 0) throw new UsageError(`--packages: ${root} has no tarball of a @dicomtap package`)
  return tarballs
}
