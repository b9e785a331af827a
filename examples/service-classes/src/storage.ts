/**
 * Storage (PS3.4 B): sorts what arrives into one folder per modality, byte by byte as it was sent.
 *
 * What no folder is configured for goes to a quarantine folder: it is stored, so the sender gets success, and a
 * person decides. Objects of patients whose ID is known to be wrong are corrected on the way in, which is the one
 * case where an object is decoded and encoded again, and the one where the answer is the warning B000.
 *
 * Answers: 0000; B000 coerced; A700 no room; A900 the data set is not of the SOP class or instance that the request
 * names; C000 it is no data set; 0117 the instance UID is none.
 *
 * Not for production: nothing here looks after files that a crash left behind, or after the folder's entries being
 * on the disk. `@dicomtap/plugin-storage` does.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ALL_TRANSFER_SYNTAXES,
  DataSetHeadParser,
  IMPLEMENTATION_CLASS_UID,
  Status,
  StatusError,
  StorageStatus,
  decodeDataSet,
  decodePart10Header,
  definePlugin,
  encodeDataSet,
  encodePart10Header,
  isValidUid,
  storageSopClasses,
} from '@dicomtap/framework'
import type { CStoreRequest, IncomingDataSet } from '@dicomtap/framework'
import { z } from 'zod'

const SOP_CLASS_UID = 0x0008_0016
const SOP_INSTANCE_UID = 0x0008_0018
const MODALITY = 0x0008_0060
const PATIENT_ID = 0x0010_0020
const HEAD = [SOP_CLASS_UID, SOP_INSTANCE_UID, MODALITY, PATIENT_ID]

const folder = z.string().regex(/^[A-Za-z0-9_-]+$/, { error: 'must be a plain folder name' })

const options = z.strictObject({
  directory: z.string().describe('Where the folders are made; relative to the config file'),
  folders: z.record(z.string(), folder).default({}).describe('Folder by Modality (0008,0060)'),
  quarantine: folder.default('quarantine').describe('Folder for every other modality, and for none'),
  correctPatientIds: z.record(z.string(), z.string()).default({}).describe('Right Patient ID by the wrong one'),
  maximumCorrectedBytes: z.int().min(1).default(256 * 1024 ** 2).describe('Largest object that is corrected, which takes several times its size in memory'),
  maximumBytes: z.int().min(1).default(10 * 1024 ** 3).describe('How much is stored before the answer is A700'),
})

export const storage = definePlugin({
  name: 'example-storage',
  options,

  apply(api, { directory, folders, quarantine, correctPatientIds, maximumCorrectedBytes, maximumBytes }) {
    const root = api.resolvePath(directory)
    const incoming = join(root, '.incoming')
    let storedBytes = 0

    for (const { uid } of storageSopClasses()) api.supportSopClass({ uid, transferSyntaxes: ALL_TRANSFER_SYNTAXES })

    api.hooks.ready.tapPromise(async () => {
      for (const name of [incoming, ...[quarantine, ...Object.values(folders)].map((each) => join(root, each))]) {
        await mkdir(name, { recursive: true })
      }
    })

    api.hooks.cStore.tapPromise(async (request, operation) => {
      const { affectedSopInstanceUid } = request
      // It becomes the name of a file.
      if (!isValidUid(affectedSopInstanceUid)) return Status.InvalidObjectInstance

      const temporary = join(incoming, randomUUID())
      try {
        const head = await receive(request, temporary, operation.association.callingAeTitle)
        const isSame = head.text(SOP_CLASS_UID) === request.affectedSopClassUid && head.text(SOP_INSTANCE_UID) === affectedSopInstanceUid
        if (head.isMalformed) return { status: StorageStatus.CannotUnderstand, errorComment: 'Not a data set' }
        if (!isSame) return { status: StorageStatus.DataSetMismatch, offendingElements: [SOP_CLASS_UID, SOP_INSTANCE_UID] }

        const wrong = head.text(PATIENT_ID) ?? ''
        const right = Object.hasOwn(correctPatientIds, wrong) ? correctPatientIds[wrong] : undefined
        if (right !== undefined && request.dataSet.receivedBytes > maximumCorrectedBytes) {
          return { status: StorageStatus.OutOfResources, errorComment: 'Too large to be corrected' }
        }
        if (right !== undefined) await correctPatientId(temporary, right, api.config.aeTitle)

        const modality = head.text(MODALITY) ?? ''
        const name = (Object.hasOwn(folders, modality) ? folders[modality] : undefined) ?? quarantine
        await rename(temporary, join(root, name, `${affectedSopInstanceUid}.dcm`))
        storedBytes += request.dataSet.receivedBytes
        if (name === quarantine) api.log.warn('quarantined', { association: operation.association.id, modality })
        return right === undefined ? Status.Success : { status: StorageStatus.ElementsCoerced, offendingElements: [PATIENT_ID] }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return StorageStatus.OutOfResources
        throw error
      } finally {
        await rm(temporary, { force: true })
      }
    })

    /** Writes the object to a file as its bytes arrive; nothing of it is held in memory. */
    async function receive({ dataSet, ...request }: CStoreRequest, path: string, sender: string): Promise<DataSetHeadParser> {
      const { transferSyntaxUid } = dataSet
      const head = new DataSetHeadParser(transferSyntaxUid, HEAD)
      const file = await open(path, 'wx')
      try {
        await file.writeFile(
          encodePart10Header({
            sopClassUid: request.affectedSopClassUid,
            sopInstanceUid: request.affectedSopInstanceUid,
            transferSyntaxUid,
            implementationClassUid: IMPLEMENTATION_CLASS_UID,
            sendingApplicationEntityTitle: sender,
          }),
        )
        await writeFile(file, watched(dataSet, head))
        // Success means that it is safe: on the disk before the answer is.
        await file.sync()
      } finally {
        await file.close()
      }
      head.end()
      return head
    }

    async function* watched(dataSet: IncomingDataSet, head: DataSetHeadParser): AsyncGenerator<Uint8Array> {
      for await (const fragment of dataSet.bytes()) {
        if (storedBytes + dataSet.receivedBytes > maximumBytes) throw new StatusError(StorageStatus.OutOfResources, { errorComment: 'No room' })
        head.push(fragment)
        yield fragment
      }
    }
  },
})

