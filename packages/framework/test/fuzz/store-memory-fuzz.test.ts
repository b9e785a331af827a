import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import test from 'ava'
import { ApplicationEntity, convertDataSet, DicomtapError } from '@dicomtap/framework'
import type { Association, CStoreOptions } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { encodePart10Header } from '../../dist/dataset/file-meta.js'
import { CERTIFICATE, KEY } from '../fixtures/tls.ts'
import { Random } from '../support/random.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, MR_IMAGE, STUDY_ROOT_GET } from '../support/uids.ts'

// Memory that files are read into is used again when the socket has flushed it (dimse/user/store-slabs.ts).
// What arrives must be what the files hold, however slow the receiver, whatever is aborted beside it. Every
// file has other bytes, so that memory which is filled too early shows. A send is worth several runs of the others.
const SENDS = Math.max(100, Math.min(3_000, Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 0) / 5))
const SEED = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20240611)
const FILES = 60
const MIB = 1_048_576

interface StoredFile {
  readonly path: string
  readonly sopInstanceUid: string
  /** By transfer syntax: as it is, and converted. */
  readonly digests: Readonly<Record<string, string>>
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** (group,element) UI, padded with NUL to an even length (PS3.5 7.1.2). */
function uidElement(tag: string, uid: string): Buffer {
  const value = Buffer.from(uid.length % 2 === 0 ? uid : `${uid}\0`)
  const length = Buffer.alloc(2)
  length.writeUInt16LE(value.length)
  return Buffer.concat([Buffer.from(tag, 'hex'), Buffer.from('UI'), length, value])
}

/** A data set of `size` bytes in Explicit VR Little Endian, most of it random Pixel Data (7FE0,0010) OB. */
function dataSetOf(sopClassUid: string, sopInstanceUid: string, size: number): Buffer {
  const head = Buffer.concat([uidElement('08001600', sopClassUid), uidElement('08001800', sopInstanceUid)])
  const pixelBytes = Math.max(0, size - head.length - 12)
  const element = Buffer.from('e07f10004f42000000000000', 'hex')
  element.writeUInt32LE(pixelBytes + (pixelBytes % 2), 8)
  return Buffer.concat([head, element, randomBytes(pixelBytes + (pixelBytes % 2))])
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

/** Around the sizes at which reading and sending change: one read, one piece, one write, one PDU. */
function sizeOf(index: number, random: Random): number {
  // More than the system holds for a connection.
  if (index % 20 === 1) return 16 * MIB
  const near = [200, 16_378, 65_536, MIB / 2, MIB, MIB + 65_536, 2 * MIB][index % 7]!
  return random.once(3) ? random.below(1.5 * MIB) : Math.max(120, near - 600 + 2 * random.below(600))
}

async function written(directory: string, random: Random): Promise<StoredFile[]> {
  return Promise.all(Array.from({ length: FILES }, async (_, index) => {
    // MR is accepted in Implicit VR alone: it is converted.
    const sopClassUid = index % 5 === 0 ? MR_IMAGE : CT_IMAGE
    const sopInstanceUid = `2.25.${index + 1}`
    const dataSet = dataSetOf(sopClassUid, sopInstanceUid, sizeOf(index, random))
    const identity = { sopClassUid, sopInstanceUid, transferSyntaxUid: EXPLICIT_LE }
    const path = join(directory, `${index}.dcm`)
    await writeFile(path, [encodePart10Header({ ...identity, implementationClassUid: '2.25.2', implementationVersionName: 'TEST' }), dataSet])
    const converted = await collected(convertDataSet(dataSet, EXPLICIT_LE, IMPLICIT_LE))
    return { path, sopInstanceUid, digests: { [EXPLICIT_LE]: sha256(dataSet), [IMPLICIT_LE]: sha256(converted) } }
  }))
}

const CONTEXTS = [
  { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE] },
  { abstractSyntax: MR_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
]

for (const transport of ['TCP', 'TLS'] as const) {
  for (const window of [1, 8]) {
    test.serial(`what arrives is what the files hold: ${transport}, window ${window}`, async (t) => {
      t.timeout(60_000 + SENDS * 200)
      const directory = await mkdtemp(join(tmpdir(), 'dicomtap-memory-'))
      t.teardown(() => rm(directory, { recursive: true }))
      const random = new Random(SEED + window)
      const files = await written(directory, random)
      const arrived = new Map<string, Set<string>>()
      await using server = await createTestServer({
        contexts: CONTEXTS,
        limits: { maximumPduBytes: random.one([16_384, 131_072]), receiveBufferBytes: MIB },
        handlers: {
          asyncOperations: ({ maximumNumberOperationsInvoked: invoked }) => ({ invoked, performed: 1 }),
          cStore: async ({ affectedSopInstanceUid, dataSet }, { context, association }) => {
            const hash = createHash('sha256')
            // While nothing is read all that the system holds for a connection fills up, and the sender's memory waits.
            const stallsOnceIn = random.one([Infinity, Infinity, 30, 3])
            await dataSet.pipeTo({
              write: async (fragments) => {
                for (const fragment of fragments) hash.update(fragment)
                if (random.once(stallsOnceIn)) await pause(5 + random.below(30))
              },
            })
            const digest = hash.digest('hex')
            if (files.find(({ sopInstanceUid }) => sopInstanceUid === affectedSopInstanceUid)?.digests[context.transferSyntax] !== digest) return 0xa700
            arrived.set(association.id, (arrived.get(association.id) ?? new Set()).add(affectedSopInstanceUid))
            return 0
          },
        },
      })
      const secure = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => server.server.inject(socket))
      secure.listen(0, '127.0.0.1')
      await once(secure, 'listening')
      t.teardown(() => void secure.close())
      const ae = new ApplicationEntity({ logLevel: 'silent' })
      t.teardown(() => ae.close({ deadlineMs: 0 }))
      if (transport === 'TLS') {
        ae.bind('outgoingConnection', () => connectTls({ port: (secure.address() as AddressInfo).port, host: '127.0.0.1', ca: CERTIFICATE }))
      }
      const associate = (): Promise<Association> =>
        ae.associate({ host: '127.0.0.1', port: server.port, contexts: CONTEXTS, asynchronousOperations: { invoked: window, performed: 1 } })
      const options = (): CStoreOptions => ({ convert: true, ...(random.once(6) ? { onProgress: () => {} } : {}) })

      let isOver = false
      let cut = 0
      /** Associations that end in the middle of a write, by each way there is. */
      const disturbing = async (): Promise<void> => {
        while (!isOver) {
          const association = await associate()
          const sends = files.map(({ path }) => association.cStore(path, options()))
          const ended = Promise.allSettled(sends)
          await Promise.race([ended, pause(random.below(40))])
          if (random.once(2)) association.abort()
          else await association.kill()
          for (const result of await ended) {
            if (result.status === 'fulfilled') t.is(result.value.status, 0)
            else t.true(result.reason instanceof DicomtapError, String(result.reason))
            cut += result.status === 'fulfilled' ? 0 : 1
          }
          await association.closed
        }
      }
      const sending = async (): Promise<void> => {
        const association = await associate()
        t.is(association.asynchronousOperations.invoked, window)
        const statuses = await Promise.all(
          Array.from({ length: SENDS / 2 }, () => random.one(files)).map(async ({ path }) => (await association.cStore(path, options())).status),
        )
        t.deepEqual(new Set(statuses), new Set([0]))
        await association.release()
      }
      const disturbed = disturbing()
      try {
        await Promise.all([sending(), sending()])
      } finally {
        isOver = true
        await disturbed
      }
      t.true(cut > 0)
    })
  }
}

test.serial('what arrives of a C-GET is what the files hold: several at once, by the paths of their files', async (t) => {
  t.timeout(60_000 + SENDS * 200)
  const directory = await mkdtemp(join(tmpdir(), 'dicomtap-memory-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const random = new Random(SEED)
  // An instance of a C-GET goes out as it is.
  const contexts = CONTEXTS.map((context) => ({ ...context, transferSyntaxes: [EXPLICIT_LE], roles: { scu: true, scp: true } }))
  const model = { abstractSyntax: STUDY_ROOT_GET, transferSyntaxes: [EXPLICIT_LE] }
  const files = await written(directory, random)
  await using server = await createTestServer({
    contexts: [...contexts, model],
    handlers: {
      asyncOperations: () => ({ invoked: 2, performed: 8 }),
      cGet: () => ({ instances: Array.from({ length: SENDS / 2 }, () => random.one(files).path) }),
    },
  })
  const ae = new ApplicationEntity({ logLevel: 'silent', limits: { receiveBufferBytes: MIB } })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  ae.bind('cStore', async ({ affectedSopInstanceUid, dataSet }) => {
    const hash = createHash('sha256')
    const stallsOnceIn = random.one([Infinity, Infinity, 30, 3])
    await dataSet.pipeTo({
      write: async (fragments) => {
        for (const fragment of fragments) hash.update(fragment)
        if (random.once(stallsOnceIn)) await pause(5 + random.below(30))
      },
    })
    const file = files.find(({ sopInstanceUid }) => sopInstanceUid === affectedSopInstanceUid)
    return file?.digests[EXPLICIT_LE] === hash.digest('hex') ? 0 : 0xa700
  })
  const association = await ae.associate({
    host: '127.0.0.1',
    port: server.port,
    contexts: [...contexts, model],
    asynchronousOperations: { invoked: 2, performed: 8 },
  })
  const retrieved = async (): Promise<void> => {
    for await (const response of association.cGet({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2' }, { model: STUDY_ROOT_GET })) {
      if (response.category === 'pending') continue
      t.is(response.status, 0)
      t.is(response.numberOfCompletedSuboperations, SENDS / 2)
    }
  }
  await Promise.all([retrieved(), retrieved()])
  await association.release()
})
