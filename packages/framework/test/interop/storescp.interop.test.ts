// Our SCU against storescp of DCMTK.
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import {
  AssociationAbortedError,
  AssociationRejectedError,
  DicomtapError,
  encodeDataSet,
  encodePart10Header,
  presentationContexts,
  SopClass,
  TransferSyntax,
} from '@dicomtap/framework'
import type { AssociateOptions, Association, DataSet, PDataTfSummary, RequestedContext } from '@dicomtap/framework'
import { encodedSample, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import { interop, startScp, succeeds } from './support/dcmtk.ts'
import type { Scp } from './support/dcmtk.ts'
import { dataSetBytes, storedIn, temporaryFolder } from './support/files.ts'
import { associate } from './support/scu.ts'

const CT: RequestedContext = { abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }
const IMPLICIT_CT: RequestedContext = { ...CT, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }

/** `storescp` that writes into a folder of its own. `+B` writes down what arrived, without a look at it. */
async function storescp(t: ExecutionContext, options: readonly string[] = ['+B']): Promise<Scp & { readonly folder: string }> {
  const folder = await temporaryFolder(t)
  const scp = await startScp(t, 'storescp', (port) => ['-d', '-od', folder, ...options, String(port)])
  return Object.assign(Object.create(scp) as Scp, { folder })
}

async function ctFile(t: ExecutionContext): Promise<{ path: string; dataSet: Buffer }> {
  const path = join(await temporaryFolder(t), 'ct.dcm')
  const { dataSet } = await writeSampleFile(path, 'ct', TransferSyntax.ExplicitVRLittleEndian)
  return { path, dataSet }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-interop-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))
let made: ReturnType<typeof writeSampleFile> | undefined
/** 8 MB; made once. */
async function largeFile(): Promise<{ path: string; dataSet: Buffer }> {
  const path = join(folder, 'large.dcm')
  made ??= writeSampleFile(path, 'ct', TransferSyntax.ExplicitVRLittleEndian, { rows: 2048, columns: 2048 })
  return { path, dataSet: (await made).dataSet }
}

/** The one data set that storescp has written. */
async function only(folder: string): Promise<Buffer> {
  const [found, ...more] = (await storedIn(folder)).values()
  if (found === undefined || more.length > 0) throw new Error(`${more.length + 1} files`)
  return found.dataSet
}

interop('C-ECHO, many on one association; what storescp says of itself; release', async (t) => {
  const scp = await storescp(t, ['-aet', 'STORE', '-pdu', '28672'])
  const association = await associate(t, scp.port, { contexts: presentationContexts.verification })
  for (const { status, category } of await Promise.all(Array.from({ length: 20 }, () => association.cEcho()))) {
    t.is(status, 0x0000)
    t.is(category, 'success')
  }
  t.is(association.acceptor?.maximumLength, 28_672)
  t.regex(association.acceptor?.implementationVersionName ?? '', /^OFFIS_DCMTK_/)
  t.deepEqual(association.asynchronousOperations, { invoked: 1, performed: 1 })
  await association.release()
  t.true(association.isReleased)
  await scp.logged(/Association Release/)
  t.is(scp.output.match(/Received Echo Request/g)?.length, 20)
})

