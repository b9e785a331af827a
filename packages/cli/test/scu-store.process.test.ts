import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { encodeDataSet, encodePart10Header, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { CStoreRequest, Operation, SupportedContext } from '@dicomtap/framework'
import { writeSampleFile } from '@dicomtap/framework/testing'
import type { SampleFile, SampleKind } from '@dicomtap/framework/testing'
import type { StoreReport } from '../dist/commands/store.js'
import { run } from './support/run.js'
import type { Result } from './support/run.js'
import { peer, runUntilKilled } from './support/scu.js'
import { makeSite } from './support/site.js'

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, JPEG2000, DeflatedExplicitVRLittleEndian: DEFLATED } = TransferSyntax
const CLASSES = [
  SopClass.CTImageStorage,
  SopClass.MRImageStorage,
  SopClass.ComprehensiveSRStorage,
  SopClass.EncapsulatedPDFStorage,
  SopClass.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
]
const contexts: readonly SupportedContext[] = CLASSES.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [EXPLICIT, IMPLICIT, DEFLATED, JPEG2000] }))

/** Writes CT slices; `prefix0.dcm` has seed 1. */
async function slices(folder: string, count: number, kind: SampleKind = 'ct', prefix = ''): Promise<SampleFile[]> {
  const files: SampleFile[] = []
  for (let index = 0; index < count; index += 1) {
    files.push(await writeSampleFile(join(folder, `${prefix}${index}.dcm`), kind, EXPLICIT, { seed: index + 1, rows: 8, columns: 8 }))
  }
  return files
}

async function site(t: ExecutionContext): Promise<{ cwd: string; study: string }> {
  const cwd = await makeSite(t)
  const study = join(cwd, 'study')
  await mkdir(study)
  return { cwd, study }
}

async function bytesOf(request: CStoreRequest): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of request.dataSet.bytes()) pieces.push(Uint8Array.from(piece))
  return Buffer.concat(pieces)
}

