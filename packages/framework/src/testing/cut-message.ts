import { encodeCommandSet } from '../dimse/command-set.ts'
import type { CommandSet } from '../dimse/command-set.ts'
import type { PDataTf, Pdv } from '../pdu/types.ts'

export interface MessageCut {
  /** Bytes of data in each PDV; default 16 378, which fills a P-DATA-TF of 16 384. */
  readonly fragmentBytes?: number
  /** PDVs in each P-DATA-TF; default 1. */
  readonly pdvsPerPdu?: number
}

/** A message as PDVs, cut as told; the command set may be bytes, right or wrong. */
export function cutMessage(
  presentationContextId: number,
  command: CommandSet | Uint8Array,
  dataSet?: Uint8Array,
  cut: MessageCut = {},
): PDataTf[] {
  const { fragmentBytes = 16_378, pdvsPerPdu = 1 } = cut
  const commandBytes = command instanceof Uint8Array ? command : encodeCommandSet(command)
  const pdvs = [
    ...pdvsOf(presentationContextId, true, commandBytes, fragmentBytes),
    ...(dataSet === undefined ? [] : pdvsOf(presentationContextId, false, dataSet, fragmentBytes)),
  ]
  const pdus: PDataTf[] = []
  for (let at = 0; at < pdvs.length; at += pdvsPerPdu) pdus.push({ type: 'P-DATA-TF', pdvs: pdvs.slice(at, at + pdvsPerPdu) })
  return pdus
}

function pdvsOf(presentationContextId: number, isCommand: boolean, bytes: Uint8Array, fragmentBytes: number): Pdv[] {
  const pdvs: Pdv[] = []
  let at = 0
  do {
    const data = bytes.subarray(at, at + fragmentBytes)
    at += fragmentBytes
    pdvs.push({ presentationContextId, isCommand, isLast: at >= bytes.length, data })
  } while (at < bytes.length)
  return pdvs
}
