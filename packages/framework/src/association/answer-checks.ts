import { Duplex } from 'node:stream'
import { checkedIdentityAnswer, checkedItems, checkedRoles, checkedWindow } from '../acse/answers.ts'
import { isRejection } from '../acse/rejections.ts'
import {
  checkedDestination,
  checkedDetails,
  checkedIdentifier,
  checkedInstances,
  checkedMatch,
  checkedMatches,
  checkedStatus,
  fieldsOf,
  wrongAnswer,
} from '../dimse/answers.ts'
import type { AnswerCheck } from '../hooks/guard-context.ts'
import type { InterventionHookName, TransformHookName, UserIdentityAnswer } from '../hooks/types.ts'
import { checkedConnection } from './incoming.ts'
import { checkedSettings } from './settings.ts'

/** How the answer of each hook that has one is looked at, while it is known whose it is. */
export const ANSWER_CHECKS: Readonly<Record<InterventionHookName | TransformHookName | 'responseStatus', AnswerCheck>> = {
  associationRequest: checkedRejection,
  authorization: checkedRejection,
  userIdentity: (answer) => ({ ...checkedIdentityAnswer(answer as UserIdentityAnswer) }),
  asyncOperations: (answer) => checkedWindow(answer as never),
  roleSelection: (answer) => checkedRoles(answer as never).map((role) => ({ ...role })),
  sopClassExtended: (answer) => checkedItems('sopClassExtended', 0x56, answer as never).map((item) => ({ ...item })),
  sopClassCommonExtended: (answer) => checkedItems('sopClassCommonExtended', 0x57, answer as never).map((item) => ({ ...item })),
  outgoingConnection: checkedSocket,
  associationAnswer: (answer) => {
    if (typeof answer === 'string') return answer
    throw wrongAnswer('a text that says why the answer is not good enough')
  },
  cEcho: checkedStatus,
  cStore: checkedStatus,
  cFind: checkedMatches,
  cGet: checkedInstances,
  cMove: checkedInstances,
  moveDestination: checkedDestination,
  nEventReport: checkedStatus,
  nGet: checkedStatus,
  nSet: checkedStatus,
  nAction: checkedStatus,
  nCreate: checkedStatus,
  nDelete: checkedStatus,
  incomingConnection: (answer) => checkedConnection(fieldsOf(answer, 'a connection: socket, addresses and ports') as never),
  associationSettings: (answer) => checkedSettings(fieldsOf(answer, 'the settings to go by') as never),
  acceptedContexts: checkedContexts,
  listenerOptions: (answer) => {
    const { port } = fieldsOf(answer, 'the options to listen with')
    if (port === undefined || (Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 0xffff)) return { ...(answer as object) }
    throw wrongAnswer('the options to listen with; port is a number of 0 to 65535')
  },
  outgoingAssociation: checkedProposal,
  findIdentifier: checkedIdentifier,
  findMatch: checkedMatch,
  responseStatus: checkedDetails,
}

function checkedRejection(answer: unknown): unknown {
  if (!isRejection(answer)) throw wrongAnswer('a rejection of PS3.8 table 9-21: { result, source, reason }')
  const { result, source, reason, why } = answer
  return typeof why === 'string' ? { result, source, reason, why } : { result, source, reason }
}

function checkedSocket(answer: unknown): unknown {
  if (answer instanceof Duplex) return answer
  throw wrongAnswer('a socket: a net.Socket, a tls.TLSSocket or another Duplex')
}

/** What is in them besides is not asked for: contexts can only be taken away, or have their roles changed. */
function checkedContexts(answer: unknown): unknown {
  const must = 'the contexts to accept, each with id, asScu and asScp'
  if (!Array.isArray(answer)) throw wrongAnswer(must)
  return answer.map((context: unknown) => {
    const { id, asScu, asScp } = fieldsOf(context, must)
    if (typeof id !== 'number' || typeof asScu !== 'boolean' || typeof asScp !== 'boolean') throw wrongAnswer(must)
    return { ...(context as object) }
  })
}

/** The values are checked when the request is made of them. */
function checkedProposal(answer: unknown): unknown {
  const must = 'the options to connect with: host, port, titles, contexts'
  const { host, port, calledAeTitle, callingAeTitle, contexts } = fieldsOf(answer, must)
  const isFit = [host, calledAeTitle, callingAeTitle].every((text) => typeof text === 'string') && typeof port === 'number' && Array.isArray(contexts)
  if (!isFit) throw wrongAnswer(must)
  return { ...(answer as object) }
}
