import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const SCRIPT = here('../../scripts/stage-packages.mjs')
const FOLDER = here('../data/published')
const PACKAGES = ['framework', 'cli', 'plugin-logging', 'plugin-verification', 'plugin-storage', 'plugin-tls', 'plugin-query-retrieve'].map((name) => `@dicomtap/${name}`)

/** Where the command lies in each form of the project, and config files beside its plugins: as published, or of the clone, whose modules have their own names. */
export const FORMS = {
  published: { cli: join(FOLDER, 'node_modules/@dicomtap/cli/bin/dicomtap.js'), configs: join(FOLDER, 'config') },
  clone: {
    cli: join(dirname(fileURLToPath(import.meta.resolve('@dicomtap/cli/package.json'))), 'bin/dicomtap.js'),
    configs: here('../data/config'),
  },
}

/** Makes the packages as npm publishes them, the modules of each joined: what users run. */
export function preparePublished() {
  execFileSync(process.execPath, [SCRIPT, FOLDER, ...PACKAGES], { stdio: 'inherit' })
}
