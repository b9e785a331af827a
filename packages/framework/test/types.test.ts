import test from 'ava'
import { z } from 'zod'
import { defineConfig, definePlugin, definePreset } from '../dist/define.js'
import { BindingDispatcher } from '../dist/hooks/bindings.js'
import { createHooks } from '../dist/hooks/create-hooks.js'
import { createGuardContext } from '../dist/hooks/guard-context.js'
import { ask, transform } from '../dist/hooks/run.js'
import { tapFacade } from '../dist/hooks/tap-facade.js'
import type {
  HookArguments,
  HookHandler,
  InterventionHookName,
  LifecycleHookName,
  NotificationHookName,
  TransformHookName,
} from '../dist/hooks/types.js'
import { createLogger } from '../dist/console-log.js'
import type { OptionsInput, OptionsOutput, Plugin } from '../dist/plugin/types.js'

// The build is the test: each line below compiles, and each marked one must not.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <T extends true>(): T => true as T

const table = createHooks()
const context = createGuardContext({ table, log: createLogger({ level: 'silent' }), isSealed: () => false })

declare module '../dist/plugin/types.js' {
  interface PluginServices {
    'types.test': { readonly answer: 42 }
  }
}

test('handlers of each kind take and give what their hook says', (t) => {
  const hooks = tapFacade(table, { name: 'types' }, context)

  hooks.cStore.tap((request, operation) => {
    is<Equal<typeof request.service, 'C-STORE'>>()
    is<Equal<typeof operation.sopClassUid, string>>()
    return 0
  })
  hooks.cStore.tap(() => undefined)
  hooks.cStore.tap(() => {})
  hooks.cStore.tapPromise({ stage: 1, sopClasses: ['1.2'] }, async () => ({ status: 0xb000, errorComment: 'Coerced' }))
  hooks.cStore.tapPromise(async (request) => {
    if (request.messageId === 1) return 0
    return undefined
  })
  hooks.cFind.tap(async function () {
    return (async function* () {
      yield { PatientID: '1' }
    })()
  })
  hooks.associationRejected.tap(({ result, source, reason }) => void [result, source, reason])
  hooks.acceptedContexts.tap((contexts) => contexts.filter(({ asScp }) => asScp))
  hooks.responseStatus.tap((status) => ({ ...status, status: 0 }))
  hooks.ready.tapPromise(async () => {})
  hooks.asyncOperations.tap((proposed) => ({ invoked: proposed.maximumNumberOperationsInvoked, performed: 1 }))

  const neverRun = (): void => {
    // @ts-expect-error null is no answer
    hooks.cStore.tap(() => null)
    // @ts-expect-error a status is no text
    hooks.cStore.tap(() => 'ok')
    // @ts-expect-error a status is a number
    hooks.cEcho.tapPromise(async () => ({ status: '0000' }))
    // @ts-expect-error matches are no array of numbers
    hooks.cFind.tap(() => [1, 2])
    // @ts-expect-error a transform gives its value back
    hooks.acceptedContexts.tap(() => ({}))
    // @ts-expect-error a synchronous transform does not wait
    hooks.responseStatus.tap(async (status) => status)
    // @ts-expect-error notifications do not wait
    hooks.pduReceived.tapPromise(async () => {})
    // @ts-expect-error no such hook
    hooks.cStor.tap(() => 0)
    // @ts-expect-error no such option
    hooks.cStore.tap({ priority: 1 }, () => 0)
    // @ts-expect-error one name
    hooks.cStore.tap({ before: ['a'] }, () => 0)
    // @ts-expect-error tap-only
    hooks.cStore.promise()
    // @ts-expect-error tap-only
    hooks.pduReceived.call()
    // @ts-expect-error too many arguments
    hooks.ready.tap((_event, _more) => {})
  }
  t.is(typeof neverRun, 'function')
})