interop('C-STORE in each transfer syntax: what storescp wrote is the file, byte by byte', async (t) => {
  const folder = await temporaryFolder(t)
  const plain = join(folder, 'plain.dcm')
  await writeSampleFile(plain, 'ct', TransferSyntax.ExplicitVRLittleEndian, { rows: 64, columns: 64 })
  const to = (name: string): string => join(folder, `${name}.dcm`)
  await Promise.all([
    succeeds(t, 'dcmconv', ['+ti', plain, to('implicit')]),
    succeeds(t, 'dcmconv', ['+tb', plain, to('big-endian')]),
    succeeds(t, 'dcmconv', ['+td', plain, to('deflated')]),
    succeeds(t, 'dcmcjpeg', ['+eb', plain, to('jpeg-baseline')]),
    succeeds(t, 'dcmcjpeg', ['+e1', plain, to('jpeg-lossless')]),
    succeeds(t, 'dcmcjpls', [plain, to('jpeg-ls')]),
    succeeds(t, 'dcmcrle', [plain, to('rle')]),
    // Undefined lengths, and elements and items of group length.
    succeeds(t, 'dcmconv', ['+te', '-e', '+g', plain, to('undefined-lengths')]),
    // DCMTK has no encoder of JPEG 2000.
    writeSampleFile(to('jpeg-2000'), 'ct', TransferSyntax.JPEG2000Lossless),
    writeSampleFile(to('sr'), 'sr'),
    writeSampleFile(to('pdf'), 'pdf', TransferSyntax.DeflatedExplicitVRLittleEndian),
  ])
  const syntaxes = [
    TransferSyntax.ExplicitVRLittleEndian,
    TransferSyntax.ImplicitVRLittleEndian,
    TransferSyntax.ExplicitVRBigEndian,
    TransferSyntax.DeflatedExplicitVRLittleEndian,
    TransferSyntax.JPEGBaseline8Bit,
    TransferSyntax.JPEGLosslessSV1,
    TransferSyntax.JPEGLSLossless,
    TransferSyntax.JPEG2000Lossless,
    TransferSyntax.RLELossless,
  ]
  const contexts = [SopClass.CTImageStorage, SopClass.SecondaryCaptureImageStorage, SopClass.ComprehensiveSRStorage, SopClass.EncapsulatedPDFStorage].flatMap(
    (abstractSyntax) => syntaxes.map((transferSyntax) => ({ abstractSyntax, transferSyntaxes: [transferSyntax] })),
  )
  // With +uf each file has a name of its own: some have the same SOP Instance UID.
  const scp = await storescp(t, ['+B', '+xa', '+uf'])
  const association = await associate(t, scp.port, { contexts })
  t.is(association.acceptedContexts.length, contexts.length)
  const names = (await readdir(folder)).sort()
  t.is(names.length, 12)
  // The window is one: they are sent one after the other, in this order.
  const responses = await Promise.all(names.map((name) => association.cStore(join(folder, name))))
  t.deepEqual(responses.map(({ status }) => status), names.map(() => 0x0000))
  await association.release()

  const digests = async (in_: string, isSent: boolean): Promise<string[]> => {
    const all = (await readdir(in_)).map(async (name) => {
      const bytes = await dataSetBytes(join(in_, name))
      // dcmconv leaves out the NUL behind a deflated data set of odd length, which a message must have (PS3.5 A.5).
      return digest(isSent && bytes.length % 2 === 1 ? Buffer.concat([bytes, Buffer.alloc(1)]) : bytes)
    })
    return (await Promise.all(all)).sort()
  }
  t.deepEqual(await digests(scp.folder, false), await digests(folder, true))
})

for (const maximum of ['4096', '16384', '131072']) {
  interop(`C-STORE of 8 MB to storescp that takes PDUs of ${maximum} bytes: none is longer`, async (t) => {
    const scp = await storescp(t, ['+B', '-pdu', maximum])
    const { path, dataSet } = await largeFile()
    const association = await associate(t, scp.port, { contexts: [CT] })
    let longest = 0
    let sent = 0
    association.bind('pduSent', ({ pdu }) => {
      if (pdu.type !== 'P-DATA-TF') return
      // The length of the variable field (PS3.8 D.1): all but the six bytes of the header.
      const { lengthBytes } = pdu as PDataTfSummary
      longest = Math.max(longest, lengthBytes)
    })
    const { status } = await association.cStore(path, { onProgress: (bytes) => (sent = bytes) })
    t.is(status, 0x0000)
    t.is(sent, dataSet.length)
    await association.release()
    t.true(longest > 0 && longest <= Number(maximum), `${longest}`)
    t.true((await only(scp.folder)).equals(dataSet))
  })
}

