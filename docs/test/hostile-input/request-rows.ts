import { SopClass } from '@dicomtap/framework'
import type { CommandSet } from '@dicomtap/framework'
import {
  command,
  commandOf,
  commandWith,
  commandWithout,
  DATA_SET,
  element,
  FIND_CONTEXT_ID,
  MPPS_CONTEXT_ID,
  NO_DATA_SET,
  pData,
  us,
  withoutDataSet,
} from './bytes.js'
import type { Scenario } from './scenario.js'

/** An N-GET of a performed procedure step (PS3.7 table 10.3-3). */
const N_GET: CommandSet = {
  commandField: 0x0110,
  requestedSopClassUid: SopClass.ModalityPerformedProcedureStep,
  requestedSopInstanceUid: '2.25.7',
  messageId: 1,
  commandDataSetType: NO_DATA_SET,
}
const FIND: CommandSet = {
  commandField: 0x0020,
  affectedSopClassUid: SopClass.StudyRootQueryRetrieveInformationModelFind,
  messageId: 1,
  priority: 0,
  commandDataSetType: 0x0001,
}
const STORED: Partial<CommandSet> = { affectedSopInstanceUid: '2.25.1' }
const CANCEL = (messageId: number, id?: number): Buffer => commandOf({ commandField: 0x0fff, messageIdBeingRespondedTo: messageId, commandDataSetType: NO_DATA_SET }, id)
const IDENTIFIER = pData(FIND_CONTEXT_ID, 2, Buffer.alloc(0))

/** Requests that are answered; the association goes on. */
export const REQUESTS: Readonly<Record<string, Scenario>> = {
  'a request without a mandatory element': { next: [commandWithout(0x1000), DATA_SET] },
  'a request without a Priority': { next: [commandWithout(0x0700), DATA_SET] },
  'a Priority of a value that PS3.7 does not have': { next: [command({ ...STORED, priority: 99 }), DATA_SET] },
  // Without Command Data Set Type no data set is waited for.
  'a request without a Command Data Set Type': { next: [commandWithout(0x0800)] },
  'a C-STORE without a data set': { next: [withoutDataSet({})] },
  'a C-FIND without an identifier': { next: [commandOf({ ...FIND, commandDataSetType: NO_DATA_SET }, FIND_CONTEXT_ID)] },
  'an identifier that cannot be decoded': { next: [commandOf(FIND, FIND_CONTEXT_ID), pData(FIND_CONTEXT_ID, 2, Buffer.from('no data set'))] },
  'an identifier longer than `limits.maximumIdentifierBytes`': { options: { limits: { maximumIdentifierBytes: 8 } }, next: [commandOf(FIND, FIND_CONTEXT_ID), pData(FIND_CONTEXT_ID, 2, Buffer.alloc(10))] },
  'an identifier with sequences nested 20 000 deep': {
    // (0040,A730) SQ and an item in it, both of undefined length, again and again.
    next: [commandOf(FIND, FIND_CONTEXT_ID), ...Array.from({ length: 20 }, (_, index) => pData(FIND_CONTEXT_ID, index === 19 ? 2 : 0, Buffer.alloc(16_000, Buffer.from('400030a7fffffffffeff00e0ffffffff', 'hex'))))],
  },
  'a Command Data Set Type of any other value than 0101': { next: [command({ ...STORED, commandDataSetType: 0xfefe }), DATA_SET] },
  'an N-GET with a data set': { next: [commandOf({ ...N_GET, commandDataSetType: 1 }, MPPS_CONTEXT_ID), pData(MPPS_CONTEXT_ID, 2, Buffer.alloc(0))] },
  'an N-GET without an instance': { next: [commandWithout(0x1001, N_GET, MPPS_CONTEXT_ID)] },
  'a command field that is no request': { next: [withoutDataSet({ commandField: 0x0555 })] },
  // The first request is answered too, when the second one has arrived.
  'a Message ID that is in use': { next: [command({ affectedSopInstanceUid: '2.25.9' }), DATA_SET, command(), DATA_SET], skip: 1 },
  'requests before the answer to the one before, without a window for them': { next: [command(STORED), DATA_SET, command({ ...STORED, messageId: 2 }), DATA_SET], skip: 1 },
  'Message ID 0': { next: [command({ ...STORED, messageId: 0 }), DATA_SET] },
  'a SOP Instance UID that is no UID': { next: [command({ affectedSopInstanceUid: '../../etc/passwd' }), DATA_SET] },
  'a SOP Instance UID of more than 64 characters': { next: [command({ affectedSopInstanceUid: `1.${'2'.repeat(63)}` }), DATA_SET] },
  'a SOP Instance UID that is empty': { next: [commandWith(element(0x1000, '')), DATA_SET] },
  'a C service for another SOP class than its context\'s': { next: [command({ affectedSopClassUid: SopClass.MRImageStorage }), DATA_SET] },
  'an N service for a SOP class of another service': { next: [commandOf({ ...N_GET, requestedSopClassUid: SopClass.BasicFilmSession }, MPPS_CONTEXT_ID)] },
  'a C service on the context of an N service': { next: [command({}, MPPS_CONTEXT_ID), pData(MPPS_CONTEXT_ID, 2, Buffer.alloc(0))] },
  'a request for which no plugin answers': { next: [command({ affectedSopInstanceUid: '2.25.8' }), DATA_SET] },
  'an N service for which no plugin answers': { next: [commandOf(N_GET, MPPS_CONTEXT_ID)] },
  'a C-CANCEL of a C-FIND': { next: [commandOf(FIND, FIND_CONTEXT_ID), IDENTIFIER, CANCEL(1, FIND_CONTEXT_ID)] },
  'a C-CANCEL of a C-FIND, on another context': { next: [commandOf(FIND, FIND_CONTEXT_ID), IDENTIFIER, CANCEL(1)] },
  'a C-CANCEL for an operation that does not exist': { next: [CANCEL(99)], isIgnored: true },
  'a C-CANCEL of a C-STORE': { next: [command({ affectedSopInstanceUid: '2.25.9' }), DATA_SET, CANCEL(1)] },
  'a C-CANCEL without the ID of a message': { next: [commandOf(Buffer.concat([element(0x0100, us(0x0fff)), element(0x0800, us(NO_DATA_SET))]))], isIgnored: true },
}
