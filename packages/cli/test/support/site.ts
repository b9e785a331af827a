import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const FRAMEWORK = fileURLToPath(new URL('../../../framework/', import.meta.url))

/** A folder as a site has it: files, and a node_modules with the framework and the plugin packages given. */
export async function makeSite(t: ExecutionContext, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'dicomtap cli ')))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'node_modules/@dicomtap'), { recursive: true })
  await symlink(FRAMEWORK, join(folder, 'node_modules/@dicomtap/framework'), 'dir')
  await writeFiles(folder, files)
  return folder
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** The files of an installed plugin package whose module is `source`. */
export function pluginPackage(name: string, source: string, manifest: object = {}): Record<string, string> {
  const content = { name, version: '1.2.3', type: 'module', exports: './index.js', description: `The ${name} plugin`, keywords: ['dicomtap-plugin'], ...manifest }
  return {
    [`node_modules/${name}/package.json`]: JSON.stringify(content),
    [`node_modules/${name}/index.js`]: `import { definePlugin, Stage } from '@dicomtap/framework'\n${source}`,
  }
}

/** A plugin package that answers C-ECHO. */
export const ECHO: Readonly<Record<string, string>> = pluginPackage(
  'dicomtap-plugin-echo',
  `export const echo = definePlugin({
    name: 'dicomtap-plugin-echo',
    version: '1.2.3',
    options: { '~standard': { version: 1, vendor: 'test', validate: (value) =>
      value.loud === undefined || typeof value.loud === 'boolean' ? { value: { loud: false, ...value } } : { issues: [{ message: 'expected a boolean', path: ['loud'] }] } } },
    apply(api) {
      api.supportSopClass({ uid: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] })
      api.hooks.cEcho.tap({ stage: Stage.Late }, () => 0)
    },
  })`,
)