interop('storescp --fork: associations at once, each with objects of its own', async (t) => {
  const scp = await storescp(t, ['+B', '--fork'])
  const sent = new Map<string, Buffer>()
  await Promise.all(
    Array.from({ length: 4 }, async (_, sender) => {
      const association = await associate(t, scp.port, { contexts: [CT, ...presentationContexts.verification] })
      for (let index = 0; index < 5; index++) {
        const sopInstanceUid = `2.25.40${sender}${index}`
        const bytes = await encodedSample('ct', TransferSyntax.ExplicitVRLittleEndian, { sopInstanceUid, seed: sender * 5 + index + 1, rows: 256, columns: 256 })
        sent.set(sopInstanceUid, bytes)
        const { sopClassUid, transferSyntaxUid } = { sopClassUid: SopClass.CTImageStorage, transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian }
        t.is((await association.cStore(bytes, { sopClassUid, sopInstanceUid, transferSyntaxUid })).status, 0x0000)
        t.is((await association.cEcho()).status, 0x0000)
      }
      await association.release()
    }),
  )
  const stored = await storedIn(scp.folder)
  t.is(stored.size, 20)
  for (const [uid, { dataSet }] of stored) t.true(dataSet.equals(sent.get(uid) as Buffer), uid)
})

interop('storescp that knows Implicit VR alone: no context without convert, with it DCMTK reads the same data set', async (t) => {
  const scp = await storescp(t, ['+xi'])
  const { path } = await ctFile(t)
  const association = await associate(t, scp.port, { contexts: [CT, IMPLICIT_CT] })
  // 4: transfer syntaxes not supported (PS3.8 table 9-18).
  t.deepEqual(association.rejectedContexts, [{ id: 1, abstractSyntax: SopClass.CTImageStorage, result: 4 }])
  const refused = await t.throwsAsync(association.cStore(path), { instanceOf: DicomtapError })
  t.is(refused.code, 'DICOMTAP_ERR_ACSE_CONTEXT')
  t.is((await association.cStore(path, { convert: true })).status, 0x0000)
  await association.release()

  const [name] = await readdir(scp.folder)
  const [stored, reference] = [join(scp.folder, name as string), join(await temporaryFolder(t), 'implicit.dcm')]
  await succeeds(t, 'dcmconv', ['+ti', path, reference])
  t.true((await dataSetBytes(stored)).equals(await dataSetBytes(reference)))
})

interop('128 contexts in one request: storescp accepts the classes that it knows', async (t) => {
  const scp = await storescp(t)
  const contexts = [...presentationContexts.verification, ...presentationContexts.allStorage].slice(0, 128)
  const association = await associate(t, scp.port, { contexts })
  const { acceptedContexts: accepted, rejectedContexts: rejected } = association
  t.is(accepted.length + rejected.length, 128)
  t.true(accepted.length > 100, `${accepted.length}`)
  // 3: abstract syntax not supported (PS3.8 table 9-18): classes that are younger than this DCMTK.
  // 4: transfer syntaxes not supported: the video classes, which are proposed with their codecs too.
  const video = [SopClass.VideoEndoscopicImageStorage, SopClass.VideoMicroscopicImageStorage, SopClass.VideoPhotographicImageStorage]
  t.deepEqual(rejected.filter(({ result }) => result !== 3).map(({ abstractSyntax, result }) => [abstractSyntax, result]), video.map((uid) => [uid, 4]))
  const known = accepted.map(({ abstractSyntax }) => abstractSyntax)
  t.true([SopClass.Verification, SopClass.CTImageStorage, SopClass.MRImageStorage].every((uid) => known.includes(uid)))
  t.is((await association.cEcho()).status, 0x0000)
  const { path, dataSet } = await ctFile(t)
  t.is((await association.cStore(path)).status, 0x0000)
  await association.release()
  t.true((await only(scp.folder)).equals(dataSet))
})

interop('storescp --refuse: the association is rejected, with what storescp said', async (t) => {
  const scp = await storescp(t, ['--refuse'])
  const error = await t.throwsAsync(associate(t, scp.port, { contexts: [CT] }), { instanceOf: AssociationRejectedError })
  t.is(error.code, 'DICOMTAP_ERR_ACSE_REJECTED')
  // Permanent, service-user, no reason given (PS3.8 table 9-21).
  t.deepEqual([error.result, error.source, error.reason], [1, 1, 1])
})

