/**
 * Instance availability notification (PS3.4 R): an archive tells a workflow manager which instances of a study it has,
 * and how quickly they can be had.
 *
 * The latest word on an instance counts, per AE that it can be retrieved from. Others read it through the service
 * `example-instance-availability.instances`.
 *
 * Answers to N-CREATE: 0000; 0105 attributes beyond table R.3.2-1, which the standard forbids; 0106 no such availability;
 * 0111 that notification was there already; 0120, 0121 what the table asks for is missing.
 */
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Status, createUid, definePlugin } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { attributeError, requireAttributes } from './shared/attributes.ts'
import { attributesOf, keepLatest } from './shared/bounds.ts'
import { itemsOf } from './shared/matching.ts'

/** What is remembered; the oldest go first. */
const MAXIMUM_NOTIFICATIONS = 10_000
const MAXIMUM_INSTANCES = 100_000

const SOP_CLASS = SopClass.InstanceAvailabilityNotification
const AVAILABILITIES: ReadonlySet<unknown> = new Set(['ONLINE', 'NEARLINE', 'OFFLINE', 'UNAVAILABLE'])
/** Those of table R.3.2-1; no patient, no procedure. */
const ALLOWED: ReadonlySet<string> = new Set([
  'SpecificCharacterSet',
  'ReferencedPerformedProcedureStepSequence',
  'StudyInstanceUID',
  'ReferencedSeriesSequence',
])
const OF_INSTANCE = ['ReferencedSOPClassUID', 'ReferencedSOPInstanceUID', 'InstanceAvailability', 'RetrieveAETitle']

export interface InstanceAvailability {
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly sopInstanceUid: string
  readonly availability: string
  readonly retrieveAeTitle: string
}
declare module '@dicomtap/framework' {
  interface PluginServices {
    'example-instance-availability.instances': { of(studyInstanceUid: string): readonly InstanceAvailability[] }
  }
}

export const instanceAvailability = definePlugin({
  name: 'example-instance-availability',

  apply(api) {
    const notifications = new Set<string>()
    /** By AE title and SOP Instance UID. */
    const instances = new Map<string, InstanceAvailability>()
    api.supportSopClass({ uid: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nCreate.tapPromise({ sopClasses: [SOP_CLASS] }, async ({ affectedSopInstanceUid: uid = createUid(), attributeList }) => {
      const notification = await attributesOf(attributeList)
      const named = await instancesOf(notification)
      if (notifications.has(uid)) return Status.DuplicateSopInstance
      notifications.add(uid)
      keepLatest(notifications, MAXIMUM_NOTIFICATIONS)
      for (const instance of named) instances.set(`${instance.retrieveAeTitle}\\${instance.sopInstanceUid}`, instance)
      keepLatest(instances, MAXIMUM_INSTANCES)
      return { status: Status.Success, affectedSopInstanceUid: uid }
    })

    api.provideService('example-instance-availability.instances', {
      of: (studyInstanceUid) => [...instances.values()].filter((instance) => instance.studyInstanceUid === studyInstanceUid),
    })
  },
})

/** @throws StatusError 0105, 0106, 0120, 0121 */
async function instancesOf(notification: DataSet): Promise<InstanceAvailability[]> {
  const forbidden = Object.keys(notification).filter((keyword) => !ALLOWED.has(keyword) && !keyword.startsWith('_'))
  if (forbidden.length > 0) throw await attributeError(Status.NoSuchAttribute, forbidden)
  await requireAttributes(notification, ['StudyInstanceUID', 'ReferencedSeriesSequence'], ['ReferencedPerformedProcedureStepSequence'])
  const steps = itemsOf(notification['ReferencedPerformedProcedureStepSequence'])
  for (const step of steps) await requireAttributes(step, ['ReferencedSOPClassUID', 'ReferencedSOPInstanceUID'], ['PerformedWorkitemCodeSequence'])

  const instances: InstanceAvailability[] = []
  for (const series of itemsOf(notification['ReferencedSeriesSequence'])) {
    await requireAttributes(series, ['SeriesInstanceUID', 'ReferencedSOPSequence'])
    for (const item of itemsOf(series['ReferencedSOPSequence'])) {
      await requireAttributes(item, OF_INSTANCE)
      if (!AVAILABILITIES.has(item['InstanceAvailability'])) throw await attributeError(Status.InvalidAttributeValue, ['InstanceAvailability'])
      instances.push({
        studyInstanceUid: String(notification['StudyInstanceUID']),
        seriesInstanceUid: String(series['SeriesInstanceUID']),
        sopInstanceUid: String(item['ReferencedSOPInstanceUID']),
        availability: String(item['InstanceAvailability']),
        retrieveAeTitle: String(item['RetrieveAETitle']),
      })
    }
  }
  return instances
}
