// Checks package-lock.json for what breaks a stranger's `npm ci`:
//  - a download address in it: the lock file must follow the reader's registry, not the writer's;
//  - a dependency without an entry. npm leaves out the packages of other platforms when it cannot fetch
//    them while it writes the lock file, and `npm ci` then refuses the file as out of step.
// And for what a site would not want to install:
//  - a dependency with an install script that the package.json does not turn off (`allowScripts`);
//  - a package that comes with ours and whose licence is not in the list;
//  - a package without a hash of its contents.
// `--complete` adds the entries of such platform packages; their versions are pinned by the package that
// lists them, the integrity is filled in by the next `npm install` that can fetch them.
import { readFileSync, writeFileSync } from 'node:fs'

const FILES = ['package-lock.json', 'tools/release/package-lock.json', 'tools/bundle/package-lock.json']
const PLATFORM = /(?:^|[/-])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-([a-z0-9]+)(?:-([a-z0-9]+))?$/
const CPU = { arm: 'arm', arm64: 'arm64', ia32: 'ia32', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x', x64: 'x64', loong64: 'loong64' }

/** Of what is installed with the published packages: each allows use in a closed product. */
const LICENCES = new Set(['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'Zlib', 'Python-2.0'])

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
  const { allowScripts = {} } = JSON.parse(readFileSync(new URL(`../${file.replace('package-lock', 'package')}`, import.meta.url), 'utf8'))
  let added = 0
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (/^https?:/.test(entry.resolved ?? '')) {
      problems.push(`${file}: ${path}: "resolved" names a registry; run npm with omit-lockfile-registry-resolved=true (.npmrc)`)
    }
    checkTrust(file, path, entry, allowScripts)
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

function checkTrust(file, path, entry, allowScripts) {
  const name = path.split('node_modules/').at(-1)
  if (!path.includes('node_modules/') || entry.link === true) return
  if (entry.hasInstallScript === true && allowScripts[name] !== false) {
    problems.push(`${file}: ${path} runs a script when it is installed; do without it, or turn the script off in allowScripts`)
  }
  if (entry.dev !== true && !isAllowed(entry.license)) problems.push(`${file}: ${path}: its licence (${entry.license ?? 'none named'}) is not in the list of this check`)
  // npm leaves the hash of other platforms' packages out when it cannot fetch them.
  if (entry.integrity === undefined && entry.inBundle !== true && platformOf(name) === undefined) problems.push(`${file}: ${path} has no integrity`)
}

/** An SPDX expression without nesting: of several licences to choose from one is enough, of joined ones each counts. */
function isAllowed(expression = '') {
  const plain = expression.replace(/^\((.*)\)$/, '$1')
  return plain.split(' OR ').some((part) => part.split(' AND ').every((one) => LICENCES.has(one)))
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
