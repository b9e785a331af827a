// A process of its own that stores what it is told to and kills itself before its Nth call to the file
// system that changes something or waits for the disk.
// It says what was answered as it goes: "<index> <status>" lines; of removals "forgot <path>" and "removed <count>".
import type { ApplicationEntity } from '@dicomtap/framework'
import { constants, writeSync } from 'node:fs'
import { type FileSystem, nodeFileSystem } from '../../dist/file-system.js'
import { storageHooks } from '../../dist/hooks.js'
import { storageOptions } from '../../dist/options.js'
import { ObjectStore } from '../../dist/store.js'
import { dataSetOf, requestFor } from './objects.js'
import { recordingLogger, statusOf } from './store-fixture.js'
import { type Sent, valuesOf } from './stored-objects.js'

export interface CrashTask {
  readonly directory: string
  readonly options: Record<string, unknown>
  readonly sent: readonly Sent[]
  /** Objects on their way at once. */
  readonly atOnce: number
  /** Paths that are removed after that. */
  readonly removals?: readonly string[] | undefined
  /** 1 is the first call of all; undefined: none. */
  readonly crashBeforeCall?: number | undefined
}

const { directory, options, sent, atOnce, removals = [], crashBeforeCall } = JSON.parse(process.argv[2] ?? '') as CrashTask
/** Before any other call the folder looks as it does before the next one of these. */
const COUNTED: ReadonlySet<string> = new Set(['write', 'fsync', 'rename', 'link', 'unlink', 'makeFolders', 'removeFolder'])
let calls = 0

function isCounted(name: string, args: readonly unknown[]): boolean {
  return COUNTED.has(name) || (name === 'open' && ((args[1] as number) & constants.O_CREAT) !== 0)
}

const fileSystem = Object.fromEntries(
  Object.entries(nodeFileSystem).map(([name, call]) => [
    name,
    (...args: unknown[]): unknown => {
      if (isCounted(name, args)) {
        calls += 1
        if (calls === crashBeforeCall) process.kill(process.pid, 'SIGKILL')
      }
      return (call as (...args: unknown[]) => unknown)(...args)
    },
  ]),
) as unknown as FileSystem

const hooks = storageHooks({} as ApplicationEntity)
if (removals.length > 0) {
  hooks.instanceRemoved.tap('index', ({ relativePath }) => void writeSync(1, `forgot ${relativePath}\n`))
  hooks.instanceRestored.tap('index', ({ relativePath }) => void writeSync(1, `restored ${relativePath}\n`))
}
const store = new ObjectStore({
  directory,
  options: storageOptions.parse({ directory, minimumFreeSpace: null, ...options }),
  hooks,
  log: recordingLogger([]),
  fileSystem,
})
await store.start()
const entries = sent.entries()
const work = async (): Promise<void> => {
  for (const [index, one] of entries) {
    const [request, operation] = requestFor(dataSetOf(valuesOf(one)), { sopInstanceUid: one.uid })
    const status = statusOf(await store.store(request, operation))
    writeSync(1, `${index} ${status}\n`)
  }
}
await Promise.all(Array.from({ length: atOnce }, work))
if (removals.length > 0) {
  const { removed } = await store.remove(removals, { reason: 'test', withVersions: true })
  writeSync(1, `removed ${removed}\n`)
}
await store.stop()
writeSync(1, `calls ${calls}\n`)