interop('storescp --reject wants an Implementation Class UID, and gets one', async (t) => {
  const scp = await storescp(t, ['--reject'])
  const association = await associate(t, scp.port, { contexts: presentationContexts.verification })
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

interop('a class that storescp does not know: no context; with --promiscuous it is stored', async (t) => {
  const privateClass = '2.25.330'
  const dataset: DataSet = { ...sampleDataset('ct'), SOPClassUID: privateClass }
  const bytes = await encodeDataSet(dataset, TransferSyntax.ExplicitVRLittleEndian)
  const contexts = [{ ...CT, abstractSyntax: privateClass }, ...presentationContexts.verification]
  const strict = await associate(t, (await storescp(t)).port, { contexts })
  // 3: abstract syntax not supported (PS3.8 table 9-18).
  t.deepEqual(strict.rejectedContexts, [{ id: 1, abstractSyntax: privateClass, result: 3 }])
  const error = await t.throwsAsync(strict.cStore(dataset), { instanceOf: DicomtapError })
  t.is(error.code, 'DICOMTAP_ERR_ACSE_CONTEXT')
  t.is((await strict.cEcho()).status, 0x0000)
  await strict.release()

  const scp = await storescp(t, ['+B', '--promiscuous'])
  const association = await associate(t, scp.port, { contexts })
  t.is((await association.cStore(dataset)).status, 0x0000)
  await association.release()
  t.true((await only(scp.folder)).equals(bytes))
})

interop('storescp --ignore: success, and nothing is written', async (t) => {
  const scp = await storescp(t, ['--ignore'])
  const { path } = await ctFile(t)
  const association = await associate(t, scp.port, { contexts: [CT] })
  t.is((await association.cStore(path)).status, 0x0000)
  await association.release()
  t.deepEqual(await readdir(scp.folder), [])
})

interop('an object that is not what the command says: the status of storescp, and the association goes on', async (t) => {
  const scp = await storescp(t, [])
  const { path } = await ctFile(t)
  const association = await associate(t, scp.port, { contexts: [CT] })
  // What draws its bytes lazily is believed.
  const other = {
    sopClassUid: SopClass.CTImageStorage,
    sopInstanceUid: '2.25.1',
    transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
    bytes: () => dataSetBytes(path),
  }
  const { status, category, label } = await association.cStore(other)
  // Data Set does not match SOP Class (PS3.4 table B.2-1).
  t.is(status, 0xa900)
  t.is(category, 'failure')
  t.regex(label, /match/i)
  t.is((await association.cStore(path)).status, 0x0000)
  await association.release()
})

interop('UIDs padded with spaces go into the command without them', async (t) => {
  // As of devices of the last century: PS3.5 9.1 wants a NUL.
  const dataSet = await encodedSample('ct', TransferSyntax.ExplicitVRLittleEndian, { sopInstanceUid: '2.25.4711' })
  const at = dataSet.indexOf('2.25.4711\0', 0, 'latin1')
  t.true(at > 0)
  dataSet.write(' ', at + 9, 'latin1')
  const header = encodePart10Header({
    sopClassUid: SopClass.CTImageStorage,
    sopInstanceUid: '2.25.4711',
    transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
    implementationClassUid: '2.25.2',
  })
  const path = join(await temporaryFolder(t), 'padded.dcm')
  await writeFile(path, [header, dataSet])
  for (const options of [['+B'], ['+B', '--uid-padding']]) {
    const scp = await storescp(t, options)
    const association = await associate(t, scp.port, { contexts: [CT] })
    t.is((await association.cStore(path)).status, 0x0000)
    await association.release()
    await scp.logged(/Affected SOP Instance UID +: 2\.25\.4711\n/)
    t.true((await only(scp.folder)).equals(dataSet))
  }
})

/** The error of a C-STORE, and the association that it was tried on. */
async function failedStore(
  t: ExecutionContext,
  scp: Scp,
  path: string,
  options: Partial<AssociateOptions> = {},
): Promise<{ association: Association; error: DicomtapError }> {
  const association = await associate(t, scp.port, { contexts: [CT], ...options })
  const [sent, waiting] = await Promise.allSettled([association.cStore(path), association.cStore(path)])
  // The one that waited for its turn ends as well, for the same reason.
  t.is(waiting.status, 'rejected')
  if (sent.status !== 'rejected') throw new Error(`It was answered: ${sent.value.label}`)
  await association.closed
  return { association, error: sent.reason as DicomtapError }
}

for (const option of ['--abort-after', '--abort-during']) {
  interop(`storescp ${option}: the C-STORE fails as aborted, and so does what waits behind it`, async (t) => {
    const { association, error } = await failedStore(t, await storescp(t, [option]), (await largeFile()).path)
    t.is(error.code, 'DICOMTAP_ERR_ACSE_ABORTED')
    const cause = error.cause as AssociationAbortedError
    t.true(cause instanceof AssociationAbortedError)
    // Service-user (PS3.8 table 9-26), also when a reset is right behind it.
    t.deepEqual([cause.by, cause.source], ['peer', 0])
    t.true(association.isAborted)
  })
}

interop('storescp --sleep-during beyond the DIMSE time-out: an error of its own, and the association is aborted', async (t) => {
  const scp = await storescp(t, ['--sleep-during', '1'])
  const { association, error } = await failedStore(t, scp, (await ctFile(t)).path, { timeouts: { dimseMs: 300 } })
  t.is(error.code, 'DICOMTAP_ERR_DIMSE_TIMEOUT')
  t.true(association.isAborted)
  // Until then it sleeps.
  await scp.logged(/Abort/)
})

interop('storescp --sleep-during and --sleep-after: slow is no failure', async (t) => {
  const scp = await storescp(t, ['+B', '--sleep-during', '1', '--sleep-after', '1', '-pdu', '131072'])
  const { path, dataSet } = await ctFile(t)
  const association = await associate(t, scp.port, { contexts: [CT] })
  t.is((await association.cStore(path)).status, 0x0000)
  await association.release()
  t.true((await only(scp.folder)).equals(dataSet))
})

interop('storescp dies while a C-STORE waits for its response: the error says so', async (t) => {
  const scp = await storescp(t, ['--sleep-during', '20'])
  const { path } = await ctFile(t)
  const association = await associate(t, scp.port, { contexts: [CT] })
  const sent = association.cStore(path)
  sent.catch(() => {})
  await scp.logged(/Received Store Request/)
  await scp.stop()
  const error = (await t.throwsAsync(sent, { instanceOf: DicomtapError })) as DicomtapError
  t.is(error.code, 'DICOMTAP_ERR_ACSE_ABORTED')
  t.is((error.cause as AssociationAbortedError).by, 'network')
  await association.closed
})

interop('what is negotiated beyond contexts, as storescp prints it', async (t) => {
  const scp = await storescp(t, ['+v'])
  const association = await associate(t, scp.port, {
    callingAeTitle: 'MODALITY',
    calledAeTitle: 'ARCHIVE',
    contexts: [{ ...CT, roles: { scu: true, scp: true } }, ...presentationContexts.verification],
    asynchronousOperations: { invoked: 4, performed: 2 },
    userIdentity: { type: 2, primaryField: 'müller', secondaryField: 'ge heim', positiveResponseRequested: true },
    sopClassExtended: [{ sopClassUid: SopClass.CTImageStorage, serviceClassApplicationInformation: Buffer.from([2, 0, 3, 0, 1, 0]) }],
    sopClassCommonExtended: [
      { sopClassUid: '2.25.331', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [SopClass.CTImageStorage, SopClass.MRImageStorage] },
    ],
    limits: { maximumPduBytes: 30_000 },
  })
  // storescp asks for no window, and answers no role and no identity.
  t.deepEqual(association.asynchronousOperations, { invoked: 1, performed: 1 })
  t.true(association.acceptedContexts.every(({ asScu, asScp }) => asScu && !asScp))
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
  await scp.logged(/Association Release/)
  // The last of the requests: the first was the connection that found out that storescp listens.
  const printed = scp.output.slice(scp.output.lastIndexOf('BEGIN A-ASSOCIATE-RQ')).replaceAll(/^[A-Z]: /gm, '')
  const expected = [
    'Their Implementation Version Name: DICOMTAP_0.1.0',
    'Application Context Name:    1.2.840.10008.3.1.1.1',
    'Calling Application Name:    MODALITY',
    'Called Application Name:     ARCHIVE',
    'Their Max PDU Receive Size:  30000',
    'Proposed SCP/SCU Role: SCP/SCU',
    '=CTImageStorage (1.2.840.10008.5.1.4.1.1.2)',
    '[0x02, 0x00, 0x03, 0x00, 0x01, 0x00]',
    'Authentication mode 2: Username/Password',
    'Username: [müller]',
    'Password: [ge heim]',
    'Positive Response requested: Yes',
  ]
  for (const line of expected) t.true(printed.includes(`${line}\n`), line)
})
