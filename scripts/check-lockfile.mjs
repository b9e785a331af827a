// Checks package-lock.json for what breaks a stranger's `npm ci`:
//  - a download address in it: the lock file must follow the reader's registry, not the writer's;
//  - a dependency without an entry. npm leaves out the packages of other platforms when it cannot fetch
//    them while it writes the lock file, and `npm ci` then refuses the file as out of step.
// `--complete` adds the entries of such platform packages; their versions are pinned by the package that
// lists them, the integrity is filled in by the next `npm install` that can fetch them.
import { readFileSync, writeFileSync } from 'node:fs'

const FILES = ['package-lock.json', 'tools/release/package-lock.json']
const PLATFORM = /(?:^|[/-])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-([a-z0-9]+)(?:-([a-z0-9]+))?$/
const CPU = { arm: 'arm', arm64: 'arm64', ia32: 'ia32', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x', x64: 'x64', loong64: 'loong64' }

const complete = process.argv.includes('--complete')
const problems = []
for (const file of FILES) checkLockfile(file)

if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  console.error(`lock files: ${problems.length} problem(s)`)
  process.exitCode = 1
} else {
  console.log(`lock files: ${FILES.join(', ')} in order`)
}

function checkLockfile(file) {
  const lock = JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'))
  let added = 0
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (/^https?:/.test(entry.resolved ?? '')) {
      problems.push(`${file}: ${path}: "resolved" names a registry; run npm with omit-lockfile-registry-resolved=true (.npmrc)`)
    }
    for (const [name, range] of Object.entries({ ...entry.dependencies, ...entry.optionalDependencies })) {
      if (isInstalled(lock.packages, path, name)) continue
      const platform = entry.optionalDependencies?.[name] === undefined ? undefined : platformOf(name)
      if (complete && platform !== undefined) {
        lock.packages[`node_modules/${name}`] = platformEntry(range, entry, platform)
        added += 1
      } else {
        problems.push(`${file}: ${path} needs ${name}@${range}, which has no entry: run "node scripts/check-lockfile.mjs --complete"`)
      }
    }
  }
  if (added === 0) return
  const [root, ...rest] = Object.entries(lock.packages)
  rest.sort(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = Object.fromEntries([root, ...rest])
  writeFileSync(new URL(`../${file}`, import.meta.url), `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`${file}: added ${added} platform package(s)`)
}

/** Node's own look-up: the nearest node_modules upwards. */
function isInstalled(packages, path, name) {
  for (let folder = path; ; folder = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '') {
    if (packages[folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`] !== undefined) return true
    if (folder === '') return false
  }
}

function platformOf(name) {
  const match = PLATFORM.exec(name)
  const cpu = CPU[match?.[2] ?? '']
  if (match === null || cpu === undefined) return undefined
  const abi = match[3] ?? ''
  const libc = match[1] !== 'linux' || abi === '' ? undefined : abi.startsWith('musl') ? 'musl' : 'glibc'
  return { os: match[1], cpu, libc }
}

function platformEntry(version, parent, { os, cpu, libc }) {
  return {
    version,
    cpu: [cpu],
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    license: parent.license,
    optional: true,
    os: [os],
    ...(parent.engines === undefined ? {} : { engines: parent.engines }),
  }
}
