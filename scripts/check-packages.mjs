// Checks each published package as its users get it: packed, then looked at by publint and attw.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { pack, publishedPackages } from './pack-all.mjs'
import { ROOT, readManifest } from './workspaces.mjs'

const MUST_HAVE = ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']
const MUST_NOT_HAVE = /(^|\/)(test|dist-test|node_modules)\/|\.map$|\.tsbuildinfo$|\.test\.|(^|\/)\.(?!gitignore|npmrc)/
const LARGEST_BYTES = 3_000_000
const ATTW = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')

const root = readManifest(ROOT)
const problems = []
const destination = mkdtempSync(join(tmpdir(), 'dicomtap-packed-'))
try {
  const packages = publishedPackages()
  for (const one of packages) await check(one)
  if (packages.length === 0) problems.push('no published package found')
  if (problems.length === 0) console.log(`packages: ${packages.length} in order (${packages.map(({ manifest }) => manifest.name).join(', ')})`)
} finally {
  rmSync(destination, { recursive: true, force: true })
}
if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  console.error(`packages: ${problems.length} problem(s)`)
  process.exitCode = 1
}

async function check(one) {
  const { manifest, path } = one
  const say = (message) => problems.push(`${path}: ${message}`)
  checkManifest(manifest, path, say)

  const { tarball, files, bytes } = await pack(one, destination)
  for (const name of MUST_HAVE) if (!files.includes(name)) say(`${name} is not in the package`)
  for (const name of files) if (MUST_NOT_HAVE.test(name) && !name.startsWith('templates/')) say(`${name} must not be in the package`)
  if (manifest.name.startsWith('@dicomtap/plugin-') && !files.includes('schema.json')) say('schema.json is not in the package')
  if (bytes > LARGEST_BYTES) say(`unpacks to ${bytes} bytes: more than ${LARGEST_BYTES}`)

  const data = readFileSync(tarball)
  const { messages } = await publint({ pack: { tarball: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) }, strict: true })
  for (const message of messages) {
    const text = formatMessage(message, manifest, { color: false })
    // Templates are manifests of other packages.
    if (!text.includes('./templates/')) say(`publint: ${text}`)
  }

  // A package without exports is a command only: there are no types to look at.
  if (manifest.exports === undefined) return
  try {
    execFileSync(process.execPath, [ATTW, tarball, '--profile', 'esm-only', '--no-emoji', '--no-color', '-f', 'ascii', '--exclude-entrypoints', 'schema.json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    say(`attw:\n${error.stdout}${error.stderr}`)
  }
}

function checkManifest(manifest, path, say) {
  const expected = { license: root.license, author: root.author, type: 'module' }
  for (const [key, value] of Object.entries(expected)) if (manifest[key] !== value) say(`package.json: ${key} must be ${value}`)
  if (manifest.engines?.node !== root.engines.node) say(`package.json: engines.node must be ${root.engines.node}`)
  if (manifest.repository?.url !== root.repository.url || manifest.repository?.directory !== path) say('package.json: repository must name this package')
  if (!Array.isArray(manifest.files) || manifest.files.length === 0) say('package.json: files is missing')
  if (manifest.version !== JSON.parse(readFileSync(join(ROOT, 'lerna.json'), 'utf8')).version) say('package.json: version is not that of lerna.json')
  for (const key of ['description', 'homepage', 'bugs', 'keywords']) if (manifest[key] === undefined) say(`package.json: ${key} is missing`)
  if (manifest.name.startsWith('@dicomtap/plugin-') && !manifest.keywords?.includes('dicomtap-plugin')) {
    say('package.json: keywords must have dicomtap-plugin')
  }
}