test('bind takes the same handlers', (t) => {
  const { root } = new BindingDispatcher(table, context)
  root.bind('nCreate', async (request) => ({ status: 0, affectedSopInstanceUid: request.affectedSopInstanceUid ?? '1.2.3' }))
  const handler: HookHandler<'cEcho'> = () => 0
  root.bind('cEcho', handler)
  is<Equal<ReturnType<typeof root.handlers<'cEcho'>>, HookHandler<'cEcho'>[]>>()
  const neverRun = (): void => {
    // @ts-expect-error no such hook
    root.bind('evtCStore', () => 0)
    // @ts-expect-error wrong answer
    root.bind('cEcho', () => 'ok')
  }
  t.is(typeof neverRun, 'function')
})

test('names by kind cover the table', (t) => {
  is<Equal<NotificationHookName | InterventionHookName | TransformHookName | LifecycleHookName, keyof typeof table>>()
  is<
    Equal<
      TransformHookName,
      | 'incomingConnection'
      | 'associationSettings'
      | 'acceptedContexts'
      | 'listenerOptions'
      | 'outgoingAssociation'
      | 'findIdentifier'
      | 'findMatch'
      | 'responseStatus'
    >
  >()
  is<Equal<HookArguments<'moveDestination'>[0], string>>()
  is<Equal<HookArguments<'hookFailed'>['length'], 1>>()
  t.pass()
})

test('ask and transform give what the hook says', async (t) => {
  const neverRun = async (): Promise<void> => {
    const destination = await ask(table.moveDestination, 'ARCHIVE', {} as never)
    is<Equal<NonNullable<typeof destination>['host'], string>>()
    // @ts-expect-error may be undefined
    void destination.host
    const match = await transform(table.findMatch, { identifier: {} }, {} as never)
    is<Equal<typeof match.status, 0xff00 | 0xff01 | undefined>>()
    // @ts-expect-error the operation is missing
    await ask(table.cStore, {} as never)
  }
  t.is(typeof neverRun, 'function')
})

test('options of a plugin follow its schema', (t) => {
  const schema = z.object({ directory: z.string(), size: z.number().default(3) })
  is<Equal<OptionsInput<typeof schema>, { directory: string; size?: number | undefined }>>()
  is<Equal<OptionsOutput<typeof schema>, { directory: string; size: number }>>()
  is<Equal<OptionsInput<undefined>, undefined>>()

  const storage = definePlugin({
    name: 'storage',
    options: schema,
    apply(api, options) {
      is<Equal<typeof options, { directory: string; size: number }>>()
      const service = api.inject('types.test')
      is<Equal<typeof service, { readonly answer: 42 }>>()
      const other = api.inject<string>('another')
      is<Equal<typeof other, string>>()
      api.provideService('types.test', { answer: 42 })
      // @ts-expect-error inject gives what the service's name says
      void api.inject('types.test').question
    },
  })
  const bare = definePlugin({ name: 'bare', apply: (_api, options) => void is<Equal<typeof options, undefined>>() })
  const plugins: Plugin[] = [storage({ directory: './data' }), storage({ directory: './data', size: 4 }), bare()]
  t.is(plugins.length, 3)

  const neverRun = (): void => {
    // @ts-expect-error a missing option
    storage({})
    // @ts-expect-error an unknown option
    storage({ directory: '', colour: 'red' })
    // @ts-expect-error this plugin takes no options
    bare({ directory: '' })
    // @ts-expect-error apply is missing
    definePlugin({ name: 'x' })
  }
  t.is(typeof neverRun, 'function')
})

test('defineConfig types every form', async (t) => {
  const preset = definePreset('a', { use: 'b', options: {} }, false, ['c'])
  const config = defineConfig({ aeTitle: 'A', listen: [{ port: 104 }], plugins: [preset, process.env.NOPE !== undefined && 'x'] })
  const later = defineConfig(async () => ({ aeTitle: 'A' }))
  t.is((await later()).aeTitle, config.aeTitle)
  const neverRun = (): void => {
    // @ts-expect-error unknown key
    void defineConfig({ aeTitel: 'A' })
    // @ts-expect-error wrong type
    void defineConfig({ listen: [{ port: '104' }] })
    // @ts-expect-error wrong type within a function
    void defineConfig(() => ({ aeTitle: 5 }))
  }
  t.is(typeof neverRun, 'function')
})
