import test, { type ExecutionContext } from 'ava'
import { SopClass, TransferSyntax } from '@dicomtap/framework'
import { testScu, type TestScu } from '@dicomtap/framework/testing'
import { spawnSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesIn, temporaryFolder } from './support/store-fixture.js'

const isFull = process.env['DICOMTAP_FAULTS'] === 'full'
const SHIM = fileURLToPath(new URL('../test/support/slow-disk.c', import.meta.url))
const SERVER = fileURLToPath(new URL('support/crash-server.js', import.meta.url))

const canBeSlow = process.platform === 'linux' && spawnSync('cc', ['--version']).error === undefined
if (!canBeSlow) process.stderr.write('SKIPPED: no Linux, or no C compiler (cc): storing was not tried on a slow disk\n')
const onSlowDisk = canBeSlow ? test : test.skip

interface SlowDisk {
  readonly directory: string
  associate(): Promise<TestScu>
  /** Milliseconds for calls on names, for writes, and for syncs; or syncs hang, or all calls. */
  be(disk: { readonly names?: number; readonly write?: number; readonly fsync?: number } | 'syncs hang' | 'all hang'): Promise<void>
  /** How many calls had to wait, in the event loop and in other threads, and how many hung. */
  waited(): Promise<{ readonly inEventLoop: number; readonly inThreads: number; readonly hung: number }>
}

/** A server process whose disk is as slow as the test wants it: its calls to the file system are held up on their way. */
async function slowDisk(t: ExecutionContext, durability: 'close' | 'fsync'): Promise<SlowDisk> {
  const folder = await temporaryFolder(t)
  const [directory, control, waited, shim] = ['data', 'control', 'waited', 'slow-disk.so'].map((name) => path.join(folder, name)) as [string, string, string, string]
  const { status, stderr } = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', shim, SHIM, '-ldl'])
  if (status !== 0) throw new Error(String(stderr))
  await mkdir(directory)
  await writeFile(control, '0 0 0 0 0 0')
  await writeFile(waited, '')
  const env = { ...process.env, LD_PRELOAD: shim, SLOW_DISK_FOLDER: directory, SLOW_DISK_CONTROL: control, SLOW_DISK_WAITED: waited }
  const child = fork(SERVER, [directory, durability], { execArgv: [], env })
  t.teardown(() => void child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  const contexts = [
    [SopClass.Verification, TransferSyntax.ImplicitVRLittleEndian],
    [SopClass.CTImageStorage, TransferSyntax.ExplicitVRLittleEndian],
  ] as const
  return {
    directory,
    async associate() {
      const scu = await testScu(port, { contexts, acseTimeoutMs: 60_000 })
      t.teardown(() => scu.abort())
      return scu
    },
    async be(disk) {
      const hang = { 'all hang': 1, 'syncs hang': 2 }
      const settings = typeof disk === 'string' ? `0 0 0 0 0 ${hang[disk]}` : `${disk.names ?? 0} ${disk.write ?? 0} ${disk.fsync ?? 0} 0 0 0`
      // At once: an empty file would let go what hangs.
      await writeFile(`${control}.next`, settings)
      await rename(`${control}.next`, control)
    },
    async waited() {
      const letters = await readFile(waited, 'latin1')
      const count = (letter: string): number => letters.split(letter).length - 1
      return { inEventLoop: count('m'), inThreads: count('t'), hung: count('h') }
    },
  }
}

const ELEMENTS = Buffer.alloc(100_000)
/** (0008,0018) SOP Instance UID, (0020,000d) Study and (0020,000e) Series Instance UID, (7fe0,0010) Pixel Data. */
function dataSet(uid: string): Buffer {
  const element = (tag: string, vr: string, value: Buffer): Buffer => {
    const head = Buffer.concat([Buffer.from(tag, 'hex'), Buffer.from(vr)])
    const isLong = vr === 'OW'
    const length = Buffer.alloc(isLong ? 6 : 2)
    if (isLong) length.writeUInt32LE(value.length, 2)
    else length.writeUInt16LE(value.length)
    return Buffer.concat([head, length, value])
  }
  const text = (value: string): Buffer => Buffer.from(value.length % 2 === 0 ? value : `${value}\0`)
  return Buffer.concat([
    element('08001600', 'UI', text(SopClass.CTImageStorage)),
    element('08001800', 'UI', text(uid)),
    element('20000d00', 'UI', text('1.2.3')),
    element('20000e00', 'UI', text('1.2.3.4')),
    element('e07f1000', 'OW', ELEMENTS),
  ])
}

let count = 0
function store(scu: TestScu): ReturnType<TestScu['store']> {
  count += 1
  const sopInstanceUid = `1.2.3.4.${count}`
  const instance = { sopClassUid: SopClass.CTImageStorage, sopInstanceUid, transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian }
  return scu.store({ ...instance, dataSet: dataSet(sopInstanceUid) })
}

const SENDERS = 8

onSlowDisk('fsync: while a disk hangs with more objects than there are threads, all others are answered', async (t) => {
  const disk = await slowDisk(t, 'fsync')
  const senders = await Promise.all(Array.from({ length: SENDERS }, () => disk.associate()))
  const laterSenders = await Promise.all(Array.from({ length: SENDERS }, () => disk.associate()))
  const other = await disk.associate()
  for (const scu of senders) t.is((await store(scu)).status, 0)
  // A disk that hangs shows first where it has to follow.
  await disk.be('syncs hang')
  let answered = 0
  const storing: Promise<number>[] = []
  const storeBy = (scu: TestScu): void =>
    void storing.push(
      store(scu).then(({ status }) => {
        answered += 1
        return status
      }),
    )
  const echo = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) t.is((await other.echo()).status, 0)
  }
  for (const scu of senders) storeBy(scu)
  await echo(50)
  while ((await disk.waited()).hung === 0) await echo(1)
  await disk.be('all hang')
  for (const scu of laterSenders) storeBy(scu)
  await echo(50)
  const another = await disk.associate()
  t.is((await another.echo()).status, 0)
  t.is(answered, 0)
  await disk.be({})
  t.deepEqual(new Set(await Promise.all(storing)), new Set([0]))
  t.is((await filesIn(disk.directory)).filter((file) => file.endsWith('.dcm')).length, 3 * SENDERS)
})

for (const durability of ['close', 'fsync'] as const) {
  onSlowDisk(`${durability}: C-ECHOs of another association do not wait for the calls of a slow disk`, async (t) => {
    const disk = await slowDisk(t, durability)
    const senders = await Promise.all(Array.from({ length: SENDERS }, () => disk.associate()))
    const other = await disk.associate()
    for (const scu of senders) t.is((await store(scu)).status, 0)
    await disk.be({ names: 60, write: 60, fsync: 60 })
    const each = isFull ? 3 : 1
    let isStoring = true
    const storing = Promise.all(
      senders.map(async (scu) => {
        for (let times = 0; times < each; times++) t.is((await store(scu)).status, 0)
      }),
    ).finally(() => (isStoring = false))
    let echoes = 0
    for (; isStoring; echoes++) t.is((await other.echo()).status, 0)
    await storing
    t.true(echoes > 0)
    const { inEventLoop, inThreads } = await disk.waited()
    const told = `${inEventLoop} calls waited in the event loop, ${inThreads} in threads`
    t.log(told, `${echoes} C-ECHOs`)
    t.true(inThreads >= 3 * each * SENDERS, told)
    // Calls are tried in the event loop: one now and then shows whether the disk is still slow.
    t.true(inEventLoop * 4 < inThreads, told)
  })
}
