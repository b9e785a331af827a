/**
 * Display system management (PS3.4 EE): which displays a workstation has, how they are set up and how they passed their
 * tests.
 *
 * The one instance comes from the options, written as a data set by keyword. It is checked at the start, and not when a
 * physicist asks: for what the display system module (PS3.3 C.32.1) cannot do without, and for being a data set at all.
 *
 * Answers to N-GET: 0000; 0107 with a list of what the display system does not tell; 0112 not the well-known instance.
 */
import {
  DEFAULT_TRANSFER_SYNTAXES,
  SopClass,
  Status,
  TransferSyntax,
  WellKnownInstance,
  definePlugin,
  encodeDataSet,
  selectAttributes,
} from '@dicomtap/framework'
import { z } from 'zod'

const code = z.looseObject({ CodeValue: z.string(), CodingSchemeDesignator: z.string(), CodeMeaning: z.string() })
const displaySubsystem = z.looseObject({
  DisplaySubsystemID: z.int().min(0),
  DisplaySubsystemName: z.string(),
  DisplayDeviceTypeCodeSequence: z.array(code).length(1),
  SystemStatus: z.string(),
  DisplaySubsystemConfigurationSequence: z.array(z.looseObject({ ConfigurationID: z.int().min(0) })).min(1),
  CurrentConfigurationID: z.int().min(0),
})
const displaySystem = z
  .looseObject({ NumberOfDisplaySubsystems: z.int().min(1), DisplaySubsystemSequence: z.array(displaySubsystem) })
  .refine((system) => system.NumberOfDisplaySubsystems === system.DisplaySubsystemSequence.length, {
    message: 'must be the number of items of DisplaySubsystemSequence',
    path: ['NumberOfDisplaySubsystems'],
  })

const options = z.strictObject({ displaySystem })

export const displaySystemManagement = definePlugin({
  name: 'example-display-system',
  options,

  async apply(api, { displaySystem: attributes }) {
    const instance = { ...attributes, SOPClassUID: SopClass.DisplaySystem, SOPInstanceUID: WellKnownInstance.DisplaySystemInstance }
    await encodeDataSet(instance, TransferSyntax.ExplicitVRLittleEndian)
    api.supportSopClass({ uid: SopClass.DisplaySystem, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })

    api.hooks.nGet.tapPromise({ sopClasses: [SopClass.DisplaySystem] }, async ({ requestedSopInstanceUid, attributeIdentifierList }) => {
      if (requestedSopInstanceUid !== WellKnownInstance.DisplaySystemInstance) return Status.NoSuchSopInstance
      const { dataset, missing } = await selectAttributes(instance, attributeIdentifierList)
      return missing.length === 0 ? { status: Status.Success, dataset } : { status: Status.AttributeListError, dataset, attributeIdentifierList: missing }
    })
  },
})
