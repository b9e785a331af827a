import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SopClass, StudyRoot, TransferSyntax, encodeDataSet } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import { access } from '@dicomtap/plugin-access'
import { storage } from '@dicomtap/plugin-storage'
import test from 'ava'
import { queryRetrieve } from '../../dist/index.js'

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian
const CLASSES = { find: StudyRoot.Find, get: StudyRoot.Get, move: StudyRoot.Move, store: SopClass.CTImageStorage } as const
const PEERS = `
peers:
  - { aeTitle: FINDER, allow: [find] }
  - { aeTitle: GETTER, allow: [get] }
  - { aeTitle: MOVER, allow: [move], moveTo: TARGET }
  - { aeTitle: TARGET, host: 127.0.0.1, port: 1, allow: [store] }
  - { aeTitle: OTHER, host: 127.0.0.1, port: 1, allow: [store] }
`

test('rights of plugin-access hold: find, get and move each, and where somebody may move', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-rights-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'peers.yaml'), PEERS)
  // The order in a configuration must not matter.
  await using server = await createTestServer({
    plugins: [storage({ directory: join(folder, 'data') }), queryRetrieve({ database: { sqlite: join(folder, 'index.sqlite') } }), access({ peers: join(folder, 'peers.yaml') })],
  })
  const as = (callingAeTitle: string): ReturnType<typeof testScu> => testScu(server, { callingAeTitle, contexts: Object.values(CLASSES).map((uid) => [uid, EXPLICIT] as const), roles: [{ sopClassUid: SopClass.CTImageStorage, scuRole: true, scpRole: true }] })
  const accepted = async (title: string): Promise<string[]> => {
    await using scu = await as(title)
    return Object.entries(CLASSES).flatMap(([name, uid]) => (scu.contexts.some(({ abstractSyntax }) => abstractSyntax === uid) ? [name] : []))
  }
  t.deepEqual(await accepted('FINDER'), ['find'])
  t.deepEqual(await accepted('MOVER'), ['move'])
  t.deepEqual(await accepted('GETTER'), ['get', 'store'], 'what it gets comes on a context of storage')
  await t.throwsAsync(as('NOBODY'))

  await using getter = await as('GETTER')
  const stored = await getter.store({
    sopClassUid: SopClass.CTImageStorage,
    sopInstanceUid: '1.2.3.4',
    transferSyntaxUid: EXPLICIT,
    dataSet: await encodeDataSet({ SOPClassUID: SopClass.CTImageStorage, SOPInstanceUID: '1.2.3.4', StudyInstanceUID: '1.2', SeriesInstanceUID: '1.2.3' }, EXPLICIT),
  })
  t.is(stored.status, 0x0124, 'but it may not store on it')

  await using mover = await as('MOVER')
  for (const [moveDestination, status] of [['OTHER', 0x0124], ['NOBODY', 0x0124], ['TARGET', 0]] as const) {
    const request = await mover.move({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2' }, StudyRoot.Move, moveDestination)
    t.is((await request.final()).status, status, moveDestination)
  }
})
