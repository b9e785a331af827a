import test from 'ava'
import { step } from '../../dist/dul/fsm.js'
import {
  DUL_ACTION_MEANINGS,
  DUL_ACTIONS,
  DUL_EVENT_MEANINGS,
  DUL_EVENTS,
  DUL_NEXT_STATES,
  DUL_STATE_MEANINGS,
  DUL_STATES,
  TRANSITION_TABLE,
} from '../../dist/dul/transition-table.js'

// PS3.8 table 9-10 cell by cell, one row per event, one column per state, '.' for a blank cell. Written
// without looking at the source table, whose rows are built from what they share.
const TABLE_9_10 = `
         Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
  Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
  Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
  Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
  Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
  Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
  Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
  Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
  Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
  Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
  Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
  Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
  Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
  Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
  Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
  Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
  Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
`

// The "Next State" of tables 9-6 to 9-9, by state. AE-6 and AR-8 have two: see the tests of their own.
const ACTIONS_BY_NEXT_STATE: Readonly<Record<string, string>> = {
  Sta1: 'AE-4 AR-3 AR-5 AA-2 AA-3 AA-4 AA-5',
  Sta2: 'AE-5',
  Sta4: 'AE-1',
  Sta5: 'AE-2',
  Sta6: 'AE-3 AE-7 DT-1 DT-2',
  Sta7: 'AR-1 AR-6',
  Sta8: 'AR-2 AR-7',
  Sta11: 'AR-9',
  Sta12: 'AR-10',
  Sta13: 'AE-8 AR-4 AA-1 AA-6 AA-7 AA-8',
}

function rows(): { event: string; cells: string[] }[] {
  const lines = TABLE_9_10.trim().split('\n').slice(1)
  return lines.map((line) => {
    const [event = '', ...cells] = line.trim().split(/ +/)
    return { event, cells }
  })
}

function nextStateOf(action: string): string | undefined {
  return Object.entries(ACTIONS_BY_NEXT_STATE).find(([, actions]) => actions.split(' ').includes(action))?.[0]
}

test('every cell of table 9-10: 19 events in 13 states, with the next state', (t) => {
  let defined = 0
  t.deepEqual(
    rows().map((row) => row.event),
    [...DUL_EVENTS],
  )
  for (const { event, cells } of rows()) {
    t.is(cells.length, 13)
    cells.forEach((cell, index) => {
      const state = DUL_STATES[index]
      const name = DUL_EVENTS.find((candidate) => candidate === event)
      if (state === undefined || name === undefined) throw new Error('unreachable')
      const expected = cell === '.' ? undefined : cell
      if (expected !== undefined) defined++
      t.is(TRANSITION_TABLE[name][state], expected as never, `${event} in ${state}`)
      for (const isRequestor of [true, false]) {
        for (const acceptable of [true, false]) {
          const transition = step(state, name, isRequestor, acceptable)
          t.is(transition?.action, expected as never, `${event} in ${state}`)
          if (expected === undefined || expected === 'AE-6' || expected === 'AR-8') continue
          t.is(transition?.nextState, nextStateOf(expected) as never, `${event} in ${state}`)
        }
      }
    })
  }
  t.is(defined, 123)
})

test('AE-6 awaits the local response to a request it can take, and the close of the connection otherwise', (t) => {
  for (const isRequestor of [true, false]) {
    t.deepEqual(step('Sta2', 'Evt6', isRequestor, true), { action: 'AE-6', nextState: 'Sta3' })
    t.deepEqual(step('Sta2', 'Evt6', isRequestor, false), { action: 'AE-6', nextState: 'Sta13' })
  }
})

test('AR-8 sends requestor and acceptor of a release collision on different ways', (t) => {
  for (const acceptable of [true, false]) {
    t.deepEqual(step('Sta7', 'Evt12', true, acceptable), { action: 'AR-8', nextState: 'Sta9' })
    t.deepEqual(step('Sta7', 'Evt12', false, acceptable), { action: 'AR-8', nextState: 'Sta10' })
  }
})

test('a release collision ends on both sides (PS3.8 7.2.2)', (t) => {
  const walk = (isRequestor: boolean, events: readonly ('Evt11' | 'Evt12' | 'Evt13' | 'Evt14' | 'Evt17')[]) => {
    const states = ['Sta6' as (typeof DUL_STATES)[number]]
    for (const event of events) {
      const transition = step(states.at(-1) ?? 'Sta1', event, isRequestor, true)
      if (transition === undefined) throw new Error(`${event} is blank after ${states.join(' ')}`)
      states.push(transition.nextState)
    }
    return states.join(' ')
  }
  t.is(walk(true, ['Evt11', 'Evt12', 'Evt14', 'Evt13']), 'Sta6 Sta7 Sta9 Sta11 Sta1')
  t.is(walk(false, ['Evt11', 'Evt12', 'Evt13', 'Evt14', 'Evt17']), 'Sta6 Sta7 Sta10 Sta12 Sta13 Sta1')
})

test('no event of the peer is without an answer while a connection is open', (t) => {
  const fromPeer = ['Evt3', 'Evt4', 'Evt6', 'Evt10', 'Evt12', 'Evt13', 'Evt16', 'Evt17', 'Evt19'] as const
  for (const state of DUL_STATES) {
    if (state === 'Sta1' || state === 'Sta4') continue
    for (const event of fromPeer) t.truthy(step(state, event, false, true), `${event} in ${state}`)
  }
})

test('states, events and actions are listed once each, in order, with a meaning', (t) => {
  t.deepEqual(
    [...DUL_STATES],
    Array.from({ length: 13 }, (_, index) => `Sta${index + 1}` as never),
  )
  t.deepEqual(
    [...DUL_EVENTS],
    Array.from({ length: 19 }, (_, index) => `Evt${index + 1}` as never),
  )
  t.is(new Set(DUL_ACTIONS).size, 28)
  t.deepEqual(Object.keys(DUL_NEXT_STATES), [...DUL_ACTIONS])
  const meanings = [DUL_STATE_MEANINGS, DUL_EVENT_MEANINGS, DUL_ACTION_MEANINGS].flatMap((map) => Object.values(map))
  t.is(meanings.length, 13 + 19 + 28)
  for (const meaning of meanings) t.regex(meaning, /^[A-Z][^\n]+[^.]$/)
})

test('a transition cannot be changed by who receives it', (t) => {
  t.true(Object.isFrozen(step('Sta6', 'Evt10', true, true)))
})
