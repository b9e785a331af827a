import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const SCRIPT = here('../../scripts/stage-packages.mjs')
const ALL = here('../data/published')
/** Of this process: another comparison may begin while this one runs. */
const FOLDER = join(ALL, String(process.pid))
const PACKAGES = ['framework', 'cli', 'plugin-logging', 'plugin-verification', 'plugin-storage', 'plugin-tls', 'plugin-query-retrieve'].map((name) => `@dicomtap/${name}`)

/** Where the command lies in each form of the project, and config files beside its plugins: as published, or of the clone, whose modules have their own names. */
export const FORMS = {
  published: { cli: join(FOLDER, 'node_modules/@dicomtap/cli/bin/dicomtap.js'), configs: join(FOLDER, 'config') },
  clone: {
    cli: join(dirname(fileURLToPath(import.meta.resolve('@dicomtap/cli/package.json'))), 'bin/dicomtap.js'),
    configs: here('../data/config'),
  },
}

/** Makes the packages as npm publishes them, the modules of each joined: what users run. They go when this process ends. */
export function preparePublished() {
  for (const name of foldersOf(ALL)) if (!isRunning(Number(name))) rmSync(join(ALL, name), { recursive: true, force: true })
  process.on('exit', () => rmSync(FOLDER, { recursive: true, force: true }))
  execFileSync(process.execPath, [SCRIPT, FOLDER, ...PACKAGES], { stdio: 'inherit' })
}

function foldersOf(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
