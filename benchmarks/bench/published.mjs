import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stage } from '../../scripts/stage-package.mjs'
import { workspaces } from '../../scripts/workspaces.mjs'

const FOLDER = fileURLToPath(new URL('../data/published', import.meta.url))
const NEEDED = ['framework', 'cli', 'plugin-logging', 'plugin-verification', 'plugin-storage', 'plugin-tls'].map((name) => `@dicomtap/${name}`)
const packages = join(FOLDER, 'node_modules')

/** Where packages and config files of a form of the project lie: as published, or of the clone, whose files have readable names. */
export const FORMS = {
  published: { cli: join(packages, '@dicomtap/cli/bin/dicomtap.js'), configs: join(FOLDER, 'config') },
  clone: {
    cli: fileURLToPath(new URL('../../packages/cli/bin/dicomtap.js', import.meta.url)),
    configs: fileURLToPath(new URL('../data/config', import.meta.url)),
  },
}

/** Makes the packages as npm publishes them, with the modules of each joined: what users run. Their dependencies are those of the clone. */
export async function preparePublished() {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(packages, { recursive: true })
  for (const one of workspaces().filter(({ manifest }) => NEEDED.includes(manifest.name))) {
    const target = join(packages, one.manifest.name)
    await stage(one, target)
    const own = join(one.folder, 'node_modules')
    if (existsSync(own)) symlinkSync(own, join(target, 'node_modules'), 'junction')
  }
}
