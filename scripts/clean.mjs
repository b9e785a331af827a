// Removes what the build made: dist and dist-test of every workspace package, and of the tests of docs.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, workspaces } from './workspaces.mjs'

for (const folder of [...workspaces().map((one) => one.folder), join(ROOT, 'docs')]) {
  for (const made of ['dist', 'dist-test']) rmSync(join(folder, made), { recursive: true, force: true })
}
