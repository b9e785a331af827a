import test, { type ExecutionContext } from 'ava'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFileSystem } from '../dist/file-system.js'
import { Verification } from '../dist/verify/verify.js'
import type { CrashTask } from './support/crash-store.js'
import { filesIn, storeFixture, temporaryFolder } from './support/store-fixture.js'
import { lostObjects, POLICIES, type Policy, SCENARIO, type Sent } from './support/stored-objects.js'

const isFull = process.env['DICOMTAP_FAULTS'] === 'full'
const CHILD = fileURLToPath(new URL('support/crash-store.js', import.meta.url))

interface Ran {
  readonly acknowledged: Sent[]
  readonly statuses: Map<number, number>
  /** Undefined when it was killed. */
  readonly calls: number | undefined
}

const CHILDREN_AT_ONCE = 4
const waiting: (() => void)[] = []
let children = 0

async function run(t: ExecutionContext, task: CrashTask, onStarted?: (child: ChildProcess) => void): Promise<Ran> {
  if (children >= CHILDREN_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  children += 1
  try {
    return await runChild(t, task, onStarted)
  } finally {
    children -= 1
    waiting.shift()?.()
  }
}

function runChild(t: ExecutionContext, task: CrashTask, onStarted?: (child: ChildProcess) => void): Promise<Ran> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (out === '') onStarted?.(child)
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') return reject(new Error(`exit ${code}: ${err}`))
      const statuses = new Map([...out.matchAll(/^(\d+) (\d+)$/gm)].map(([, index, status]) => [Number(index), Number(status)]))
      const acknowledged = [...statuses].filter(([, status]) => status === 0).map(([index]) => task.sent[index] as Sent)
      const calls = /^calls (\d+)$/m.exec(out)?.[1]
      resolve({ acknowledged, statuses, calls: calls === undefined ? undefined : Number(calls) })
    })
  })
}

/** A new server on the folder finds everything that was answered 0000, and nothing half there. */
async function restartAndCheck(t: ExecutionContext, directory: string, policy: Policy, sent: readonly Sent[], acknowledged: readonly Sent[], what: string) {
  const { store } = await storeFixture(t, { directory, options: { duplicates: policy } })
  await store.start()
  t.is((await readdir(path.join(directory, '.dicomtap', 'partial'))).length, 1, `${what}: only the folder of the new one`)
  const files = await filesIn(directory)
  t.deepEqual(await lostObjects(directory, files, { policy, sent, acknowledged }), [], what)
  await store.stop()
  const problems: unknown[] = []
  const recordDirectory = path.join(directory, '.dicomtap', 'records')
  const counts = await new Verification({
    root: directory, recordDirectory, signal: new AbortController().signal, isQuick: false, parallel: 2, fileSystem: nodeFileSystem,
    onProblem: async (problem) => void (problem.kind === 'unrecorded' || problems.push(problem)),
  }).run()
  t.deepEqual(problems, [], `${what}: verify`)
  t.true(counts.verified >= new Set(acknowledged.map(({ uid }) => uid)).size, `${what}: what was answered 0000 is recorded`)
}

/** Every call in the full suite; otherwise some, and not always the same. */
function crashPoints(calls: number, some: number): number[] {
  const all = Array.from({ length: calls }, (_, i) => i + 1)
  if (isFull) return all
  const offset = Math.floor(Math.random() * calls)
  return Array.from({ length: some }, (_, i) => all[(offset + Math.floor((i * calls) / some)) % calls] as number)
}

for (const policy of POLICIES) {
  for (const durability of ['fsync', 'close']) {
    const isQuick = policy === 'version' ? durability === 'fsync' : policy === 'replace' && durability === 'close'
    if (!isFull && !isQuick) continue
    test(`${policy}, ${durability}: kill -9 before each call to the file system loses nothing`, async (t) => {
      t.timeout(600_000)
      const options = { duplicates: policy, durability, record: 'sha256' }
      const task = (directory: string, crashBeforeCall?: number): CrashTask => ({ directory, options, sent: SCENARIO, atOnce: 1, crashBeforeCall })
      const whole = await temporaryFolder(t)
      const { calls, acknowledged } = await run(t, task(whole))
      await restartAndCheck(t, whole, policy, SCENARIO, acknowledged, 'without a crash')
      t.true((calls as number) > 15, `${calls} calls`)
      const points = crashPoints(calls as number, 3)
      const work = async (): Promise<void> => {
        for (let point = points.pop(); point !== undefined; point = points.pop()) {
          const directory = await temporaryFolder(t)
          const ran = await run(t, task(directory, point))
          t.is(ran.calls, undefined, `killed before call ${point}`)
          await restartAndCheck(t, directory, policy, SCENARIO, ran.acknowledged, `killed before call ${point}`)
        }
      }
      await Promise.all([work(), work()])
    })
  }
}

