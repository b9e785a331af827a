import { answerExtendedNegotiation, extendedNegotiationOf, TransferSyntax } from '@dicomtap/framework'
import type { Association, FindNegotiation, RetrieveNegotiation, SupportedNegotiation } from '@dicomtap/framework'
import type { PluginContext } from './context.ts'
import { MODELS } from './model/levels.ts'
import type { InformationModel, ModelName, ModelService } from './model/levels.ts'
import type { ResolvedQueryRetrieveOptions } from './options.ts'

const NOTHING_FOR_FIND: FindNegotiation = {
  relationalQueries: false,
  dateTimeMatching: false,
  fuzzySemanticMatching: false,
  timezoneQueryAdjustment: false,
  enhancedMultiFrameImageConversion: false,
  emptyValueMatching: false,
  multipleValueMatching: false,
}

const NOTHING_FOR_RETRIEVE: RetrieveNegotiation = { relationalRetrieval: false, enhancedMultiFrameImageConversion: false }

/** Of identifiers. */
const TRANSFER_SYNTAXES: readonly string[] = [
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
]

/** Supports the SOP classes of a service that the option `models` has. Gives back their models, by SOP Class UID. */
export function supportModels({ api, options }: PluginContext, service: ModelService): ReadonlyMap<string, InformationModel> {
  const models = new Map<string, InformationModel>()
  for (const name of Object.keys(options.models) as ModelName[]) {
    const uid = MODELS[name].sopClasses[service]
    if (uid === undefined || !options.models[name].includes(service)) continue
    models.set(uid, MODELS[name])
    api.supportSopClass({ uid, transferSyntaxes: TRANSFER_SYNTAXES })
  }
  return models
}

/** Answers SOP Class Extended Negotiation for the SOP classes that are served; those of others are left to others. */
export function registerExtendedNegotiation({ api, options }: PluginContext): void {
  const supported = supportedBySopClass(options)
  api.hooks.sopClassExtended.tap((proposals) => {
    const answers = proposals.flatMap((proposal) => {
      const what = supported.get(proposal.sopClassUid)
      return what === undefined ? [] : (answerExtendedNegotiation(proposal, what) ?? [])
    })
    return answers.length === 0 ? undefined : answers
  })
}

/** What is granted when it is proposed, by SOP class (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1). */
function supportedBySopClass(options: ResolvedQueryRetrieveOptions): ReadonlyMap<string, SupportedNegotiation> {
  const isRelational = options.relationalQueries !== 'never'
  const find: Partial<FindNegotiation> = {
    relationalQueries: isRelational,
    dateTimeMatching: options.dateTimeMatching,
    fuzzySemanticMatching: options.fuzzyNames,
    timezoneQueryAdjustment: options.timezoneAdjustment,
    emptyValueMatching: true,
    multipleValueMatching: true,
  }
  const retrieve: Partial<RetrieveNegotiation> = { relationalRetrieval: isRelational }
  const supported = new Map<string, SupportedNegotiation>()
  for (const name of Object.keys(options.models) as ModelName[]) {
    for (const service of options.models[name]) {
      const sopClassUid = MODELS[name].sopClasses[service]
      if (sopClassUid !== undefined) supported.set(sopClassUid, service === 'find' ? find : retrieve)
    }
  }
  return supported
}

/** What was granted on an association for queries of a SOP class: nothing, when nothing was negotiated. */
export function negotiatedFind(association: Pick<Association, 'acceptor'>, sopClassUid: string): FindNegotiation {
  const granted = extendedNegotiationOf(association.acceptor?.userInformation ?? [], sopClassUid)
  if (granted?.kind !== 'find') return NOTHING_FOR_FIND
  const { kind: _, ...find } = granted
  return find
}

/** What was granted on an association for retrievals of a SOP class: nothing, when nothing was negotiated. */
export function negotiatedRetrieve(association: Pick<Association, 'acceptor'>, sopClassUid: string): RetrieveNegotiation {
  const granted = extendedNegotiationOf(association.acceptor?.userInformation ?? [], sopClassUid)
  if (granted?.kind !== 'retrieve') return NOTHING_FOR_RETRIEVE
  const { kind: _, ...retrieve } = granted
  return retrieve
}
