import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { turnsUntil } from '../support/connections.ts'
import { allEndings, exchangesOf, Sides } from './support/exchanges.ts'
import type { Exchange } from './support/exchanges.ts'
import type { Ending, Moment } from './support/wire.ts'

// Every service, cut before each PDU, inside each PDU and at each place in its handlers and sources, in every way
// in which an association can end, seen from both sides at once. All of it with DICOMTAP_HOSTILE=full, else one case
// in thirteen.

const isFull = process.env['DICOMTAP_HOSTILE'] === 'full'
const STRIDE = isFull ? 1 : 13

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Case {
  readonly moment: Moment
  readonly ending: Ending
}

function casesOf(exchange: Exchange, pdus: readonly number[], endings: readonly Ending[]): Case[] {
  const moments: Moment[] = [
    ...pdus.flatMap((_, pdu) => [false, true].map((isInside) => ({ pdu, isInside }))),
    ...exchange.places.map((name) => ({ pdu: -1, isInside: false, name })),
  ]
  return moments.flatMap((moment) => endings.filter(({ isPdu }) => !(isPdu === true && moment.isInside)).map((ending) => ({ moment, ending })))
}

function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'TCPSocketWrap')
}

test.serial('an exchange that is ended at any moment, in any way, leaves nothing on either side', async (t) => {
  t.timeout(isFull ? 120_000 : 30_000)
  const strays: unknown[] = []
  const stray = (reason: unknown): void => void strays.push(reason)
  process.on('unhandledRejection', stray)
  const before = resources()
  const sides = await Sides.make()
  t.teardown(() => sides.close())
  const endings = allEndings(sides)
  const held: WeakRef<object>[] = []
  let count = 0
  let number = 0
  for (const exchange of exchangesOf(sides)) {
    const pdus = [...(await sides.run(exchange))]
    t.deepEqual([pdus[0], pdus[1], ...pdus.slice(-2)], [1, 2, 5, 6], `${exchange.name} as it should be`)
    for (const { moment, ending } of casesOf(exchange, pdus, endings)) {
      if (number++ % STRIDE !== 0) continue
      const where = moment.name ?? `${moment.isInside ? 'inside' : 'before'} PDU ${moment.pdu + 1} of ${pdus.length}`
      const name = `${exchange.name}, ${ending.name} ${where}`
      let isSettled = false
      void sides.run(exchange, moment, ending).then(() => (isSettled = true))
      t.true(await turnsUntil(() => isSettled, 20_000), `${name}: the caller still waits`)
      t.true(await turnsUntil(() => sides.scp.server.connections === 0, 20_000), `${name}: the SCP has ${sides.scp.server.connections} connections`)
      t.true(await turnsUntil(() => sides.running.size === 0, 2_000), `${name}: ${[...sides.running].map(({ place }) => place).join(', ')} still run`)
      t.true(sides.wire?.isDone, `${name}: never came`)
      t.deepEqual(sides.scp.server.activeAssociations, [], name)
      t.deepEqual(sides.scu.activeAssociations, [], name)
      if (sides.caught?.signal !== undefined && !ending.name.includes('elease') && ending.name !== 'A-RELEASE-RQ') t.true(sides.caught.signal.aborted, `${name}: its signal`)
      for (const association of sides.associations) held.push(new WeakRef(association))
      count += 1
    }
  }
  t.log(`${count} of ${number} cases`)
  sides.associations = []
  await sides.close()
  for (let turns = 0; turns < 50; turns++) await turn()
  ;(sides.scp.log as unknown[]).length = 0
  ;(sides.destination.log as unknown[]).length = 0
  collectGarbage()
  await turn()
  collectGarbage()
  t.deepEqual(resources(), before)
  const alive = held.filter((reference) => reference.deref() !== undefined).length
  t.true(alive < 20, `${alive} of ${held.length} associations are held`)
  t.deepEqual(strays, [])
  process.off('unhandledRejection', stray)
})
