import { decodeAAssociate, encodeAAssociate } from './a-associate.ts'
import { ItemType } from './item-types.ts'
import type { AssociateLimits } from './limits.ts'
import { checkOwnContexts, checkReceivedContexts } from './presentation-context-ids.ts'
import type { PduItem, PduReader } from './reader.ts'
import type { AAssociateAc, PresentationContextAc } from './types.ts'
import { PduType } from './types.ts'
import { failMalformed, failRepeatedItem } from './violations.ts'
import type { PduWriter } from './writer.ts'

const ACCEPTANCE = 0

/** PS3.8 9.3.3 */
export function decodeAAssociateAc(fields: PduReader, limits: AssociateLimits): AAssociateAc {
  const presentationContexts: PresentationContextAc[] = []
  const shared = decodeAAssociate(fields, ItemType.PresentationContextAc, limits, (item) => {
    const context = decodePresentationContext(item)
    checkReceivedContexts(presentationContexts, context.id, limits.maximumPresentationContexts)
    presentationContexts.push(context)
  })
  return { type: 'A-ASSOCIATE-AC', ...shared, presentationContexts }
}

/** PS3.8 9.3.3. The AE titles are those of the request: reserved here, and sent as they came. */
export function encodeAAssociateAc(writer: PduWriter, pdu: AAssociateAc): void {
  checkOwnContexts(pdu.presentationContexts)
  writer.pdu(PduType.AAssociateAc, () => {
    encodeAAssociate(writer, pdu, () => {
      for (const context of pdu.presentationContexts) encodePresentationContext(writer, context)
    })
  })
}

/**
 * PS3.8 9.3.3.2: one transfer syntax, which is not significant and not tested unless the context was
 * accepted.
 */
function decodePresentationContext({ fields }: PduItem): PresentationContextAc {
  const id = fields.u8()
  fields.skip(1)
  const result = fields.u8()
  fields.skip(1)
  let transferSyntax: string | undefined
  while (fields.remaining > 0) {
    const item = fields.item()
    if (item.type !== ItemType.TransferSyntax) continue
    const length = item.fields.remaining
    if (result !== ACCEPTANCE) {
      transferSyntax ??= item.fields.untestedUid(length)
    } else {
      if (transferSyntax !== undefined) failRepeatedItem(`${item.fields.name} occurs twice`)
      transferSyntax = item.fields.uid(length)
    }
  }
  if (transferSyntax === undefined && result === ACCEPTANCE) {
    failMalformed(`Presentation context ${id} has no transfer syntax`)
  }
  return { id, result, transferSyntax: transferSyntax ?? '' }
}

/** The transfer syntax item is there whatever the result. */
function encodePresentationContext(writer: PduWriter, context: PresentationContextAc): void {
  writer.item(ItemType.PresentationContextAc, () => {
    writer.u8(context.id)
    writer.zeros(1)
    writer.u8(context.result)
    writer.zeros(1)
    writer.item(ItemType.TransferSyntax, () => writer.uid(context.transferSyntax))
  })
}
