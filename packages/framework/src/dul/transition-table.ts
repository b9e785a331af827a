/** States of an upper layer association (PS3.8 9.2.1). */
export type DulState =
  | 'Sta1'
  | 'Sta2'
  | 'Sta3'
  | 'Sta4'
  | 'Sta5'
  | 'Sta6'
  | 'Sta7'
  | 'Sta8'
  | 'Sta9'
  | 'Sta10'
  | 'Sta11'
  | 'Sta12'
  | 'Sta13'

/** Events of the upper layer state machine (PS3.8 table 9-10). */
export type DulEvent =
  | 'Evt1'
  | 'Evt2'
  | 'Evt3'
  | 'Evt4'
  | 'Evt5'
  | 'Evt6'
  | 'Evt7'
  | 'Evt8'
  | 'Evt9'
  | 'Evt10'
  | 'Evt11'
  | 'Evt12'
  | 'Evt13'
  | 'Evt14'
  | 'Evt15'
  | 'Evt16'
  | 'Evt17'
  | 'Evt18'
  | 'Evt19'

/** Actions of the upper layer state machine (PS3.8 tables 9-6 to 9-9). */
export type DulAction =
  | `AE-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`
  | `DT-${1 | 2}`
  | `AR-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10}`
  | `AA-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`

/** One row of the table: the states in which an event is defined. */
export type DulTransitionRow = Readonly<Partial<Record<DulState, DulAction>>>

/** What each state waits for (PS3.8 tables 9-1 to 9-5). */
export const DUL_STATE_MEANINGS: Readonly<Record<DulState, string>> = {
  Sta1: 'Idle: no association and no transport connection',
  Sta2: 'Transport connection open, awaiting A-ASSOCIATE-RQ PDU',
  Sta3: 'Awaiting local A-ASSOCIATE response',
  Sta4: 'Awaiting transport connection to open',
  Sta5: 'Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU',
  Sta6: 'Association established, ready for data transfer',
  Sta7: 'Release requested here, awaiting A-RELEASE-RP PDU',
  Sta8: 'Release requested by the peer, awaiting local A-RELEASE response',
  Sta9: 'Release collision, requestor: awaiting local A-RELEASE response',
  Sta10: 'Release collision, acceptor: awaiting A-RELEASE-RP PDU',
  Sta11: 'Release collision, requestor: awaiting A-RELEASE-RP PDU',
  Sta12: 'Release collision, acceptor: awaiting local A-RELEASE response',
  Sta13: 'Association over, awaiting transport connection to close',
}

/** What each event is (PS3.8 table 9-10). */
export const DUL_EVENT_MEANINGS: Readonly<Record<DulEvent, string>> = {
  Evt1: 'A-ASSOCIATE request primitive',
  Evt2: 'Transport connection confirmed',
  Evt3: 'A-ASSOCIATE-AC PDU received',
  Evt4: 'A-ASSOCIATE-RJ PDU received',
  Evt5: 'Transport connection indication',
  Evt6: 'A-ASSOCIATE-RQ PDU received',
  Evt7: 'A-ASSOCIATE response primitive: accept',
  Evt8: 'A-ASSOCIATE response primitive: reject',
  Evt9: 'P-DATA request primitive',
  Evt10: 'P-DATA-TF PDU received',
  Evt11: 'A-RELEASE request primitive',
  Evt12: 'A-RELEASE-RQ PDU received',
  Evt13: 'A-RELEASE-RP PDU received',
  Evt14: 'A-RELEASE response primitive',
  Evt15: 'A-ABORT request primitive',
  Evt16: 'A-ABORT PDU received',
  Evt17: 'Transport connection closed',
  Evt18: 'ARTIM timer expired',
  Evt19: 'Unrecognized or invalid PDU received',
}

/** What each action does (PS3.8 tables 9-6 to 9-9). */
export const DUL_ACTION_MEANINGS: Readonly<Record<DulAction, string>> = {
  'AE-1': 'Open the transport connection',
  'AE-2': 'Send A-ASSOCIATE-RQ PDU',
  'AE-3': 'Issue A-ASSOCIATE confirmation: accepted',
  'AE-4': 'Issue A-ASSOCIATE confirmation: rejected; close the transport connection',
  'AE-5': 'Take the transport connection; start ARTIM',
  'AE-6': 'Stop ARTIM; issue A-ASSOCIATE indication, or send A-ASSOCIATE-RJ PDU and start ARTIM',
  'AE-7': 'Send A-ASSOCIATE-AC PDU',
  'AE-8': 'Send A-ASSOCIATE-RJ PDU; start ARTIM',
  'DT-1': 'Send P-DATA-TF PDU',
  'DT-2': 'Issue P-DATA indication',
  'AR-1': 'Send A-RELEASE-RQ PDU',
  'AR-2': 'Issue A-RELEASE indication',
  'AR-3': 'Issue A-RELEASE confirmation; close the transport connection',
  'AR-4': 'Send A-RELEASE-RP PDU; start ARTIM',
  'AR-5': 'Stop ARTIM',
  'AR-6': 'Issue P-DATA indication',
  'AR-7': 'Send P-DATA-TF PDU',
  'AR-8': 'Issue A-RELEASE indication: release collision',
  'AR-9': 'Send A-RELEASE-RP PDU',
  'AR-10': 'Issue A-RELEASE confirmation',
  'AA-1': 'Send A-ABORT PDU (service-user); start or restart ARTIM',
  'AA-2': 'Stop ARTIM; close the transport connection',
  'AA-3': 'Issue A-ABORT or A-P-ABORT indication by the source received; close the transport connection',
  'AA-4': 'Issue A-P-ABORT indication',
  'AA-5': 'Stop ARTIM',
  'AA-6': 'Ignore the PDU',
  'AA-7': 'Send A-ABORT PDU',
  'AA-8': 'Send A-ABORT PDU (service-provider); issue A-P-ABORT indication; start ARTIM',
}

