/**
 * Objects without a patient (PS3.4 GG): hanging protocols (U), colour palettes (X), implant templates (BB), procedure
 * protocols (HH) and their approvals (II), inventories (JJ). One plugin serves all of them, since they differ in their
 * keys alone: what is stored can be queried, fetched with C-GET and sent to others with C-MOVE.
 *
 * There are no levels here: a query goes over all objects of the model, a retrieval names SOP instances. That is why
 * Query/Retrieve Level must not be there.
 *
 * Answers to C-STORE: 0000, A700, A900, C000; there is no coercion. To C-FIND: FF00, FF01, 0000, FE00; A900 the
 * identifier has a level. To C-GET and C-MOVE: 0000, B000, A702; A801 the destination is not configured; A900 no SOP
 * Instance UID, a pattern for one, or a level.
 *
 * It keeps everything in memory. The paging of large inventories (PS3.4 JJ) is not done.
 */
import {
  ColorPalette,
  DEFAULT_TRANSFER_SYNTAXES,
  DefinedProcedureProtocol,
  GenericImplantTemplate,
  HangingProtocol,
  ImplantAssemblyTemplate,
  ImplantTemplateGroup,
  Inventory,
  ProtocolApproval,
  QueryStatus,
  SopClass,
  Status,
  StatusError,
  definePlugin,
} from '@dicomtap/framework'
import type { DataSet, QueryRetrieveModel } from '@dicomtap/framework'
import { z } from 'zod'
import { InstanceStore } from './shared/instance-store.ts'
import { loadMatching, supportedKeys, textsOf } from './shared/matching.ts'
import type { SupportedKeys } from './shared/matching.ts'

const QUERY_RETRIEVE_LEVEL = 0x0008_0052
const SOP_INSTANCE_UID = 0x0008_0018

/** A kind of object: where it is stored, how it is asked for, and by which keys. */
interface Kind {
  readonly model: QueryRetrieveModel
  readonly storage: readonly string[]
  readonly keys: SupportedKeys
}

const CODE: SupportedKeys = { CodeValue: true, CodingSchemeDesignator: true, CodingSchemeVersion: true, CodeMeaning: true }
const REFERENCE: SupportedKeys = { ReferencedSOPClassUID: true, ReferencedSOPInstanceUID: true }
const ANY: SupportedKeys = { SOPClassUID: true, SOPInstanceUID: true, InstanceCreationDate: true, InstanceCreationTime: true }
const IMPLANT: SupportedKeys = { Manufacturer: true, ImplantName: true, ImplantSize: true, ImplantPartNumber: true, EffectiveDateTime: true }

export const KINDS = {
  hangingProtocol: {
    model: HangingProtocol,
    storage: [SopClass.HangingProtocolStorage],
    keys: {
      HangingProtocolName: true,
      HangingProtocolDescription: true,
      HangingProtocolLevel: true,
      HangingProtocolCreator: true,
      HangingProtocolCreationDateTime: true,
      HangingProtocolDefinitionSequence: {
        Modality: true,
        AnatomicRegionSequence: CODE,
        Laterality: true,
        ProcedureCodeSequence: CODE,
        ReasonForRequestedProcedureCodeSequence: CODE,
      },
      NumberOfPriorsReferenced: true,
      HangingProtocolUserIdentificationCodeSequence: CODE,
      HangingProtocolUserGroupName: true,
    },
  },
  colorPalette: {
    model: ColorPalette,
    storage: [SopClass.ColorPaletteStorage],
    keys: { ContentLabel: true, ContentDescription: true, ContentCreatorName: true },
  },
  genericImplantTemplate: {
    model: GenericImplantTemplate,
    storage: [SopClass.GenericImplantTemplateStorage],
    keys: { ...IMPLANT, ImplantTemplateVersion: true, ImplantTypeCodeSequence: CODE },
  },
  implantAssemblyTemplate: {
    model: ImplantAssemblyTemplate,
    storage: [SopClass.ImplantAssemblyTemplateStorage],
    keys: {
      ImplantAssemblyTemplateName: true,
      ImplantAssemblyTemplateIssuer: true,
      ImplantAssemblyTemplateVersion: true,
      ProcedureTypeCodeSequence: CODE,
      SurgicalTechnique: true,
    },
  },
  implantTemplateGroup: {
    model: ImplantTemplateGroup,
    storage: [SopClass.ImplantTemplateGroupStorage],
    keys: {
      ImplantTemplateGroupName: true,
      ImplantTemplateGroupDescription: true,
      ImplantTemplateGroupIssuer: true,
      ImplantTemplateGroupVersion: true,
    },
  },
  definedProcedureProtocol: {
    model: DefinedProcedureProtocol,
    storage: [SopClass.CTDefinedProcedureProtocolStorage, SopClass.XADefinedProcedureProtocolStorage],
    keys: {
      Modality: true,
      ProtocolName: true,
      Manufacturer: true,
      ManufacturerModelName: true,
      ContentCreatorName: true,
      PotentialScheduledProtocolCodeSequence: CODE,
    },
  },
  protocolApproval: {
    model: ProtocolApproval,
    storage: [SopClass.ProtocolApprovalStorage],
    keys: { ApprovalSubjectSequence: REFERENCE, ApprovalSequence: { AssertionCodeSequence: CODE, AssertionDateTime: true } },
  },
  inventory: {
    model: Inventory,
    storage: [SopClass.InventoryStorage],
    keys: { ContentDate: true, ContentTime: true, InventoryPurpose: true, InventoryLevel: true, InventoryCompletionStatus: true },
  },
} as const satisfies Record<string, Kind>