test('files and folders arrive byte by byte as they are', async (t) => {
  const { cwd, study } = await site(t)
  const sent = new Map<string, SampleFile>()
  const kinds: readonly [string, SampleKind, string][] = [
    ['ct.dcm', 'ct', EXPLICIT],
    ['deep/er/mr', 'mr', IMPLICIT],
    ['deep/sr.dcm', 'sr', DEFLATED],
    ['deep/pdf.dcm', 'pdf', EXPLICIT],
    ['frames.dcm', 'multi-frame', JPEG2000],
  ]
  for (const [name, kind, transferSyntaxUid] of kinds) {
    await mkdir(dirname(join(study, name)), { recursive: true })
    const file = await writeSampleFile(join(study, name), kind, transferSyntaxUid)
    sent.set(file.sopInstanceUid, file)
  }
  await writeFile(join(study, 'notes.txt'), 'not DICOM')
  const meta = { sopClassUid: SopClass.MediaStorageDirectoryStorage, sopInstanceUid: '1.2', transferSyntaxUid: EXPLICIT, implementationClassUid: '1.2' }
  await writeFile(join(study, 'DICOMDIR'), [encodePart10Header(meta), await encodeDataSet({ FileSetID: 'X' }, EXPLICIT)])

  const got = new Map<string, { readonly bytes: Buffer; readonly transferSyntax: string; readonly sopClassUid: string; readonly priority: number }>()
  const server = await peer(t, {
    contexts,
    handlers: {
      cStore: async (request, { context, sopClassUid }) => {
        got.set(request.affectedSopInstanceUid, { bytes: await bytesOf(request), transferSyntax: context.transferSyntax, sopClassUid, priority: request.priority })
        return 0
      },
    },
  })
  const { code, stdout, stderr } = await run(['store', `PACS@127.0.0.1:${server.port}`, 'study', '--priority', 'low', '--report', 'report.jsonl'], { cwd })
  t.is(stderr, '')
  t.regex(stdout, /^5 stored, 2 skipped \(1 DICOMDIR, 1 not DICOM\)\n[\d.]+ kB in .*\/s, 1 association\n$/u)
  t.is(code, 0)
  t.is(got.size, 5)
  for (const [uid, file] of sent) {
    t.deepEqual(got.get(uid), { bytes: file.dataSet, transferSyntax: file.transferSyntaxUid, sopClassUid: file.sopClassUid, priority: 2 })
  }
  const report = (await readFile(join(cwd, 'report.jsonl'), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  t.is(report.length, 7)
  t.deepEqual([...new Set(report.map(({ outcome }) => String(outcome)))].toSorted(), ['skipped', 'stored'])
  t.like(report.find(({ path }) => path === join('study', 'ct.dcm')), { outcome: 'stored', status: 0, sopClassUid: SopClass.CTImageStorage, transferSyntaxUid: EXPLICIT })

  const flat = await run(['store', `127.0.0.1:${server.port}`, '--no-recurse', 'study', '--json'], { cwd })
  t.like(JSON.parse(flat.stdout), { ok: true, stored: 2, failed: 0, notSent: 0, skipped: { 'not DICOM': 1, DICOMDIR: 1 }, associations: 1, failures: [] })
})

test('a file counts as stored when the peer said so; what failed is named', async (t) => {
  const { cwd, study } = await site(t)
  const files = await slices(study, 4)
  await writeFile(join(study, 'broken.dcm'), (await readFile(join(study, '0.dcm'))).subarray(0, 140))
  const statuses = new Map([
    [files[1]?.sopInstanceUid, { status: 0xa700, errorComment: 'disk full' }],
    [files[2]?.sopInstanceUid, { status: 0xb000 }],
  ])
  const server = await peer(t, { contexts, handlers: { cStore: ({ affectedSopInstanceUid: uid }) => statuses.get(uid) ?? 0 } })
  const { code, stdout, stderr } = await run(['store', `127.0.0.1:${server.port}`, 'study'], { cwd })
  t.is(code, 3)
  t.regex(stdout, /^3 stored \(1 with a warning\), 2 failed\n/u)
  const lines = stderr.trimEnd().split('\n').toSorted()
  t.is(lines.length, 3, stderr)
  t.regex(lines[0] ?? '', /^failed {2}study[/\\]1\.dcm: A700 .*: disk full$/u)
  t.regex(lines[1] ?? '', /^failed {2}study[/\\]broken\.dcm: its file meta information is damaged$/u)
  t.regex(lines[2] ?? '', /^warning study[/\\]2\.dcm: B000 /u)

  const json = await run(['store', `127.0.0.1:${server.port}`, 'study', '--json', '--quiet'], { cwd })
  const report = JSON.parse(json.stdout) as StoreReport
  t.is(json.code, 3)
  t.like(report, { ok: false, stored: 3, warnings: 1, failed: 2, notSent: 0 })
  t.like(report.failures.find(({ status }) => status === 0xa700), { outcome: 'failed', sopInstanceUid: files[1]?.sopInstanceUid })

  // The first two are refused by their names' order: nothing after the first one is sent.
  statuses.set(files[0]?.sopInstanceUid, { status: 0xc000 })
  const stopped = await run(['store', `127.0.0.1:${server.port}`, 'study/0.dcm', 'study/3.dcm', '--stop-on-error'], { cwd })
  t.is(stopped.code, 1)
  t.regex(stopped.stdout, /^0 stored, 1 failed, 1 not sent\n/u)
})

test('what the peer refuses fails, in the words of the standard; --convert sends it as it takes it', async (t) => {
  const { cwd, study } = await site(t)
  await slices(study, 1, 'ct', 'ct')
  await slices(study, 1, 'mr', 'mr')
  const got: string[] = []
  const server = await peer(t, {
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [IMPLICIT] }],
    handlers: { cStore: (_request, { context }) => (got.push(context.transferSyntax), 0) },
  })
  const to = `127.0.0.1:${server.port}`
  const asItIs = await run(['store', to, 'study'], { cwd })
  t.is(asItIs.code, 1)
  t.regex(asItIs.stdout, /^0 stored, 2 failed\n/u)
  t.regex(asItIs.stderr, /ct0\.dcm: the peer refuses CT Image Storage in ExplicitVRLittleEndian: transfer syntaxes not supported$/mu)
  t.regex(asItIs.stderr, /mr0\.dcm: the peer refuses MR Image Storage in ExplicitVRLittleEndian: abstract syntax not supported$/mu)
  const converted = await run(['store', to, 'study', '--convert'], { cwd })
  t.is(converted.code, 3)
  t.regex(converted.stdout, /^1 stored, 1 failed\n/u)
  t.deepEqual(got, [IMPLICIT])

  for (const [args, says] of [
    [['-x', 'explicit'], /^error: --transfer-syntax: .*add --convert/u],
    [['--convert', '-x', 'jpeg2000'], /^error: --transfer-syntax: nothing is converted to JPEG2000/u],
    [['nothing.dcm'], /^error: nothing\.dcm does not exist$/mu],
    [['--report', 'no/such/folder'], /^error: --report: .*ENOENT/u],
  ] as const) {
    const { code, stdout, stderr } = await run(['store', to, 'study', ...args], { cwd })
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, says)
  }
  const port = await run(['store', '127.0.0.1', '104', 'study'], { cwd })
  t.regex(port.stderr, /^error: 104 does not exist; the port is written 127\.0\.0\.1:104$/mu)
})

