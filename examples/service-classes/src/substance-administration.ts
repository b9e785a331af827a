/**
 * Substance administration (PS3.4 V): what is in the package whose bar code was scanned, and may this patient have it?
 * Products and decisions come from the options, written as data sets by keyword.
 *
 * Product Characteristics Query finds a product by its package identifier. Substance Approval Query finds a decision
 * (APPROVED, WARNING or CONTRA_INDICATED) by patient or admission, package identifier and route. No match is an answer
 * too: nobody decided. That something was given is logged by another service class (PS3.4 P), with N-ACTION.
 *
 * Answers: FF00, FF01 when a key is not supported, 0000, FE00; A900 when a key that must be there is not, or is a
 * pattern.
 */
import { DEFAULT_TRANSFER_SYNTAXES, ProductCharacteristics, QueryStatus, SubstanceApproval, definePlugin } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { z } from 'zod'
import { itemsOf, loadMatching, supportedKeys, textsOf } from './shared/matching.ts'
import type { SupportedKeys } from './shared/matching.ts'

const Tag = {
  PatientId: 0x0010_0020,
  AdmissionId: 0x0038_0010,
  ProductPackageIdentifier: 0x0044_0001,
  AdministrationRouteCodeSequence: 0x0054_0302,
} as const

const CODE: SupportedKeys = { CodeValue: true, CodingSchemeDesignator: true, CodingSchemeVersion: true, CodeMeaning: true }

/** PS3.4 table V.6-1 */
const PRODUCT_KEYS: SupportedKeys = {
  ProductPackageIdentifier: true,
  Manufacturer: true,
  ProductName: true,
  ProductDescription: true,
  ProductTypeCodeSequence: CODE,
  ProductLotIdentifier: true,
  ProductExpirationDateTime: true,
}

/** PS3.4 table V.6-2 */
const APPROVAL_KEYS: SupportedKeys = {
  PatientName: true,
  PatientID: true,
  IssuerOfPatientID: true,
  PatientBirthDate: true,
  PatientSex: true,
  AdmissionID: true,
  ProductPackageIdentifier: true,
  AdministrationRouteCodeSequence: CODE,
  SubstanceAdministrationApproval: true,
  ApprovalStatusFurtherDescription: true,
  ApprovalStatusDateTime: true,
}

const options = z.strictObject({
  products: z.array(z.looseObject({ ProductPackageIdentifier: z.string() })).default([]),
  approvals: z
    .array(
      z.looseObject({
        ProductPackageIdentifier: z.string(),
        SubstanceAdministrationApproval: z.enum(['APPROVED', 'WARNING', 'CONTRA_INDICATED']),
      }),
    )
    .default([]),
})

export const substanceAdministration = definePlugin({
  name: 'example-substance-administration',
  options,

  apply(api, { products, approvals }) {
    for (const { Find } of [ProductCharacteristics, SubstanceApproval]) {
      api.supportSopClass({ uid: Find, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })
    }

    api.hooks.cFind.tapPromise({ sopClasses: [ProductCharacteristics.Find] }, async ({ identifier }) => {
      const query = await identifier.dataset()
      return isSingleValue(query['ProductPackageIdentifier'])
        ? matchesOf(query, PRODUCT_KEYS, products)
        : mismatch(Tag.ProductPackageIdentifier)
    })

    api.hooks.cFind.tapPromise({ sopClasses: [SubstanceApproval.Find] }, async ({ identifier }) => {
      const query = await identifier.dataset()
      const { PatientID, AdmissionID, ProductPackageIdentifier, AdministrationRouteCodeSequence } = query
      if (!isSingleValue(PatientID) && !isSingleValue(AdmissionID)) return mismatch(Tag.PatientId, Tag.AdmissionId)
      if (!isSingleValue(ProductPackageIdentifier)) return mismatch(Tag.ProductPackageIdentifier)
      if (!isSingleValue(itemsOf(AdministrationRouteCodeSequence)[0]?.['CodeValue'])) return mismatch(Tag.AdministrationRouteCodeSequence)
      return matchesOf(query, APPROVAL_KEYS, approvals)
    })
  },
})

async function matchesOf(query: DataSet, supported: SupportedKeys, entities: readonly DataSet[]) {
  const { keys, isAll } = supportedKeys(query, supported)
  const matching = await loadMatching()
  const status = isAll ? QueryStatus.Pending : QueryStatus.PendingOptionalKeysNotSupported
  return entities
    .filter((entity) => matching.matches(keys, entity))
    .map((entity) => ({ identifier: matching.response(keys, entity), status }))
}

function isSingleValue(key: unknown): boolean {
  const values = textsOf(key)
  return values.length === 1 && !/[*?]/.test(values[0] ?? '')
}

function mismatch(...offendingElements: number[]): { status: number; offendingElements: number[] } {
  return { status: QueryStatus.IdentifierMismatch, offendingElements }
}
