import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCES = fileURLToPath(new URL('../load/c', import.meta.url))
const BUILT = fileURLToPath(new URL('../data/build', import.meta.url))
const JAVASCRIPT = {
  language: 'JavaScript',
  hasTls: false,
  program: process.execPath,
  load: [fileURLToPath(new URL('../load.mjs', import.meta.url))],
  sink: [fileURLToPath(new URL('../sink.mjs', import.meta.url))],
}

let found

/**
 * The load generator and the sink: the C program of `load/c`, built when its sources are newer than what was built
 * before; that in JavaScript where there is no compiler.
 * @returns `{ language, hasTls, program, load, sink }`: program and first arguments of both
 */
export function generator() {
  found ??= built() ?? JAVASCRIPT
  return found
}

function built() {
  if (process.platform !== 'linux') return undefined
  const sources = readdirSync(SOURCES).sort().map((name) => join(SOURCES, name))
  const hash = createHash('sha256')
  for (const file of sources) hash.update(readFileSync(file))
  const name = join(BUILT, `load-${hash.digest('hex').slice(0, 16)}`)
  const files = sources.filter((file) => file.endsWith('.c'))
  for (const hasTls of [true, false]) {
    const program = hasTls ? `${name}-tls` : name
    if (existsSync(program) || compile(program, files, hasTls)) return { language: 'C', hasTls, program, load: [], sink: ['sink'] }
  }
  return undefined
}

function compile(program, files, hasTls) {
  mkdirSync(BUILT, { recursive: true })
  const unfinished = `${program}.${process.pid}`
  const options = ['-std=c11', '-O2', '-pthread', ...(hasTls ? ['-DWITH_TLS'] : []), '-o', unfinished, ...files, ...(hasTls ? ['-lssl', '-lcrypto'] : []), '-lm']
  try {
    execFileSync('cc', options, { stdio: 'ignore' })
    renameSync(unfinished, program)
    return true
  } catch {
    return false
  }
}
