import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const SYNC_LIMIT_MS = 60_000
const SPARE_BYTES = 2 ** 31
const run = promisify(execFile)

/**
 * A folder for all data of a comparison: each run gets a fresh folder in it, and all are deleted at the end.
 * ext4 makes files at a tenth of its speed near many that were just deleted, so nothing small is deleted
 * before, and the folders are spread over the disk (`chattr +T`) where that is permitted.
 */
export async function makeWorkFolder(parent, neededBytes) {
  const root = join(parent, `compare-${process.pid}-${Date.now()}`)
  mkdirSync(root, { recursive: true })
  const remove = () => rmSync(root, { recursive: true, force: true })
  process.on('exit', remove)
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize < neededBytes + SPARE_BYTES) {
    throw new Error(`${parent} has ${gib(bavail * bsize)} GiB free, this comparison needs ${gib(neededBytes + SPARE_BYTES)}: fewer repetitions, servers or workloads (f, c, d)`)
  }
  await run('chattr', ['+T', root]).catch(() => {})
  let runs = 0
  return {
    root,
    next() {
      const directory = join(root, String(++runs).padStart(4, '0'))
      mkdirSync(directory)
      return directory
    },
    /** What one run wrote must not be written back during the next. */
    async settle() {
      await run('sync', process.platform === 'linux' ? ['-f', root] : [], { timeout: SYNC_LIMIT_MS }).catch(() => {})
    },
    removeOne: (directory) => rmSync(directory, { recursive: true, force: true }),
    remove,
  }
}

function gib(bytes) {
  return (bytes / 2 ** 30).toFixed(1)
}