const NAMES = Object.keys(KINDS) as (keyof typeof KINDS)[]

const options = z.strictObject({
  kinds: z.array(z.enum(NAMES)).default(NAMES).describe('Kinds of objects to serve'),
  maximumBytes: z.int().min(1).default(64 * 1024 ** 2).describe('How much is kept in memory before C-STORE is answered with A700'),
  destinations: z
    .record(z.string(), z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) }))
    .default({})
    .describe('Where a C-MOVE may send to, by AE title'),
})

export const nonPatientObjects = definePlugin({
  name: 'example-non-patient-objects',
  options,

  apply(api, { kinds, maximumBytes, destinations }) {
    const store = new InstanceStore(maximumBytes)
    api.hooks.moveDestination.tap((title) => (Object.hasOwn(destinations, title) ? destinations[title] : undefined))
    for (const name of kinds) serve(KINDS[name])

    function serve({ model, storage, keys: keysOfKind }: Kind): void {
      for (const uid of Object.values(model)) api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })
      for (const uid of storage) {
        api.supportSopClass({ uid, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES, roles: { scu: true, scp: true } })
      }
      const objects = () => store.list().filter(({ sopClassUid }) => storage.includes(sopClassUid))

      api.hooks.cStore.tapPromise({ sopClasses: storage }, async (request) => {
        await store.add(request)
        return Status.Success
      })

      api.hooks.cFind.tapPromise({ sopClasses: [model.Find] }, async ({ identifier }) => {
        const query = await identifier.dataset()
        checkNoLevel(query)
        const { keys, isAll } = supportedKeys(query, { ...ANY, ...keysOfKind })
        const status = isAll ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
        const matching = await loadMatching()
        return objects()
          .filter(({ attributes }) => matching.matches(keys, attributes))
          .map(({ attributes }) => ({ identifier: matching.response(keys, attributes), status }))
      })

      const retrieve = async (identifier: Promise<DataSet>) => {
        const query = await identifier
        checkNoLevel(query)
        const uids = new Set(textsOf(query['SOPInstanceUID']))
        if (uids.size === 0 || [...uids].some((uid) => /[*?]/.test(uid))) {
          throw new StatusError(QueryStatus.IdentifierMismatch, { offendingElements: [SOP_INSTANCE_UID] })
        }
        const instances = objects().filter(({ sopInstanceUid }) => uids.has(sopInstanceUid))
        return { instances, total: instances.length }
      }
      api.hooks.cGet.tapPromise({ sopClasses: [model.Get] }, ({ identifier }) => retrieve(identifier.dataset()))
      api.hooks.cMove.tapPromise({ sopClasses: [model.Move] }, ({ identifier }) => retrieve(identifier.dataset()))
    }
  },
})

function checkNoLevel(query: DataSet): void {
  if (!('QueryRetrieveLevel' in query)) return
  throw new StatusError(QueryStatus.IdentifierMismatch, { errorComment: 'There are no levels here', offendingElements: [QUERY_RETRIEVE_LEVEL] })
}
