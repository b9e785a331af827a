// A process that writes to an index: `node writer.js <json>`, see runWriter in processes.ts. It prints the path of
// each instance whose `add` resolved.
import { writeSync } from 'node:fs'
import { openIndex } from '../../../dist/database/open-index.js'
import type { DatabaseOptions } from '../../../dist/options.js'
import { instanceOf } from './instances.js'
import { silentLog } from './log.js'

export interface WriterTask {
  readonly database: DatabaseOptions
  /** Begins the paths. */
  readonly name: string
  readonly instances: number
  /** Studies, which all writers have in common. */
  readonly studies: number
  /** Removes each so manieth that it added. */
  readonly removeEvery?: number
}

/** At once, whatever becomes of this process; who reads may be slower than who writes. */
function print(line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

const task = JSON.parse(process.argv[2] as string) as WriterTask
const index = openIndex({ database: task.database, resolvePath: (path) => path, log: silentLog() })
await index.start()
const running = new Set<Promise<void>>()
for (let number = 0; number < task.instances; number++) {
  const study = `1.9.${number % task.studies}`
  const path = `${task.name}/${number}.dcm`
  // The name of the patient, and with it the row, differs now and then.
  const instance = instanceOf({ patient: `P${number % task.studies}`, name: `doe^${number % 50 === 0 ? task.name : 'jane'}`, study, sop: `${study}.${task.name.length}${task.name.charCodeAt(0)}.${number}`, path })
  const done: Promise<void> = (async () => {
    await index.add(instance)
    print(`${path}\n`)
    if (task.removeEvery !== undefined && number % task.removeEvery === 0) {
      await index.remove([path])
      print(`-${path}\n`)
    }
  })().finally(() => running.delete(done))
  running.add(done)
  if (running.size >= 16) await Promise.race(running)
}
await Promise.all(running)
await index.close()
