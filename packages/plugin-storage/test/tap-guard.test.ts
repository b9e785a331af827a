import test from 'ava'
import { definePlugin } from '@dicomtap/framework'
import { createTestServer, scriptedPeer } from '@dicomtap/framework/testing'
import { storage, storageHooks } from '@dicomtap/plugin-storage'
import type { StorageHooks } from '@dicomtap/plugin-storage'
import { dataSetOf } from './support/objects.js'
import { filesIn, temporaryFolder } from './support/store-fixture.js'

// Handlers of this plugin's own hooks: whatever they do wrong is theirs, by name.

const CT_IMAGE = '1.2.840.10008.5.1.4.1.1.2'
const fail = (): never => {
  throw new Error('database is gone')
}
const never = (): Promise<never> => new Promise(() => {})

const CASES: readonly { name: string; tap: (hooks: StorageHooks) => void; status: number; message: RegExp }[] = [
  { name: 'instanceStored that throws', tap: ({ instanceStored }) => instanceStored.tap('index', fail), status: 0xa700, message: /instanceStored failed: database is gone/ },
  { name: 'instanceStored that rejects', tap: ({ instanceStored }) => instanceStored.tapPromise('index', async () => fail()), status: 0xa700, message: /instanceStored failed: database is gone/ },
  { name: 'instanceStored, an async function under tap', tap: ({ instanceStored }) => instanceStored.tap('index', (async () => fail()) as () => void), status: 0xa700, message: /instanceStored failed: database is gone/ },
  { name: 'instanceStored that calls back with an error', tap: ({ instanceStored }) => instanceStored.tapAsync('index', (_instance, done) => done(new Error('database is gone'))), status: 0xa700, message: /instanceStored failed: database is gone/ },
  { name: 'instanceStored that throws before it calls back', tap: ({ instanceStored }) => instanceStored.tapAsync('index', fail), status: 0xa700, message: /instanceStored failed: database is gone/ },
  { name: 'instanceStored that never answers', tap: ({ instanceStored }) => instanceStored.tapPromise('index', never), status: 0xa700, message: /instanceStored did not answer within 200 ms/ },
  { name: 'filePath that throws', tap: ({ filePath }) => filePath.tap('index', fail), status: 0x0110, message: /filePath failed: database is gone/ },
  { name: 'filePath that never answers', tap: ({ filePath }) => filePath.tapPromise('index', never), status: 0x0110, message: /filePath did not answer within 200 ms/ },
]

for (const { name, tap, status, message } of CASES) {
  test(`${name} is told of by its name, and leaves no file`, async (t) => {
    const directory = await temporaryFolder(t)
    const rogue = definePlugin({ name: 'rogue', version: '1.0.0', apply: (api) => tap(storageHooks(api.applicationEntity)) })
    await using server = await createTestServer({
      timeouts: { handlerMs: 200 },
      plugins: [storage({ directory, durability: 'close', minimumFreeSpace: null }), rogue()],
    })
    const peer = await scriptedPeer(server.port)
    await peer.associate({ contexts: [[CT_IMAGE, '1.2.840.10008.1.2.1']] })
    const command = { commandField: 1, messageId: 1, affectedSopClassUid: CT_IMAGE, affectedSopInstanceUid: '1.2.3.4.5', priority: 0, commandDataSetType: 0 }
    await peer.sendMessage(1, command, dataSetOf({}))
    t.is((await peer.receiveMessage()).command.status, status)
    const told = server.log.filter(({ level, fields }) => level === 'error' && fields['plugin'] !== undefined)
    t.deepEqual(told.map(({ fields }) => fields['plugin']), ['index'])
    t.regex(told[0]!.message, /^Handler of 'index' for the hook /)
    t.regex(told[0]!.message, message)
    peer.destroy()
    await server.ae.close()
    t.deepEqual(await filesIn(directory), [])
  })
}

test('studyCompleted that never answers keeps no other handler from it, nor the server from closing', async (t) => {
  const directory = await temporaryFolder(t)
  const told: string[] = []
  const rogue = definePlugin({
    name: 'rogue',
    version: '1.0.0',
    apply(api) {
      storageHooks(api.applicationEntity).studyCompleted.tapPromise('index', never)
      storageHooks(api.applicationEntity).studyCompleted.tap('other', ({ studyInstanceUid }) => void told.push(studyInstanceUid))
    },
  })
  const server = await createTestServer({ timeouts: { handlerMs: 200 }, plugins: [storage({ directory, durability: 'close', minimumFreeSpace: null }), rogue()] })
  const peer = await scriptedPeer(server.port)
  await peer.associate({ contexts: [[CT_IMAGE, '1.2.840.10008.1.2.1']] })
  const command = { commandField: 1, messageId: 1, affectedSopClassUid: CT_IMAGE, affectedSopInstanceUid: '1.2.3.4.5', priority: 0, commandDataSetType: 0 }
  await peer.sendMessage(1, command, dataSetOf({}))
  t.is((await peer.receiveMessage()).command.status, 0)
  peer.destroy()
  await server.ae.close()
  t.deepEqual(told, ['1.2.3'])
  t.true(server.logged('error').includes("Handler of 'index' for the hook studyCompleted did not answer within 200 ms"))
})
