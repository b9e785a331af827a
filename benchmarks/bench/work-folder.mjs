import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, truncateSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const SYNC_LIMIT_MS = 60_000
const SPARE_BYTES = 2 ** 31
const TOUCH_BLOCK = Buffer.alloc(2 ** 20, 0x5a)
/** As dicomtap, storescp, the sink and Orthanc name what they store. */
const OBJECT_FILE = /(?:\.dcm|^CT\.[\d.]+|^2\.25\.\d+|^[0-9a-f]{8}-[0-9a-f-]{27})$/
const run = promisify(execFile)

/**
 * A folder for all data of a comparison: each run gets a fresh folder in it, and all are deleted at the end.
 * ext4 makes files at a tenth of its speed near many that were just deleted, so nothing small is deleted
 * before, and the folders are spread over the disk (`chattr +T`) where that is permitted.
 */
export async function makeWorkFolder(parent, neededBytes) {
  const root = join(parent, `runs-${process.pid}-${Date.now()}`)
  mkdirSync(root, { recursive: true })
  const remove = () => rmSync(root, { recursive: true, force: true })
  process.on('exit', remove)
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize < neededBytes + SPARE_BYTES) {
    const sizes = `${gib(bavail * bsize)} GiB free, ${gib(neededBytes + SPARE_BYTES)} GiB needed`
    throw new Error(`${parent}: ${sizes}. Ask for fewer repetitions, servers or workloads (f, d and c are large)`)
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
    /**
     * Makes `bytes` of free memory ones that the machine really has. A virtual machine gives memory that is
     * free for some seconds back to its host, and the next to use it pays ten times its price: without this
     * whoever comes first after a pause is the slowest.
     */
    touch(bytes) {
      const file = join(root, 'touched')
      const descriptor = openSync(file, 'w')
      for (let written = 0; written < bytes; written += TOUCH_BLOCK.length) writeSync(descriptor, TOUCH_BLOCK)
      closeSync(descriptor)
      unlinkSync(file)
    },
    /** What one run wrote must not be written back during the next. */
    async settle() {
      await run('sync', process.platform === 'linux' ? ['-f', root] : [], { timeout: SYNC_LIMIT_MS }).catch(() => {})
    },
    /**
     * Empties the objects that a run left, so that they take no room. The files stay: ext4 makes new ones at a tenth of
     * its speed where many were just deleted.
     * @param emptied paths that need not be looked at again; those found are added
     */
    empty(directory, emptied) {
      for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        if (emptied.has(path) || !entry.isFile() || !OBJECT_FILE.test(entry.name)) continue
        emptied.add(path)
        truncateSync(path)
      }
    },
    removeOne: (directory) => rmSync(directory, { recursive: true, force: true }),
    remove,
  }
}

function gib(bytes) {
  return (bytes / 2 ** 30).toFixed(1)
}
