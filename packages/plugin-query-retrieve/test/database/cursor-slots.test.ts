import test from 'ava'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CursorSlots } from '../../dist/database/cursor-slots.js'
import { Turnstile } from '../../dist/database/sqlite/turnstile.js'

const nothing = (): Promise<void> => Promise.resolve()
const work = (): Promise<string> => Promise.resolve('rows')

test('a query that waits takes the place of the one whose reader has been away for longest, and of no other', async (t) => {
  const slots = new CursorSlots({ maximum: 2, graceMs: 0 })
  const ended: string[] = []
  const end = (name: string) => async () => void ended.push(name)
  const first = await slots.take(end('first'), undefined)
  const second = await slots.take(end('second'), undefined)
  await first.busy(work)
  await second.busy(work)
  await first.busy(work)
  const third = await slots.take(end('third'), undefined)
  t.deepEqual(ended, ['second'])
  await t.throwsAsync(second.busy(work), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /more slowly than others/ })
  // Given back by its reader too, later: that is no second place.
  second.release()
  const fourth = slots.take(end('fourth'), undefined)
  t.is(await first.busy(work).catch((error: unknown) => (error as Error).message.slice(0, 20)), 'A query was ended: i')
  for (const slot of [first, third, await fourth]) slot.release()
  t.deepEqual(ended, ['second', 'first'])
})

test('while the database works for all of them nobody is ended: who waits is let in when one is done, or refused', async (t) => {
  const slots = new CursorSlots({ maximum: 1, graceMs: 0, waitMs: 20 })
  const slot = await slots.take(nothing, undefined)
  let finish = (): void => {}
  const working = slot.busy(() => new Promise<void>((resolve) => (finish = resolve)))
  await t.throwsAsync(slots.take(nothing, undefined), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /Too many queries/ })
  const reason = new Error('C-CANCEL')
  const controller = new AbortController()
  const aborted = slots.take(nothing, controller.signal)
  controller.abort(reason)
  t.is(await t.throwsAsync(aborted), reason)
  finish()
  await working
  slot.release()
  slot.release()
  const next = await slots.take(nothing, undefined)
  next.release()
})

test('a cursor is not open for ever, however its rows are read', async (t) => {
  const slots = new CursorSlots({ maximum: 1, longestMs: 1 })
  let told = (): void => {}
  const ended = new Promise<void>((resolve) => (told = resolve))
  const slot = await slots.take(async () => told(), undefined)
  await slot.busy(work)
  await ended
  await nextTurn()
  await t.throwsAsync(slot.busy(work), { message: /open for too long/ })
  const other = await slots.take(nothing, undefined)
  other.release()
})

test('who gives up before its turn is passed over, and nobody comes in twice', async (t) => {
  const turnstile = new Turnstile(1)
  const leave = await turnstile.enter(undefined)
  const controller = new AbortController()
  const reason = new Error('A-ABORT')
  const order: string[] = []
  const come = async (name: string, signal?: AbortSignal): Promise<() => void> => {
    const leaveAgain = await turnstile.enter(signal)
    order.push(name)
    return leaveAgain
  }
  const givenUp = come('given up', controller.signal)
  const next = come('next')
  const last = come('last')
  controller.abort(reason)
  t.is(await t.throwsAsync(givenUp), reason)
  await t.throwsAsync(come('too late', controller.signal), { is: reason })
  leave()
  leave()
  const leaveNext = await next
  t.deepEqual(order, ['next'])
  leaveNext()
  ;(await last)()
  t.deepEqual(order, ['next', 'last'])
})
