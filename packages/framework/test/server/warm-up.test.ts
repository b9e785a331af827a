import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import { ApplicationEntity } from '../../dist/application-entity.js'
import { definePlugin } from '../../dist/define.js'
import { HOOK_NAMES } from '../../dist/hooks/catalog.js'
import { createTestServer, testScu } from '../../dist/testing/index.js'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

const CONTEXTS = [
  { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] },
  { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE] },
]

/** One with each private ApplicationEntity. */
const TWO_ROUNDS = { budgetMs: 600_000, rounds: 2 }

/** Taps every hook there is, and tells which were called. */
function spy(called: string[]): ReturnType<ReturnType<typeof definePlugin>> {
  return definePlugin({
    name: 'spy',
    apply({ hooks }) {
      for (const name of HOOK_NAMES) (hooks[name] as { tap(handler: () => void): void }).tap(() => void called.push(name))
    },
  })()
}

test('a warm-up rehearses associations, C-ECHOs and C-STOREs, of which the ApplicationEntity hears nothing', async (t) => {
  const called: string[] = []
  await using server = await createTestServer({ contexts: CONTEXTS, plugins: [spy(called)] })
  called.length = 0
  const linesBefore = server.log.length
  const result = await server.ae.warmUp(TWO_ROUNDS)
  t.is(result.error, undefined)
  // Of the first, smallest round: C-ECHOs, small objects, large ones, and large ones on two associations at once.
  t.like(result, { associations: 2 * (5 + 5), echoes: 2 * (5 + 5), objects: 2 * (8 + 1 + 2) })
  t.true(result.spentMs > 0)
  t.deepEqual(called, ['warmUp', 'warmUp'])
  t.is(server.log.length, linesBefore)
  t.deepEqual(server.ae.activeAssociations, [])
  t.is(server.ae.warmUp(), server.ae.warmUp(), 'once')
  t.deepEqual(await server.ae.warmUp(), result)
})

test('what plugins add to the private one is asked there, and disposed', async (t) => {
  const steps: string[] = []
  let answered = 0
  const rehearsed = definePlugin({
    name: 'rehearsed',
    apply(api) {
      let objects = 0
      api.hooks.cStore.tapPromise(async ({ dataSet }) => {
        objects += 1
        await dataSet.pipeTo({ write: () => undefined })
        return 0
      })
      api.onDispose(() => {
        answered += objects
        steps.push('disposed')
      })
    },
  })
  const plugin = definePlugin({
    name: 'plugin',
    apply(api) {
      api.hooks.warmUp.tapPromise(async ({ applicationEntity, rehearsal }) => {
        steps.push(applicationEntity === api.applicationEntity && rehearsal !== applicationEntity ? 'asked' : 'asked for something else')
        await rehearsal.use(rehearsed())
      })
    },
  })
  await using server = await createTestServer({ contexts: CONTEXTS, plugins: [plugin()] })
  const { objects, error } = await server.ae.warmUp(TWO_ROUNDS)
  t.is(error, undefined)
  t.true(objects > 0)
  t.deepEqual(steps, ['asked', 'asked', 'disposed', 'disposed'])
  t.is(answered, objects)
})

test('close ends a warm-up at once, and what was rehearsed is disposed before the plugins are', async (t) => {
  const steps: string[] = []
  let begun = (): void => {}
  const isBegun = new Promise<void>((resolve) => (begun = resolve))
  const rehearsed = definePlugin({
    name: 'rehearsed',
    apply(api) {
      api.hooks.cEcho.tap(() => {
        begun()
        return 0
      })
      api.onDispose(() => void steps.push('rehearsed'))
    },
  })
  const plugin = definePlugin({
    name: 'plugin',
    apply(api) {
      api.hooks.warmUp.tapPromise(async ({ rehearsal }) => void (await rehearsal.use(rehearsed())))
      api.onDispose(() => void steps.push('plugin'))
    },
  })
  const server = await createTestServer({ contexts: CONTEXTS, plugins: [plugin()] })
  const warmingUp = server.ae.warmUp({ budgetMs: 600_000 })
  await isBegun
  await server.ae.close({ deadlineMs: 0 })
  const { error, spentMs } = await warmingUp
  t.is(error, undefined)
  t.true(spentMs < 60_000)
  t.deepEqual(steps, ['rehearsed', 'rehearsed', 'plugin'])
})

test('closed before it began: nothing was rehearsed', async (t) => {
  const ae = new ApplicationEntity({ logLevel: 'silent', contexts: CONTEXTS })
  const warmingUp = ae.warmUp()
  await ae.close()
  t.like(await warmingUp, { associations: 0, echoes: 0, objects: 0, error: undefined })
})

test('associations of peers come first: a warm-up waits until the last has ended', async (t) => {
  const rehearsals: object[] = []
  const counting = definePlugin({
    name: 'counting',
    apply(api) {
      api.hooks.warmUp.tap(({ rehearsal }) => {
        rehearsals.push(rehearsal)
      })
    },
  })
  await using server = await createTestServer({ contexts: CONTEXTS, plugins: [counting()] })
  const scu = await testScu(server, { contexts: [[VERIFICATION, IMPLICIT_LE]] })
  const warmingUp = server.ae.warmUp({ budgetMs: 1000 })
  // As long as a warm-up waits for a server to be idle, and longer than it waits before it begins.
  await new Promise((resolve) => setTimeout(resolve, 400))
  t.is((await scu.echo()).status, 0)
  t.is(rehearsals.length, 0)
  await scu.release()
  const { associations, error } = await warmingUp
  t.is(error, undefined)
  t.true(associations > 0)
  t.is(rehearsals.length, 2)
})

test('a connection to the port of a rehearsal that is not of it is cut unheard, also one from the same port of another address', async (t) => {
  let port = 0
  const ends: string[] = []
  const looking = definePlugin({
    name: 'looking',
    apply(api) {
      api.hooks.warmUp.tapPromise(async ({ rehearsal }) => {
        await rehearsal.use(
          definePlugin({
            name: 'looking',
            apply({ hooks }) {
              hooks.connectionOpened.tap(({ association }) => {
                if (port !== 0) return
                port = association.localPort
                const alike = { localAddress: '127.0.0.2', localPort: association.remotePort }
                for (const from of [{}, alike]) {
                  const socket = connect({ host: '127.0.0.1', port, ...from })
                  socket.on('error', () => {})
                  void once(socket, 'close').then(() => ends.push('cut'))
                }
              })
              hooks.connectionOpened.tap(({ association }) => {
                if (association.remoteAddress !== '127.0.0.1') ends.push('heard')
              })
            },
          })(),
        )
      })
    },
  })
  await using server = await createTestServer({ contexts: CONTEXTS, plugins: [looking()] })
  const { error } = await server.ae.warmUp(TWO_ROUNDS)
  t.is(error, undefined)
  t.deepEqual(ends, ['cut', 'cut'])
  const late = connect({ host: '127.0.0.1', port })
  const [refused] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  t.is(refused.code, 'ECONNREFUSED')
})