for (const policy of POLICIES) {
  for (const isKilled of [false, true]) {
    if (!isFull && (policy !== 'version' || isKilled)) continue
    test(`${policy}: two processes store into one folder${isKilled ? ', and one is killed' : ''}: what each was answered holds`, async (t) => {
      const directory = await temporaryFolder(t)
      const options = { duplicates: policy, durability: 'fsync' }
      const count = isFull ? 150 : 30
      // Some instances alike, some that differ, some that only one of them has.
      const list = (who: number): Sent[] =>
        Array.from({ length: count }, (_, i) => ({ uid: i % 3 === 2 ? `1.${who}.${i}` : `1.9.${i}`, fill: i % 3 === 0 ? 1 : 1 + 2 * who }))
      const lists = [list(1), list(2)] as const
      const ran = await Promise.all(
        lists.map((sent, who) =>
          run(t, { directory, options, sent, atOnce: 8 }, (child) => {
            if (isKilled && who === 1) setImmediate(() => child.kill('SIGKILL'))
          }),
        ),
      )
      const acknowledged = ran.flatMap((one) => one.acknowledged)
      t.true(acknowledged.length >= (policy === 'reject' ? count / 3 : isKilled ? count : 2 * count), `${acknowledged.length} were answered 0000`)
      if (policy === 'reject') {
        const uids = acknowledged.map(({ uid }) => uid)
        t.is(new Set(uids).size, uids.length, 'one of them is the first')
      }
      await restartAndCheck(t, directory, policy, lists.flat(), acknowledged, 'two processes')
    })
  }
}

const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0
if (isFull && !isRootOnLinux) process.stderr.write('SKIPPED: a real full disk and a real read-only one: root on Linux is needed to mount them\n')
const onRealDisk = isRootOnLinux ? test.serial : test.skip
if (isFull) onRealDisk('a real disk that is full, then read-only', async (t) => {
  const directory = await temporaryFolder(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory], { stdio: 'pipe' })
  } catch (error) {
    process.stderr.write(`SKIPPED: a real full disk: mount says ${String((error as { stderr?: Buffer }).stderr).trim()}\n`)
    t.pass()
    return
  }
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  for (const durability of ['fsync', 'close']) {
    for (const policy of POLICIES) {
      const folder = path.join(directory, `${policy}-${durability}`)
      const { store, send, log } = await storeFixture(t, { directory: folder, options: { duplicates: policy, durability } })
      const sent: Sent[] = Array.from({ length: 40 }, (_, i) => ({ uid: `1.${i}.1`, fill: 2 }))
      const acknowledged: Sent[] = []
      const statuses = new Set<number>()
      for (const one of sent) {
        const status = await send({ sopInstanceUid: one.uid, seriesInstanceUid: '1.2.3.1', fill: 2, pixelBytes: 300_000 })
        statuses.add(status)
        if (status === 0) acknowledged.push(one)
      }
      t.deepEqual(statuses, new Set([0, 0xa700]), 'it was full')
      t.regex(String(log.find(({ level }) => level === 'error')?.fields?.['error']), /ENOSPC/)
      t.deepEqual(await lostObjects(folder, await filesIn(folder), { policy, sent, acknowledged }), [])
      t.false((await filesIn(folder)).some((file) => file.endsWith('.part')), 'nothing is left of what was refused')
      const victim = acknowledged.pop() as Sent
      await nodeFileSystem.unlink(path.join(folder, '1.2.3', '1.2.3.1', `${victim.uid}.dcm`))
      t.is(await send({ sopInstanceUid: victim.uid, seriesInstanceUid: '1.2.3.1', fill: 2, pixelBytes: 300_000 }), 0, 'there is room again')
      // A disk on which a file is open for writing is not made read-only: the second one has recorded nothing yet.
      const second = await storeFixture(t, { directory: folder, options: { duplicates: policy, durability } })
      await second.store.start()
      await store.stop()
      execFileSync('mount', ['-o', 'remount,ro', directory])
      t.is(await second.send({ sopInstanceUid: '1.99' }), 0x0110)
      const third = await storeFixture(t, { directory: folder })
      await t.throwsAsync(third.store.start(), { code: 'DICOMTAP_ERR_STO_DIRECTORY', message: /EROFS/ })
      execFileSync('mount', ['-o', 'remount,rw', directory])
      await nodeFileSystem.unlink(path.join(folder, '1.2.3', '1.2.3.1', `${victim.uid}.dcm`))
      t.is(await second.send({ sopInstanceUid: '1.99', pixelBytes: 200_000 }), 0)
      await second.store.stop()
      execFileSync('rm', ['-r', folder])
    }
  }
})