/** Sta1 to Sta13, in order. */
export const DUL_STATES: readonly DulState[] = Object.keys(DUL_STATE_MEANINGS) as DulState[]
/** Evt1 to Evt19, in order. */
export const DUL_EVENTS: readonly DulEvent[] = Object.keys(DUL_EVENT_MEANINGS) as DulEvent[]
/** All 28 actions. */
export const DUL_ACTIONS: readonly DulAction[] = Object.keys(DUL_ACTION_MEANINGS) as DulAction[]

/**
 * The state after each action. Two of them depend on more than the state: AE-6 on whether the service
 * provider can take the request (first entry when it can), AR-8 on who requested the association
 * (first entry for the requestor).
 */
export const DUL_NEXT_STATES: Readonly<Record<DulAction, readonly [DulState, DulState?]>> = {
  'AE-1': ['Sta4'],
  'AE-2': ['Sta5'],
  'AE-3': ['Sta6'],
  'AE-4': ['Sta1'],
  'AE-5': ['Sta2'],
  'AE-6': ['Sta3', 'Sta13'],
  'AE-7': ['Sta6'],
  'AE-8': ['Sta13'],
  'DT-1': ['Sta6'],
  'DT-2': ['Sta6'],
  'AR-1': ['Sta7'],
  'AR-2': ['Sta8'],
  'AR-3': ['Sta1'],
  'AR-4': ['Sta13'],
  'AR-5': ['Sta1'],
  'AR-6': ['Sta7'],
  'AR-7': ['Sta8'],
  'AR-8': ['Sta9', 'Sta10'],
  'AR-9': ['Sta11'],
  'AR-10': ['Sta12'],
  'AA-1': ['Sta13'],
  'AA-2': ['Sta1'],
  'AA-3': ['Sta1'],
  'AA-4': ['Sta1'],
  'AA-5': ['Sta1'],
  'AA-6': ['Sta13'],
  'AA-7': ['Sta13'],
  'AA-8': ['Sta13'],
}

/** The states in which this side and the peer both take part in an association, or try to. */
function whileAssociated(action: DulAction): DulTransitionRow {
  return {
    Sta3: action,
    Sta5: action,
    Sta6: action,
    Sta7: action,
    Sta8: action,
    Sta9: action,
    Sta10: action,
    Sta11: action,
    Sta12: action,
  }
}

/** A PDU where the peer may not send it. Each PDU event below overrides the states that wait for it. */
const UNEXPECTED_PDU: DulTransitionRow = { Sta2: 'AA-1', ...whileAssociated('AA-8'), Sta13: 'AA-6' }

/**
 * PS3.8 table 9-10: the action for an event in a state. A cell that is absent is blank in the standard:
 * a primitive that cannot be issued in that state, or something that cannot happen.
 */
export const TRANSITION_TABLE: Readonly<Record<DulEvent, DulTransitionRow>> = {
  // Association establishment
  Evt1: { Sta1: 'AE-1' },
  Evt2: { Sta4: 'AE-2' },
  Evt3: { ...UNEXPECTED_PDU, Sta5: 'AE-3' },
  Evt4: { ...UNEXPECTED_PDU, Sta5: 'AE-4' },
  Evt5: { Sta1: 'AE-5' },
  Evt6: { ...UNEXPECTED_PDU, Sta2: 'AE-6', Sta13: 'AA-7' },
  Evt7: { Sta3: 'AE-7' },
  Evt8: { Sta3: 'AE-8' },
  // Data transfer
  Evt9: { Sta6: 'DT-1', Sta8: 'AR-7' },
  Evt10: { ...UNEXPECTED_PDU, Sta6: 'DT-2', Sta7: 'AR-6' },
  // Release
  Evt11: { Sta6: 'AR-1' },
  Evt12: { ...UNEXPECTED_PDU, Sta6: 'AR-2', Sta7: 'AR-8' },
  Evt13: { ...UNEXPECTED_PDU, Sta7: 'AR-3', Sta10: 'AR-10', Sta11: 'AR-3' },
  Evt14: { Sta8: 'AR-4', Sta9: 'AR-9', Sta12: 'AR-4' },
  // Abort, loss of the connection, invalid bytes
  Evt15: { ...whileAssociated('AA-1'), Sta4: 'AA-2' },
  Evt16: { Sta2: 'AA-2', ...whileAssociated('AA-3'), Sta13: 'AA-2' },
  Evt17: { Sta2: 'AA-5', ...whileAssociated('AA-4'), Sta4: 'AA-4', Sta13: 'AR-5' },
  Evt18: { Sta2: 'AA-2', Sta13: 'AA-2' },
  Evt19: { ...UNEXPECTED_PDU, Sta13: 'AA-7' },
}