/** Coercion (PS3.4 B.4.1.3): what was there before goes into the Original Attributes Sequence (PS3.3 C.12.1.1.9). */
async function correctPatientId(path: string, patientId: string, aeTitle: string): Promise<void> {
  const file = await readFile(path)
  const { meta, dataSetOffset } = decodePart10Header(file)
  const transferSyntaxUid = meta.transferSyntaxUid as string
  const dataset = await decodeDataSet(file.subarray(dataSetOffset), transferSyntaxUid)
  const earlier = (dataset['OriginalAttributesSequence'] as unknown[] | null | undefined) ?? []
  const corrected = {
    ...dataset,
    PatientID: patientId,
    OriginalAttributesSequence: [
      ...earlier,
      {
        SourceOfPreviousValues: null,
        AttributeModificationDateTime: new Date().toISOString().replace(/\D/g, '').slice(0, 14) + '+0000',
        ModifyingSystem: aeTitle,
        ReasonForTheAttributeModification: 'CORRECT',
        ModifiedAttributesSequence: [{ PatientID: dataset['PatientID'] }],
      },
    ],
  }
  const encoded = await encodeDataSet(corrected, transferSyntaxUid)
  const replacement = await open(path, 'w')
  try {
    await replacement.writeFile(file.subarray(0, dataSetOffset))
    await replacement.writeFile(encoded)
    await replacement.sync()
  } finally {
    await replacement.close()
  }
}
