// Lays packages out as they are published, below `<folder>/node_modules`; what they depend on stays that of the clone:
// `node scripts/stage-packages.mjs <folder> @dicomtap/cli ...`.
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { stage } from './stage-package.mjs'
import { workspaces } from './workspaces.mjs'

const [folder, ...names] = process.argv.slice(2)
const all = workspaces()
for (const name of names) {
  const one = all.find(({ manifest }) => manifest.name === name)
  if (one === undefined) throw new Error(`there is no package ${name}`)
  const target = join(resolve(folder), 'node_modules', name)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(dirname(target), { recursive: true })
  await stage(one, target)
  const own = join(one.folder, 'node_modules')
  if (existsSync(own)) symlinkSync(own, join(target, 'node_modules'), 'junction')
}
