import { SopClass, TransferSyntax, definePlugin } from '@dicomtap/framework'
import { encodedSample, sampleDataset } from '@dicomtap/framework/testing'

/** Matches that a C-FIND gets. */
export const MATCHES = 25
/** Instances that a C-GET gets. */
export const INSTANCES = 3

const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const GET = '1.2.840.10008.5.1.4.1.2.2.3'
const { ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian } = TransferSyntax
const SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]

/** Answers every query with the same studies, every C-GET with the same images. */
export const archive = definePlugin({
  name: 'soak-archive',
  async apply(api) {
    for (const uid of [FIND, GET]) api.supportSopClass({ uid, transferSyntaxes: SYNTAXES })
    const bytes = await encodedSample('ct', ExplicitVRLittleEndian, { rows: 64, columns: 64 })
    const { SOPInstanceUID: sopInstanceUid } = sampleDataset('ct')
    const instance = { sopClassUid: SopClass.CTImageStorage, sopInstanceUid, transferSyntaxUid: ExplicitVRLittleEndian, bytes: () => [bytes] }
    api.hooks.cFind.tapPromise({ sopClasses: [FIND] }, async ({ identifier }) => {
      await identifier.dataset()
      return studies()
    })
    api.hooks.cGet.tapPromise({ sopClasses: [GET] }, async ({ identifier }) => {
      await identifier.dataset()
      return { total: INSTANCES, instances: Array.from({ length: INSTANCES }, () => instance) }
    })
  },
})

function* studies() {
  for (let number = 1; number <= MATCHES; number++) {
    yield { QueryRetrieveLevel: 'STUDY', PatientName: `Soak^${number}`, PatientID: `SOAK${number}`, StudyInstanceUID: `1.2.3.${number}` }
  }
}
