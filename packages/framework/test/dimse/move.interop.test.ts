import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { decodePart10Header } from '../../dist/dataset/index.js'
import type { InstanceToSend, MoveDestination } from '../../dist/dimse/types.js'
import { createTestServer, encodedSample } from '../../dist/testing/index.js'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, MR_IMAGE, STUDY_ROOT_GET, STUDY_ROOT_MOVE } from '../support/uids.ts'

const run = promisify(execFile)
const hasDcmtk = await run('movescu', ['--version']).then(() => true, () => false)
if (!hasDcmtk) process.stderr.write('SKIPPED: DCMTK is not installed, C-MOVE and C-GET were not tried against it\n')
const interop = hasDcmtk ? test : test.skip

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Instances of several classes and syntaxes, and their bytes by SOP Instance UID. */
async function archive(): Promise<{ instances: InstanceToSend[]; bytes: Map<string, Buffer> }> {
  const bytes = new Map<string, Buffer>()
  const instances: InstanceToSend[] = []
  const wanted = [
    ['ct', CT_IMAGE, EXPLICIT_LE],
    ['ct', CT_IMAGE, EXPLICIT_LE],
    ['mr', MR_IMAGE, EXPLICIT_LE],
  ] as const
  for (const [index, [kind, sopClassUid, transferSyntaxUid]] of wanted.entries()) {
    const sopInstanceUid = `2.25.77${index + 1}`
    const encoded = Buffer.from(await encodedSample(kind, transferSyntaxUid, { sopInstanceUid }))
    bytes.set(sopInstanceUid, encoded)
    instances.push({ sopClassUid, sopInstanceUid, transferSyntaxUid, bytes: () => [encoded] })
  }
  return { instances, bytes }
}

async function received(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const name of await readdir(folder)) {
    const file = await readFile(join(folder, name))
    const { meta, dataSetOffset } = decodePart10Header(file)
    found.set(meta.sopInstanceUid ?? '', file.subarray(dataSetOffset))
  }
  return found
}

function digests(bytes: ReadonlyMap<string, Buffer>): Record<string, string> {
  const pairs = [...bytes].map(([uid, data]) => [uid, createHash('sha256').update(data).digest('hex')])
  return Object.fromEntries(pairs.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))) as Record<string, string>
}

const QUERY = ['-S', '-k', '0008,0052=STUDY', '-k', '0020,000D=2.25.1']

interop('movescu asks, and receives each instance byte for byte', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-move-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { instances, bytes } = await archive()
  const port = await freePort()
  const asked: string[] = []
  const moveDestination = (title: string): MoveDestination | undefined => {
    asked.push(title)
    return title === 'RECEIVER' ? { host: '127.0.0.1', port } : undefined
  }
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: STUDY_ROOT_MOVE, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE] }],
    handlers: { cMove: () => ({ instances, total: instances.length }), moveDestination },
  })
  // With +B it does not heed -od.
  const options = ['-v', '+B', '+P', String(port), '-aet', 'RECEIVER', ...QUERY, '127.0.0.1', String(server.port)]
  const { stderr, stdout } = await run('movescu', ['-aem', 'RECEIVER', ...options], { cwd: folder })
  t.regex(stdout + stderr, /Received Final Move Response \(Success\)/)
  t.deepEqual(digests(await received(folder)), digests(bytes))
  const unknown = await run('movescu', ['-aem', 'NOBODY', ...options], { cwd: folder }).catch((error: unknown) => error as { stdout: string; stderr: string })
  t.regex(unknown.stdout + unknown.stderr, /MoveDestinationUnknown|Move ?Destination ?Unknown/i)
  t.deepEqual(asked, ['RECEIVER', 'NOBODY'])
})

interop('getscu asks, and receives each instance byte for byte', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-get-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { instances, bytes } = await archive()
  const storage = [CT_IMAGE, MR_IMAGE].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [EXPLICIT_LE], roles: { scu: true, scp: true } }))
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: STUDY_ROOT_GET, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE] }, ...storage],
    handlers: { cGet: () => ({ instances, total: instances.length }) },
  })
  const { stderr, stdout } = await run('getscu', ['-v', '-od', folder, '+B', '+xe', ...QUERY, '127.0.0.1', String(server.port)])
  t.regex(stdout + stderr, /Success/)
  t.deepEqual(digests(await received(folder)), digests(bytes))
})