test('after a lost association the rest is sent on another one, nothing twice and nothing uncounted', async (t) => {
  const { cwd, study } = await site(t)
  await slices(study, 5)
  const answered: string[] = []
  let requests = 0
  const handlers = {
    cStore: ({ affectedSopInstanceUid: uid }: CStoreRequest, { association }: Operation) => {
      requests += 1
      if (requests === 3) {
        association.abort('for the test')
        return 0
      }
      answered.push(uid)
      return 0
    },
  }
  const server = await peer(t, { contexts, handlers })
  const { code, stdout, stderr } = await run(['store', `127.0.0.1:${server.port}`, 'study'], { cwd })
  t.is(code, 0)
  t.regex(stdout, /^5 stored\n.*2 associations\n$/u)
  t.regex(stderr, /was lost; trying again in 1 s \(1 of 3\)/u)
  t.is(answered.length, 5)
  t.is(new Set(answered).size, 5)

  requests = 0
  const given = await run(['store', `127.0.0.1:${server.port}`, 'study', '--retries', '0', '--json'], { cwd })
  t.is(given.code, 3)
  t.like(JSON.parse(given.stdout), { ok: false, stored: 2, failed: 0, notSent: 3, associations: 1, problems: [{ code: 'DICOMTAP_ERR_NET_CLOSED' }] })
})

test('more than 128 presentation contexts are split over associations', async (t) => {
  const { cwd, study } = await site(t)
  const classes = Array.from({ length: 130 }, (_, index) => `1.2.3.${index}`)
  for (const [index, sopClassUid] of classes.entries()) {
    const sopInstanceUid = `1.2.4.${index}`
    const header = encodePart10Header({ sopClassUid, sopInstanceUid, transferSyntaxUid: EXPLICIT, implementationClassUid: '1.2' })
    await writeFile(join(study, String(index)), [header, await encodeDataSet({ SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid }, EXPLICIT)])
  }
  const got: string[] = []
  const proposed: number[] = []
  const server = await peer(t, {
    contexts: classes.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [EXPLICIT] })),
    handlers: {
      associationRequested: ({ association }) => void proposed.push(association.proposedContexts.length),
      cStore: (_request, { sopClassUid }) => (got.push(sopClassUid), 0),
    },
  })
  const { code, stdout } = await run(['store', `127.0.0.1:${server.port}`, 'study', '--json'], { cwd })
  t.is(code, 0)
  t.like(JSON.parse(stdout), { stored: 130, associations: 2 })
  t.deepEqual(proposed, [128, 2])
  t.deepEqual(got.toSorted(), classes.toSorted())
})

for (const [what, args, associations] of [
  ['--associations sends on several side by side', ['--associations', '3'], 3],
  ['--outstanding has several requests under way on one', ['--outstanding', '3'], 1],
] as const) {
  test(what, async (t) => {
    const { cwd, study } = await site(t)
    await slices(study, 6)
    let waiting: (() => void)[] = []
    const server = await peer(t, {
      contexts,
      handlers: {
        asyncOperations: ({ maximumNumberOperationsInvoked: invoked }) => ({ invoked, performed: 1 }),
        // Nobody is answered before three are there.
        cStore: async (request) => {
          await bytesOf(request)
          await new Promise<void>((resolve) => {
            waiting.push(resolve)
            if (waiting.length < 3) return
            for (const answer of waiting) answer()
            waiting = []
          })
          return 0
        },
      },
    })
    const { code, stdout } = await run(['store', `127.0.0.1:${server.port}`, 'study', ...args, '--json'], { cwd })
    t.is(code, 0)
    t.like(JSON.parse(stdout), { stored: 6, associations })
  })
}

test('Ctrl-C lets what runs end, and says what was not sent', async (t) => {
  const { cwd, study } = await site(t)
  await slices(study, 3)
  let answer: () => void = () => {}
  let asked: () => void = () => {}
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const ends: string[] = []
  const server = await peer(t, {
    contexts,
    handlers: {
      associationReleased: () => void ends.push('released'),
      cStore: async (request) => {
        await bytesOf(request)
        asked()
        await new Promise<void>((resolve) => (answer = resolve))
        return 0
      },
    },
  })
  const command = runUntilKilled(t, ['store', `127.0.0.1:${server.port}`, 'study'], cwd)
  await isAsked
  command.kill('SIGINT')
  await command.said('once more to abort')
  answer()
  const { code, stdout }: Result = await command.ended
  t.is(code, 130)
  t.regex(stdout, /^1 stored, 2 not sent\n/u)
  t.deepEqual(ends, ['released'])
})

test('--dry-run connects nowhere', async (t) => {
  const { cwd, study } = await site(t)
  await slices(study, 3)
  await writeFile(join(study, 'notes.txt'), 'not DICOM')
  const { code, stdout, stderr } = await run(['store', '127.0.0.1:1', 'study', '--dry-run'], { cwd })
  t.is(stderr, '')
  t.regex(stdout, /^3 +[\d.]+ k?B +CT Image Storage +ExplicitVRLittleEndian$/mu)
  t.regex(stdout, /^3 to send, .*, 1 skipped \(1 not DICOM\), 1 association at least$/mu)
  t.is(code, 0)
  const nothing = await run(['store', '127.0.0.1:1', 'study/notes.txt', '--dry-run', '--json'], { cwd })
  t.is(nothing.code, 1)
  t.like(JSON.parse(nothing.stdout), { ok: false, toSend: 0, skipped: { 'not DICOM': 1 } })
})
