// A package as it is published: its modules joined to a few files. Reading hundreds of small ones is most of what a
// start costs where Node keeps no compiled code. Names of entries, types and everything else stay as they are.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { ROOT } from './workspaces.mjs'

const TOOLS = join(ROOT, 'tools/bundle')
/** Dependencies of more files than all else that a server reads: they go into the joined files, with their licence. */
const JOINED_DEPENDENCIES = ['kysely']
/** Modules that are loaded by their URL: workers, and what a process of a cluster has another load. */
const BY_URL = /new URL\('(\.[^']*\.js)', import\.meta\.url\)/g

/** Makes the package in `target`; only what npm would pack is copied. */
export async function stage({ folder, manifest }, target) {
  rmSync(target, { recursive: true, force: true })
  const [packed] = Object.values(JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })))
  const dist = join(folder, 'dist')
  const modules = packed.files.map(({ path }) => path).filter((path) => /^dist\/.*\.js$/.test(path))
  for (const { path } of packed.files) {
    if (modules.includes(path)) continue
    mkdirSync(dirname(join(target, path)), { recursive: true })
    cpSync(join(folder, path), join(target, path))
  }
  const entries = entriesOf(folder, manifest, modules)
  if (entries.length === 0) return
  const others = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
  const external = others.filter((name) => !JOINED_DEPENDENCIES.includes(name)).flatMap((name) => [name, `${name}/*`])
  await joined(dist, entries, join(target, 'dist'), external)
  for (const name of others.filter((one) => JOINED_DEPENDENCIES.includes(one))) {
    cpSync(join(ROOT, 'node_modules', name, 'LICENSE'), join(target, 'dist', `LICENSE-${name}`))
  }
}

/** What is loaded by name or URL: it keeps its place. */
function entriesOf(folder, manifest, modules) {
  const named = JSON.stringify([manifest.exports ?? null, manifest.dicomtap ?? null]).matchAll(/"\.\/(dist\/[^"]*\.js)"/g)
  const bins = Object.values(manifest.bin ?? {}).flatMap((bin) => [...readFileSync(join(folder, bin), 'utf8').matchAll(/'\.\.\/(dist\/[^']*\.js)'/g)])
  const byUrl = modules.flatMap((path) => [...readFileSync(join(folder, path), 'utf8').matchAll(BY_URL)].map(([, to]) => join(dirname(path), to)))
  const entries = new Set([...[...named, ...bins].map(([, path]) => path), ...byUrl])
  for (const entry of entries) if (!modules.includes(entry)) throw new Error(`${manifest.name}: there is no module ${entry}`)
  return [...entries]
}

async function joined(dist, entries, outdir, external) {
  const { build } = esbuild()
  const { warnings, metafile } = await build({
    entryPoints: entries.map((entry) => join(dirname(dist), entry)),
    outbase: dist,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external,
    minify: false,
    chunkNames: 'chunk-[hash]',
    metafile: true,
    logLevel: 'warning',
    plugins: [keepUrls(dist)],
  })
  if (warnings.length > 0) throw new Error('The modules cannot be joined (above)')
  const foreign = Object.keys(metafile.inputs).find((input) => /(^|\/)node_modules\//.test(input) && !JOINED_DEPENDENCIES.some((name) => input.includes(`node_modules/${name}/`)))
  if (foreign !== undefined) throw new Error(`${foreign} is of a package that is no dependency`)
  for (const [path, { inputs }] of Object.entries(metafile.outputs)) {
    if (dirname(relative(outdir, join(process.cwd(), path))) === '.') continue
    // What `keepUrls` made of it holds for files that lie in dist itself.
    const moved = Object.keys(inputs).find((input) => readFileSync(join(process.cwd(), input), 'utf8').includes('import.meta'))
    if (moved !== undefined) throw new Error(`${moved} has import.meta and must not end up in ${path}`)
  }
}

/** `import.meta.url` is that of the joined file, in dist itself; what a module asks for lies where it was. */
function keepUrls(dist) {
  return {
    name: 'keep-urls',
    setup(builder) {
      builder.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8')
        const place = relative(dist, path).split(sep).join('/')
        if (!source.includes('import.meta.url') || !place.includes('/')) return { contents: source, loader: 'js' }
        return { contents: source.replaceAll('import.meta.url', `new URL('./${place}', import.meta.url).href`), loader: 'js' }
      })
    },
  }
}

function esbuild() {
  if (!existsSync(join(TOOLS, 'node_modules'))) installTools()
  return createRequire(join(TOOLS, 'package.json'))('esbuild')
}

/** All of it or nothing: two may begin at once, and one be broken off. */
function installTools() {
  const place = join(TOOLS, 'data', String(process.pid))
  mkdirSync(place, { recursive: true })
  try {
    for (const name of ['package.json', 'package-lock.json']) cpSync(join(TOOLS, name), join(place, name))
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', place], { stdio: 'inherit' })
    renameSync(join(place, 'node_modules'), join(TOOLS, 'node_modules'))
  } catch (error) {
    if (!existsSync(join(TOOLS, 'node_modules'))) throw error
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}
