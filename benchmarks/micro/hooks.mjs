import { internal } from './internals.mjs'

const log = { error() {}, warn() {}, info() {}, debug() {}, trace() {}, child: () => log, isEnabled: () => false }

/** What a hook costs by the number of its handlers, guards included. */
export async function addHooks(add) {
  const { createHooks } = await internal('hooks/create-hooks.js')
  const { createGuardContext } = await internal('hooks/guard-context.js')
  const { tapFacade } = await internal('hooks/tap-facade.js')
  const { ask, notify } = await internal('hooks/run.js')
  const request = { service: 'C-ECHO', messageId: 1 }
  const operation = { sopClassUid: '1.2.840.10008.1.1', association: {}, signal: { aborted: false } }
  const event = { association: {}, operation, status: 0 }

  for (const taps of [0, 1, 3]) {
    const hooks = createHooks()
    const context = createGuardContext({ table: hooks, log, isSealed: () => false })
    for (let index = 0; index < taps; index++) {
      const facade = tapFacade(hooks, { name: `plugin-${index}` }, context)
      facade.operationCompleted.tap(() => {})
      // The last one answers.
      facade.cEcho.tap(() => (index === taps - 1 ? 0x0000 : undefined))
      facade.cStore.tapPromise(async () => (index === taps - 1 ? 0x0000 : undefined))
    }
    add(`hook: notify ${taps} handler(s)`, () => notify(hooks.operationCompleted, event), { batch: 1000 })
    add(`hook: ask ${taps} synchronous handler(s)`, () => ask(hooks.cEcho, request, operation), { batch: 100, isAsync: true })
    add(`hook: ask ${taps} asynchronous handler(s)`, () => ask(hooks.cStore, request, operation), { batch: 100, isAsync: true })
  }
}
