import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  ALL_TRANSFER_SYNTAXES,
  DEFAULT_TRANSFER_SYNTAXES,
  SOP_CLASSES,
  SopClass,
  TRANSFER_SYNTAXES,
  TransferSyntax,
  WellKnownInstance,
  createUid,
  isPrivateUid,
  isStorageSopClass,
  isValidUid,
  sopClassByKeyword,
  sopClassByUid,
  sopClassesOf,
  storageSopClasses,
  transferSyntaxByKeyword,
  transferSyntaxByUid,
} from '../../dist/dataset/index.js'

test('the generated modules are up to date with the data', (t) => {
  const script = fileURLToPath(new URL('../../scripts/generate-registry.mjs', import.meta.url))
  t.notThrows(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' }))
})

test('UIDs are valid and unique, keywords are unique', (t) => {
  for (const entries of [SOP_CLASSES, TRANSFER_SYNTAXES]) {
    t.is(new Set(entries.map(({ uid }) => uid)).size, entries.length)
    for (const { uid, name } of entries) t.true(isValidUid(uid) && !isPrivateUid(uid) && name.length > 0, uid)
    const keywords = entries.map(({ keyword }) => keyword).filter((keyword) => keyword !== '')
    t.is(new Set(keywords).size, keywords.length)
  }
  for (const uid of Object.values(WellKnownInstance)) t.true(isValidUid(uid))
})

test('SOP classes are found by UID, keyword and service', (t) => {
  t.is(SopClass.Verification, '1.2.840.10008.1.1')
  t.is(SopClass.CTImageStorage, '1.2.840.10008.5.1.4.1.1.2')
  t.is(SopClass.ModalityWorklistInformationModelFind, '1.2.840.10008.5.1.4.31')
  t.is(SopClass.StudyRootQueryRetrieveInformationModelMove, '1.2.840.10008.5.1.4.1.2.2.2')
  t.is(sopClassByUid(SopClass.MRImageStorage)?.name, 'MR Image Storage')
  t.is(sopClassByKeyword('CTImageStorage')?.uid, SopClass.CTImageStorage)
  t.is(sopClassByUid('1.2.3'), undefined)
  t.is(sopClassByKeyword(''), undefined)
  t.is(sopClassByUid(SopClass.Verification)?.service, 'verification')
  t.true(sopClassesOf('query-retrieve').some(({ uid }) => uid === SopClass.PatientRootQueryRetrieveInformationModelFind))
})

test('storage SOP classes: current ones by default, retired ones when asked for', (t) => {
  const current = storageSopClasses()
  t.true(current.every(({ retired, service }) => !retired && service === 'storage'))
  t.true(current.length > 160)
  const all = storageSopClasses({ includeRetired: true })
  t.true(all.some(({ keyword }) => keyword === 'UltrasoundImageStorageRetired'))
  t.true(all.length > current.length)
  for (const keyword of ['CTImageStorage', 'EncapsulatedPDFStorage', 'DICOSCTImageStorage', 'NuclearMedicineImageStorageRetired']) {
    t.true(isStorageSopClass(sopClassByKeyword(keyword)?.uid ?? ''), keyword)
  }
  for (const keyword of ['Verification', 'StorageCommitmentPushModel', 'StoredPrintStorage', 'MediaStorageDirectoryStorage', 'HangingProtocolStorage']) {
    t.false(isStorageSopClass(sopClassByKeyword(keyword)?.uid ?? ''), keyword)
  }
  t.false(isStorageSopClass('1.2.3'))
})

test('each transfer syntax has the encoding of PS3.5 annex A', (t) => {
  t.is(TRANSFER_SYNTAXES.length, 63)
  const having = (predicate: (encoding: (typeof TRANSFER_SYNTAXES)[0]['encoding']) => boolean): string[] =>
    TRANSFER_SYNTAXES.filter(({ encoding }) => predicate(encoding)).map(({ uid }) => uid)
  t.deepEqual(having(({ explicitVr }) => !explicitVr), ['1.2.840.10008.1.2', '1.2.840.10008.1.20'])
  t.deepEqual(having(({ bigEndian }) => bigEndian), ['1.2.840.10008.1.2.2'])
  t.deepEqual(having(({ deflated }) => deflated), ['1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.4.95', '1.2.840.10008.1.2.4.205'])
  t.deepEqual(having(({ encapsulated }) => !encapsulated), [
    '1.2.840.10008.1.2',
    '1.2.840.10008.1.2.1',
    '1.2.840.10008.1.2.1.99',
    '1.2.840.10008.1.2.2',
    '1.2.840.10008.1.2.4.94', // JPIP: the pixels are elsewhere
    '1.2.840.10008.1.2.4.95',
    '1.2.840.10008.1.2.4.204',
    '1.2.840.10008.1.2.4.205',
    '1.2.840.10008.1.2.6.1', // MIME and XML
    '1.2.840.10008.1.2.6.2',
    '1.2.840.10008.1.2.7.1', // SMPTE: the pixels are in a stream
    '1.2.840.10008.1.2.7.2',
    '1.2.840.10008.1.2.7.3',
    '1.2.840.10008.1.20', // Papyrus
  ])
  t.deepEqual(
    TRANSFER_SYNTAXES.filter(({ encoding, lossy }) => encoding.encapsulated && !lossy).map(({ keyword }) => keyword),
    [
      'EncapsulatedUncompressedExplicitVRLittleEndian', 'JPEGLossless', 'JPEGLosslessNonHierarchical15', 'JPEGLosslessHierarchical28',
      'JPEGLosslessHierarchical29', 'JPEGLosslessSV1', 'JPEGLSLossless', 'JPEG2000Lossless', 'JPEG2000MCLossless', 'JPEGXLLossless',
      'JPEGXLJPEGRecompression', 'HTJ2KLossless', 'HTJ2KLosslessRPCL', 'RLELossless', 'DeflatedImageFrameCompression',
    ],
  )
  t.is(transferSyntaxByUid(TransferSyntax.RLELossless)?.keyword, 'RLELossless')
  t.is(transferSyntaxByKeyword('JPEG2000')?.uid, TransferSyntax.JPEG2000)
  t.is(transferSyntaxByUid('1.2.3'), undefined)
})

test('the order of preference: nothing lost first, what no association carries not at all', (t) => {
  t.is(new Set(ALL_TRANSFER_SYNTAXES).size, ALL_TRANSFER_SYNTAXES.length)
  const left = TRANSFER_SYNTAXES.filter(({ uid }) => !ALL_TRANSFER_SYNTAXES.includes(uid))
  t.deepEqual(left.map(({ network }) => network), Array.from({ length: 6 }, () => false))
  t.deepEqual(left.map(({ keyword }) => keyword.slice(0, 5)).toSorted(), ['Papyr', 'RFC25', 'SMPTE', 'SMPTE', 'SMPTE', 'XMLEn'])
  t.is(ALL_TRANSFER_SYNTAXES[0], TransferSyntax.ExplicitVRLittleEndian)
  const at = (uid: string): number => ALL_TRANSFER_SYNTAXES.indexOf(uid)
  const firstLossy = ALL_TRANSFER_SYNTAXES.findIndex((uid) => transferSyntaxByUid(uid)?.lossy)
  t.true(at(TransferSyntax.JPEG2000Lossless) < at(TransferSyntax.ImplicitVRLittleEndian))
  t.true(at(TransferSyntax.ImplicitVRLittleEndian) < firstLossy)
  t.true(ALL_TRANSFER_SYNTAXES.slice(firstLossy).every((uid) => transferSyntaxByUid(uid)?.lossy))
  for (const uid of DEFAULT_TRANSFER_SYNTAXES) t.false(transferSyntaxByUid(uid)?.encoding.encapsulated)
})

test('UID rules, strict and lenient', (t) => {
  const sixtyFour = `1.${'2'.repeat(62)}`
  for (const uid of ['1.2', '0.0', '2.25.0', '1.2.840.10008.1.1', sixtyFour]) t.true(isValidUid(uid), uid)
  for (const uid of ['1', '1.02', '3.1', '01.2', `${sixtyFour}3`]) t.false(isValidUid(uid), uid)
  for (const uid of ['1', '1.02', '3.1', '01.2.003']) t.true(isValidUid(uid, 'lenient'), uid)
  const never = ['', '.', '1.', '.1', '1..2', '1.2 ', '1.2\0', '1.2\n', '../1', '1/2', '1.2a', '１.２', `${sixtyFour}3`]
  for (const uid of never) t.false(isValidUid(uid) || isValidUid(uid, 'lenient'), JSON.stringify(uid))
  t.true(isPrivateUid('1.2.826.0.1') && isPrivateUid('1.2.840.100080.1'))
  t.false(isPrivateUid('1.2.840.10008.1.1'))
})

test('new UIDs are valid, and each is another', (t) => {
  const uids = Array.from({ length: 100 }, () => createUid())
  for (const uid of uids) t.true(isValidUid(uid) && uid.startsWith('2.25.'), uid)
  t.is(new Set(uids).size, 100)
})
