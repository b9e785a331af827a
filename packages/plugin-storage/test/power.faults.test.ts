import test, { type ExecutionContext } from 'ava'
import { ModelDisk, type Luck } from './support/model-disk.js'
import { dataSetOf } from './support/objects.js'
import { type StoreFixture, storeFixture } from './support/store-fixture.js'
import { lostObjects, POLICIES, SCENARIO, type Sent, valuesOf } from './support/stored-objects.js'

const isFull = process.env['DICOMTAP_FAULTS'] === 'full'
const DIRECTORY = '/mnt/archive/data'

interface Ran {
  readonly disk: ModelDisk
  readonly acknowledged: Sent[]
}

function startOn(t: ExecutionContext, disk: ModelDisk, options: Record<string, unknown>): Promise<StoreFixture> {
  return storeFixture(t, { directory: DIRECTORY, fileSystem: disk.fileSystem, isStopped: disk.failBeforeCall === Infinity, options: { durability: 'fsync', ...options } })
}

/** Stores the scenario until the power fails. */
async function run(t: ExecutionContext, options: Record<string, unknown>, sent: readonly Sent[], atOnce: number, failBeforeCall: number): Promise<Ran> {
  const disk = new ModelDisk()
  disk.failBeforeCall = failBeforeCall
  const powerFailed = new Promise<void>((resolve) => (disk.onPowerFailure = resolve))
  const acknowledged: Sent[] = []
  const { send } = await startOn(t, disk, options)
  const entries = sent.values()
  const work = async (): Promise<void> => {
    for (const one of entries) if ((await send(valuesOf(one))) === 0) acknowledged.push(one)
  }
  await Promise.race([powerFailed, Promise.all(Array.from({ length: atOnce }, work))])
  return { disk, acknowledged: [...acknowledged] }
}

/** A generator of Park and Miller. */
function lucky(seed: number): Luck {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state % 2 === 0
  }
}

const isObject = (file: string): boolean => file.endsWith('.dcm')

for (const policy of POLICIES) {
  // In short: what each policy does one after the other, and the default one with several at once.
  for (const [atOnce, sent] of [
    [1, SCENARIO],
    [6, [...SCENARIO, ...SCENARIO.map(({ uid, fill }) => ({ uid: `${uid}.7`, fill })), { uid: '1.5', fill: 3 }]],
  ] as const) {
    if (!isFull && atOnce > 1 && policy !== 'version') continue
    test(`${policy}, ${atOnce} at once: a power failure before each call to the file system loses nothing`, async (t) => {
      t.timeout(300_000)
      const options = { duplicates: policy }
      const { disk: whole } = await run(t, options, sent, atOnce, Infinity)
      const { calls } = whole
      t.true(calls > 50, `${calls} calls`)
      // Nothing that was not synced is left, all of it is, or some.
      const lucks: (() => Luck)[] = [() => () => false, () => () => true, ...[1, 2, 3, 4].slice(0, isFull ? 3 : 1).map((seed) => () => lucky(seed * 7919))]
      const step = !isFull ? 15 : atOnce > 1 ? 3 : 1
      for (let call = 1 + Math.floor(Math.random() * step); call <= calls; call += step) {
        const { disk, acknowledged } = await run(t, options, sent, atOnce, call)
        for (const [index, luck] of lucks.entries()) {
          const after = disk.afterPowerFailure(luck())
          const files = after.files()
          const stored = [...files.keys()].filter(isObject)
          const what = `the power failed before call ${call}, luck ${index}`
          const wrong = await lostObjects(DIRECTORY, stored, { policy, sent, acknowledged }, async (file) => files.get(file) as Buffer)
          if (wrong.length > 0) t.fail(`${what}: ${wrong.join('; ')}`)
        }
      }
      const { disk, acknowledged } = await run(t, options, sent, atOnce, Math.floor(calls / 2))
      const after = disk.afterPowerFailure(() => false)
      const { send } = await startOn(t, after, options)
      for (const one of sent) {
        const status = await send(valuesOf(one))
        t.true([0, 0x0111].includes(status), `it goes on: ${status.toString(16)}`)
      }
      const files = after.files()
      const again = [...acknowledged, ...(policy === 'version' ? sent : [])]
      t.deepEqual(
        await lostObjects(DIRECTORY, [...files.keys()].filter(isObject), { policy, sent, acknowledged: again }, async (file) => files.get(file) as Buffer),
        [],
      )
    })
  }
}

for (const policy of POLICIES) {
  test(`${policy}: any one call that fails loses nothing, nor does a power failure afterwards`, async (t) => {
    t.timeout(300_000)
    const sent = [...SCENARIO, ...SCENARIO.map(({ uid, fill }) => ({ uid: `${uid}.7`, fill }))]
    const options = { duplicates: policy }
    const { calls } = (await run(t, options, sent, 3, Infinity)).disk
    for (const [code, step] of isFull ? ([['EIO', 1], ['ENOSPC', 5], ['EROFS', 5]] as const) : ([['EIO', 20]] as const)) {
      for (let call = 1 + Math.floor(Math.random() * step); call <= calls; call += step) {
        const disk = new ModelDisk()
        disk.error = { atCall: call, code }
        const { send, store } = await startOn(t, disk, options)
        const statuses: number[] = []
        const acknowledged: Sent[] = []
        const entries = sent.values()
        const work = async (): Promise<void> => {
          for (const one of entries) {
            const status = await send(valuesOf(one))
            statuses.push(status)
            if (status === 0) acknowledged.push(one)
          }
        }
        await Promise.all([work(), work(), work()])
        const refused = statuses.filter((status) => status !== 0 && status !== 0x0111)
        // Until the folder can be used again, and of objects that share a sync, several are refused.
        t.true(refused.every((status) => status === 0x0110 || status === 0xa700) && refused.length <= 3, `call ${call}: ${refused.join(' ')}`)
        await store.stop()
        for (const [when, files] of [['afterwards', disk.files()], ['after a power failure', disk.afterPowerFailure(() => false).files()]] as const) {
          const stored = [...files.keys()].filter(isObject)
          const wrong = await lostObjects(DIRECTORY, stored, { policy, sent, acknowledged }, async (file) => files.get(file) as Buffer)
          if (wrong.length > 0) t.fail(`call ${call} failed with ${code}, ${when}: ${wrong.join('; ')}`)
        }
      }
    }
  })
}

test('the model tells: without a sync of folder or file, objects are lost', async (t) => {
  for (const [durability, luck] of [
    ['close', () => false],
    ['close', lucky(3)],
  ] as const) {
    let lost = 0
    for (let call = 40; call < 120; call += 20) {
      const { disk, acknowledged } = await run(t, { durability, duplicates: 'version' }, SCENARIO, 1, call)
      const files = disk.afterPowerFailure(luck).files()
      const stored = [...files.keys()].filter(isObject)
      lost += (await lostObjects(DIRECTORY, stored, { policy: 'version', sent: SCENARIO, acknowledged }, async (file) => files.get(file) as Buffer)).length
    }
    t.true(lost > 0)
  }
})

test('a store that failed to sync a new storage folder has the next one do it', async (t) => {
  // The power fails after the folder was made and before its name was synced; the next process finds it made.
  const disk = new ModelDisk()
  await disk.fileSystem.makeFolders(DIRECTORY, 0o750)
  const { send } = await startOn(t, disk, {})
  t.is(await send(), 0)
  const files = disk.afterPowerFailure(() => false).files()
  const [stored] = [...files].filter(([file]) => isObject(file))
  t.true(stored?.[1].subarray(-dataSetOf().length).equals(dataSetOf()))
})
