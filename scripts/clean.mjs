// Removes what the build made: dist and dist-test of every workspace package.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { workspaces } from './workspaces.mjs'

for (const { folder } of workspaces()) {
  for (const made of ['dist', 'dist-test']) rmSync(join(folder, made), { recursive: true, force: true })
}
