import test from 'ava'
import type { CompletedStudy } from '../dist/index.js'
import { StudyTracker } from '../dist/study-tracker.js'
import { associationOf } from './support/objects.js'
import { storeFixture, type FixtureOptions, type StoreFixture } from './support/store-fixture.js'

interface StudyFixture extends StoreFixture {
  readonly completed: CompletedStudy[]
  /** The completed studies one after the other; resolves at once for one that was announced before. */
  next(): Promise<CompletedStudy>
}

async function studyFixture(t: Parameters<typeof storeFixture>[0], options: FixtureOptions['options']): Promise<StudyFixture> {
  const fixture = await storeFixture(t, { options: options ?? {} })
  const completed: CompletedStudy[] = []
  let wake: (() => void) | undefined
  fixture.hooks.studyCompleted.tap('test', (study) => {
    completed.push(study)
    wake?.()
  })
  let taken = 0
  const next = async (): Promise<CompletedStudy> => {
    taken += 1
    // The plugin's own timers do not keep a process alive.
    const alive = setInterval(() => {}, 1000)
    try {
      while (completed.length < taken) await new Promise<void>((resolve) => (wake = resolve))
      return completed[taken - 1] as CompletedStudy
    } finally {
      clearInterval(alive)
    }
  }
  return { ...fixture, completed, next }
}

/** A moment that a test waits for or lets come. */
function moment(): { readonly reached: Promise<void>; reach(): void } {
  let reach!: () => void
  const reached = new Promise<void>((resolve) => (reach = resolve))
  return { reached, reach }
}

test('a study is complete when nothing was added for the quiet period', async (t) => {
  const { send, next } = await studyFixture(t, { studyQuietPeriodMs: 20 })
  const [paused, goOn] = [moment(), moment()]
  // While it is on its way the study is not quiet, however slow the machine is.
  const last = send({ sopInstanceUid: '1.9', pixelBytes: 200_000 }, { pause: { at: 100_000, until: goOn.reached, reached: paused.reach } })
  await paused.reached
  for (const sopInstanceUid of ['1.1', '1.2', '1.2']) t.is(await send({ sopInstanceUid }), 0)
  goOn.reach()
  t.is(await last, 0)
  const study = await next()
  t.like(study, { studyInstanceUid: '1.2.3', instances: 4, duplicates: 1, reason: 'quiet-period', callingAeTitles: ['SENDER'] })
  t.true(study.firstStoredAt <= study.lastStoredAt)
})

test('it is announced again when more comes later', async (t) => {
  const { send, next } = await studyFixture(t, { studyQuietPeriodMs: 20 })
  await send({ sopInstanceUid: '1.1' })
  t.is((await next()).instances, 1)
  await send({ sopInstanceUid: '1.2' })
  t.is((await next()).instances, 1)
})

test('a large object on its way keeps its study open, and no other', async (t) => {
  const { send, next } = await studyFixture(t, { studyQuietPeriodMs: 20 })
  const [paused, goOn] = [moment(), moment()]
  const large = send({ sopInstanceUid: '1.2', pixelBytes: 200_000 }, { pause: { at: 100_000, until: goOn.reached, reached: paused.reach } })
  await paused.reached
  await send({ sopInstanceUid: '1.1' })
  for (const studyInstanceUid of ['9.9', '8.8']) {
    await send({ sopInstanceUid: '1.0', studyInstanceUid })
    t.is((await next()).studyInstanceUid, studyInstanceUid)
  }
  goOn.reach()
  t.is(await large, 0)
  t.like(await next(), { studyInstanceUid: '1.2.3', instances: 2 })
})

test('without a quiet period it is complete when the associations that added to it have ended', async (t) => {
  const { send, store, completed } = await studyFixture(t, { studyQuietPeriodMs: null })
  const [first, second] = [associationOf('CT1'), associationOf('CT2')]
  await send({ sopInstanceUid: '1.1' }, { association: first })
  await send({ sopInstanceUid: '1.2' }, { association: second })
  await send({ sopInstanceUid: '1.3', studyInstanceUid: '7.7' }, { association: first })
  store.associationEnded(first)
  t.deepEqual(
    completed.map((study) => study.studyInstanceUid),
    ['7.7'],
  )
  store.associationEnded(second)
  t.like(completed[1], { studyInstanceUid: '1.2.3', instances: 2, reason: 'association-ended', callingAeTitles: ['CT1', 'CT2'] })
})

test('an association that ended before its last object was added is not waited for', (t) => {
  const completed: CompletedStudy[] = []
  const tracker = new StudyTracker({ quietPeriodMs: undefined, onCompleted: (study) => completed.push(study) })
  const association = {}
  tracker.associationEnded(association)
  tracker.add({ studyInstanceUid: '1.2', callingAeTitle: 'A', isDuplicate: false, association })
  t.is(completed.length, 1)
})

test('stopping announces what is open, and waits for the handlers', async (t) => {
  const { send, store, hooks, completed } = await studyFixture(t, { studyQuietPeriodMs: 30_000 })
  let isHandled = false
  hooks.studyCompleted.tapPromise('slow', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    isHandled = true
  })
  await send()
  await store.stop()
  t.like(completed[0], { instances: 1, reason: 'closed' })
  t.true(isHandled)
})

test('a handler that fails is logged, and the others are told', async (t) => {
  const fixture = await storeFixture(t)
  const { hooks, send, store, log } = fixture
  const told: string[] = []
  hooks.studyCompleted.tap('throws', () => {
    throw new Error('a')
  })
  hooks.studyCompleted.tapPromise('rejects', async () => {
    throw new Error('b')
  })
  hooks.studyCompleted.tapAsync('calls back', (_study, done) => done(new Error('c')))
  hooks.studyCompleted.tap('works', ({ studyInstanceUid }) => void told.push(studyInstanceUid))
  await send()
  await store.stop()
  t.deepEqual(told, ['1.2.3'])
  t.deepEqual(
    log.filter((line) => line.level === 'error').map((line) => line.fields?.['plugin']),
    ['throws', 'rejects', 'calls back'],
  )
})

test('objects without a study, and refused ones, complete nothing', async (t) => {
  const { send, store, completed } = await studyFixture(t, { studyQuietPeriodMs: 30_000 })
  t.is(await send({ studyInstanceUid: undefined }), 0)
  t.is(await send({ studyInstanceUid: '4.4' }, { sopInstanceUid: '6.6' }), 0xa900)
  await store.stop()
  t.deepEqual(completed, [])
})
