import { decodeAAssociate, encodeAAssociate } from './a-associate.ts'
import { ItemType } from './item-types.ts'
import type { AssociateLimits } from './limits.ts'
import { checkOwnContexts, checkReceivedContexts } from './presentation-context-ids.ts'
import type { PduItem, PduReader } from './reader.ts'
import type { AAssociateRq, PresentationContextRq } from './types.ts'
import { PduType } from './types.ts'
import { failMalformed, failRepeatedItem } from './violations.ts'
import type { PduWriter } from './writer.ts'

/** PS3.8 9.3.2 */
export function decodeAAssociateRq(fields: PduReader, limits: AssociateLimits): AAssociateRq {
  const presentationContexts: PresentationContextRq[] = []
  const shared = decodeAAssociate(fields, ItemType.PresentationContextRq, limits, (item) => {
    const context = decodePresentationContext(item)
    checkReceivedContexts(presentationContexts, context.id, limits.maximumPresentationContexts)
    presentationContexts.push(context)
  })
  return { type: 'A-ASSOCIATE-RQ', ...shared, presentationContexts }
}

/** PS3.8 9.3.2 */
export function encodeAAssociateRq(writer: PduWriter, pdu: AAssociateRq): void {
  checkOwnContexts(pdu.presentationContexts)
  writer.pdu(PduType.AAssociateRq, () => {
    encodeAAssociate(writer, pdu, () => {
      for (const context of pdu.presentationContexts) encodePresentationContext(writer, context)
    })
  })
}

/** PS3.8 9.3.2.2: one abstract syntax, one or more transfer syntaxes. */
function decodePresentationContext({ fields }: PduItem): PresentationContextRq {
  const id = fields.u8()
  fields.skip(3)
  let abstractSyntax: string | undefined
  const transferSyntaxes: string[] = []
  while (fields.remaining > 0) {
    const item = fields.item()
    if (item.type === ItemType.AbstractSyntax) {
      if (abstractSyntax !== undefined) failRepeatedItem(`${item.fields.name} occurs twice`)
      abstractSyntax = item.fields.uid(item.fields.remaining)
    } else if (item.type === ItemType.TransferSyntax) {
      transferSyntaxes.push(item.fields.uid(item.fields.remaining))
    }
  }
  if (abstractSyntax === undefined) failMalformed(`Presentation context ${id} has no abstract syntax`)
  if (transferSyntaxes.length === 0) failMalformed(`Presentation context ${id} has no transfer syntax`)
  return { id, abstractSyntax, transferSyntaxes }
}

function encodePresentationContext(writer: PduWriter, context: PresentationContextRq): void {
  writer.item(ItemType.PresentationContextRq, () => {
    writer.u8(context.id)
    writer.zeros(3)
    writer.item(ItemType.AbstractSyntax, () => writer.uid(context.abstractSyntax))
    for (const uid of context.transferSyntaxes) writer.item(ItemType.TransferSyntax, () => writer.uid(uid))
  })
}
