import type { DataSet } from '@dicomtap/framework'
import type { TestScu } from '@dicomtap/framework/testing'
import type { ExecutionContext } from 'ava'
import { find } from './archive.js'
import type { Archive } from './archive.js'

const NAMES = ['PatientID', 'PatientName', 'StudyID', 'StudyDescription', 'ReferringPhysicianName']
const VALUES = [
  "'; drop table study; --", '"', '""', '%', '_', '\\', '[', '[!a]*', '*'.repeat(64), '?'.repeat(64), '*a'.repeat(40), 'a\0b', '\0*', '*\0', '-', '--', '(', '$1',
  '?*?', '\ud800', '\ud800*', '\uffff*', '\u{10ffff}*', '🩻?', ' ', '^', '=', '==', '^=^=^*', '=\0', 'x'.repeat(5000),
]

/** Each is answered with a status of the standard, on the same association, and no error is logged. */
export async function surviveHostileIdentifiers(t: ExecutionContext, archive: Archive): Promise<void> {
  await using scu = await archive.associate({
    relationalQueries: true,
    fuzzySemanticMatching: true,
    emptyValueMatching: true,
    multipleValueMatching: true,
    dateTimeMatching: true,
    timezoneQueryAdjustment: true,
  })
  t.is(await statusOf(t, scu, {}), 0xa900)
  t.is(await statusOf(t, scu, { QueryRetrieveLevel: 'GALAXY' }), 0xa900)
  t.is(await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', StudyDate: 'yesterday' }), 0xa900)
  t.is(await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.*' }), 0xa900)
  // (0008,0052), of which 4 GiB are claimed.
  t.is((await statusOf(t, scu, Buffer.from('0800520055 4e0000 ffffffff'.replaceAll(' ', ''), 'hex'))) >> 12, 0xc)
  for (const name of NAMES) {
    for (const value of VALUES) await statusOf(t, scu, { SpecificCharacterSet: 'ISO_IR 192', QueryRetrieveLevel: 'STUDY', [name]: value })
  }
  const many = (count: number, value: (index: number) => string): string[] => Array.from({ length: count }, (_, index) => value(index))
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', PatientComments: 'x'.repeat(1_000_000) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', PatientName: '*a?'.repeat(100_000) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: many(40_000, (index) => `1.2.${index}`) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', ModalitiesInStudy: many(20_000, (index) => `M${index}`) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', StudyDescription: many(20_000, (index) => `M${index}`) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', ReferringPhysicianName: many(2000, (index) => `M${index}^x`) })
  await statusOf(t, scu, { QueryRetrieveLevel: 'STUDY', ProcedureCodeSequence: [{ CodeValue: many(20_000, (index) => `M${index}`) }] })
  t.deepEqual(archive.server.logged('error'), [])
}

async function statusOf(t: ExecutionContext, scu: TestScu, identifier: DataSet | Uint8Array): Promise<number> {
  const { status } = await find(scu, identifier)
  t.true(status === 0 || status === 0xa900 || status >> 12 === 0xc, `${status.toString(16)} ${JSON.stringify(identifier).slice(0, 200)}`)
  t.not(status, 0xc311)
  return status
}
