import type { AcceptedContext } from '../acse/types.ts'
import type { DataSet } from '../dataset/types.ts'
import type { DimseServiceProvider } from '../dimse/provider.ts'
import { cEcho } from '../dimse/user/c-echo.ts'
import { cStore } from '../dimse/user/c-store.ts'
import { badRequest, checkUnsignedShort } from '../dimse/user/checks.ts'
import { Lane } from '../dimse/user/lane.ts'
import { nAction, nCreate, nDelete, nEventReport, nGet, nSet } from '../dimse/user/n-services.ts'
import { cFind, cGet, cMove } from '../dimse/user/queries.ts'
import type {
  CFindResponse,
  CMoveOptions,
  CStoreOptions,
  CStoreResponse,
  CStoreSource,
  DimseResponse,
  NActionOptions,
  NCreateOptions,
  NDeleteOptions,
  NEventReportOptions,
  NGetOptions,
  NResponse,
  NSetOptions,
  QueryOptions,
  RequestOptions,
  RetrieveResponse,
} from '../dimse/user-types.ts'
import { DicomtapError } from '../errors/index.ts'
import { Bindable } from '../hooks/bindable.ts'

/** Heads of C-STORE sources read at once: more would only hold more files open. */
const HEADS_AT_ONCE = 8

/**
 * The DIMSE service user of an association (PS3.7): the requests that this side may send, in either role.
 *
 * Any number of requests may be made at once. As many are outstanding as the negotiated asynchronous
 * operations window allows, by default one; the others are sent in order as responses come
 * (`limits.maximumInvokedOperations` bounds an unlimited window).
 *
 * A response with a failure status is a response: look at `status` or `category`. These are errors, and
 * every method has them:
 *
 * - DICOMTAP_ERR_ACSE_STATE: the association is not established
 * - DICOMTAP_ERR_ACSE_CONTEXT: no presentation context was accepted for the SOP class, with this side in the
 *   role that the service takes
 * - DICOMTAP_ERR_DIMSE_REQUEST: an argument is not allowed
 * - DICOMTAP_ERR_DS_ENCODE: a data set cannot be encoded; nothing was sent
 * - DICOMTAP_ERR_DIMSE_CANCELLED: `signal` was aborted before anything was sent
 * - DICOMTAP_ERR_DIMSE_TIMEOUT: no response within `timeouts.dimseMs`; each Pending response begins the wait
 *   anew, and so does what the peer sends for a C-GET. The association is aborted
 * - DICOMTAP_ERR_DIMSE_RESPONSE: the response is not one that the standard allows, or its data set cannot be
 *   decoded (`cause`). The association is aborted
 * - DICOMTAP_ERR_DS_TOO_LARGE: responses came without end while nobody read them. The association is aborted
 * - DICOMTAP_ERR_DIMSE_TRUNCATED: the source of a data set failed after part of it was sent (`cause`). The
 *   association is aborted
 * - DICOMTAP_ERR_ACSE_ABORTED, DICOMTAP_ERR_ACSE_RELEASED, DICOMTAP_ERR_NET_CLOSED: the association ended
 *   before the response
 */
export abstract class DimseServiceUser extends Bindable {
  abstract readonly isEstablished: boolean
  abstract readonly state: string
  abstract readonly endReason: string | undefined
  abstract readonly acceptedContexts: readonly AcceptedContext[]
  /** Undefined before the association is established. */
  protected abstract readonly dimse: DimseServiceProvider | undefined
  #heads: Lane | undefined

  /**
   * C-ECHO: is the peer there, and does it answer (PS3.7 9.1.5, PS3.4 annex A)?
   *
   * @example
   * const { status } = await association.cEcho() // 0x0000
   */
  async cEcho(options: RequestOptions = {}): Promise<DimseResponse> {
    return cEcho(this.#established(), options)
  }

  /**
   * C-STORE: sends a composite instance (PS3.7 9.1.1, PS3.4 annex B), by the path of its file, from memory or
   * from a stream. What is sent is what the source has, byte by byte, on the presentation context of its
   * transfer syntax; with `convert` also on one of another uncompressed little endian transfer syntax. A
   * DataSet is encoded. A deflated data set of odd length is sent with the NUL that it lacks (PS3.5 A.5).
   *
   * Data sets are read when their turn comes, so that thousands of calls at once hold a few files open. A
   * source that fails before its first bytes were sent fails its call alone.
   *
   * @throws DICOMTAP_ERR_DIMSE_REQUEST when the source cannot be read or is no DICOM object, or lacks a SOP
   *   Class, SOP Instance or Transfer Syntax UID that `options` do not give either; DICOMTAP_ERR_ACSE_CONTEXT also
   *   when its class was accepted in other transfer syntaxes alone; DICOMTAP_ERR_DS_MALFORMED when it cannot be
   *   converted
   * @example
   * const { category, label, errorComment } = await association.cStore('./image.dcm')
   * if (category === 'failure') console.error(label, errorComment)
   */
  async cStore(source: CStoreSource, options: CStoreOptions = {}): Promise<CStoreResponse> {
    return cStore(this.#established(), (this.#heads ??= new Lane(HEADS_AT_ONCE)), source, options)
  }

  /**
   * C-FIND: the matches of an identifier (PS3.7 9.1.2, PS3.4 annex C, K and others). The request goes out at
   * once. Each response is yielded: Pending ones with a match in `identifier`, the final one last. To leave
   * the loop sends C-CANCEL and drops the rest; `signal` sends C-CANCEL and goes on to the final response.
   *
   * Some responses that are not taken yet wait in memory, at most 64 or `limits.receiveBufferBytes`; with
   * more nothing is read from the association, its other messages and its end included. When other
   * requests wait for the peer, it is read on, and the responses wait in memory, within bounds.
   *
   * A failure does not throw: it is the final response, as a success without matches is.
   *
   * @throws DICOMTAP_ERR_ACSE_STATE, DICOMTAP_ERR_ACSE_CONTEXT, DICOMTAP_ERR_DIMSE_REQUEST and
   *   DICOMTAP_ERR_DIMSE_CANCELLED at the call, what comes later at `next`
   * @example
   * const query = { QueryRetrieveLevel: 'STUDY', PatientID: '4711', StudyInstanceUID: '' }
   * for await (const { identifier, category, label } of association.cFind(query, { model: StudyRoot.Find })) {
   *   if (identifier !== undefined) console.log(identifier.StudyInstanceUID)
   *   if (category === 'failure') throw new Error(label)
   * }
   */
  cFind(identifier: DataSet | Uint8Array, options: QueryOptions): AsyncGenerator<CFindResponse, void, undefined> {
    return cFind(this.#established(), identifier, options)
  }

  /**
   * C-GET: has instances sent over this association (PS3.7 9.1.3, PS3.4 C.4.3). They arrive at the `cStore`
   * hook, on presentation contexts that were proposed with the role of SCP for this side. Responses as of
   * {@link cFind}; they tell how many were sent. Read them: with many of them unread no more instances come.
   * Instances that no handler takes are answered with 0122, and count as failed.
   *
   * @throws as {@link cFind}
   * @example
   * const contexts = [
   *   ...presentationContextsFor([StudyRoot.Get]),
   *   ...presentationContextsFor([SopClass.CTImageStorage], { roles: { scu: false, scp: true } }),
   * ]
   * await using association = await ae.associate({ host: 'pacs', port: 104, contexts })
   * association.bind('cStore', async ({ dataSet }) => (await save(dataSet), 0x0000))
   * const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: uid }
   * for await (const { category, failedSopInstanceUids } of association.cGet(identifier, { model: StudyRoot.Get })) {
   *   if (category === 'warning') console.warn(failedSopInstanceUids)
   * }
   */
  cGet(identifier: DataSet | Uint8Array, options: QueryOptions): AsyncGenerator<RetrieveResponse, void, undefined> {
    return cGet(this.#established(), identifier, options)
  }

  /**
   * C-MOVE: has instances sent to another AE (PS3.7 9.1.4, PS3.4 C.4.2), which the peer must know by its
   * title. Responses as of {@link cFind}; they tell how many were sent. Some peers send none before the final
   * one: then that must come within `timeouts.dimseMs`, which `associate` takes for this association alone.
   *
   * @throws as {@link cFind}
   * @example
   * const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: uid }
   * const options = { model: StudyRoot.Move, destination: 'ARCHIVE' }
   * for await (const { status, numberOfRemainingSuboperations } of association.cMove(identifier, options)) ...
   */
  cMove(identifier: DataSet | Uint8Array, options: CMoveOptions): AsyncGenerator<RetrieveResponse, void, undefined> {
    return cMove(this.#established(), identifier, options)
  }

  /**
   * C-CANCEL: asks the peer to end a C-FIND, C-GET or C-MOVE (PS3.7 9.3.2.3), whose responses go on until the
   * final one. `signal`, or to leave the loop, does the same without a message ID. Nothing answers it, and
   * it does not wait for the window.
   *
   * @param messageId of the request, as its responses tell in `command.messageIdBeingRespondedTo`
   * @param presentationContextId needed only for a request that did not come from this association's methods
   * @throws DICOMTAP_ERR_DIMSE_REQUEST when no such request is outstanding and no context is given
   */
  cCancel(messageId: number, presentationContextId?: number): void {
    const dimse = this.#established()
    checkUnsignedShort(messageId, 'messageId')
    const context = presentationContextId === undefined ? undefined : dimse.contexts.get(presentationContextId)
    if (presentationContextId !== undefined && context === undefined) {
      throw new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', `Presentation context ${presentationContextId} was not accepted`)
    }
    if (!dimse.invocations.cancelById(messageId, context)) throw badRequest(`No request with message ID ${messageId} is outstanding`)
  }

  /**
   * N-EVENT-REPORT: tells the peer what happened to an instance (PS3.7 10.1.1). The SCP of the SOP class sends
   * it, so this side must have that role: as acceptor it has unless other roles were agreed, as requestor it
   * proposes `roles: { scu: false, scp: true }` for the context.
   *
   * @example
   * await association.nEventReport({
   *   affectedSopClassUid: SopClass.StorageCommitmentPushModel,
   *   affectedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance,
   *   eventTypeId: 1,
   *   eventInformation: { TransactionUID: uid, ReferencedSOPSequence: [...] },
   * })
   */
  async nEventReport(options: NEventReportOptions): Promise<NResponse> {
    return nEventReport(this.#established(), options)
  }

  /**
   * N-GET: attributes of an instance (PS3.7 10.1.2), all of them or those that are listed.
   *
   * @example
   * const { dataset } = await association.nGet({
   *   requestedSopClassUid: SopClass.Printer,
   *   requestedSopInstanceUid: WellKnownInstance.PrinterInstance,
   *   attributeIdentifierList: ['PrinterStatus', 0x21100020],
   *   metaSopClassUid: SopClass.BasicGrayscalePrintManagementMeta,
   * })
   */
  async nGet(options: NGetOptions): Promise<NResponse> {
    return nGet(this.#established(), options)
  }

  /**
   * N-SET: changes attributes of an instance (PS3.7 10.1.3).
   *
   * @example
   * await association.nSet({
   *   requestedSopClassUid: SopClass.ModalityPerformedProcedureStep,
   *   requestedSopInstanceUid: uid,
   *   modificationList: { PerformedProcedureStepStatus: 'COMPLETED' },
   * })
   */
  async nSet(options: NSetOptions): Promise<NResponse> {
    return nSet(this.#established(), options)
  }

  /**
   * N-ACTION: has the peer do something with an instance (PS3.7 10.1.4).
   *
   * @example
   * await association.nAction({
   *   requestedSopClassUid: SopClass.StorageCommitmentPushModel,
   *   requestedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance,
   *   actionTypeId: 1,
   *   actionInformation: { TransactionUID: uid, ReferencedSOPSequence: [...] },
   * })
   */
  async nAction(options: NActionOptions): Promise<NResponse> {
    return nAction(this.#established(), options)
  }

  /**
   * N-CREATE: has the peer make an instance (PS3.7 10.1.5). Without `affectedSopInstanceUid` the peer names it,
   * and its answer tells the name.
   *
   * @example
   * const { affectedSopInstanceUid } = await association.nCreate({
   *   affectedSopClassUid: SopClass.BasicFilmSession,
   *   metaSopClassUid: SopClass.BasicGrayscalePrintManagementMeta,
   *   attributeList: { NumberOfCopies: 1 },
   * })
   */
  async nCreate(options: NCreateOptions): Promise<NResponse> {
    return nCreate(this.#established(), options)
  }

  /**
   * N-DELETE: has the peer delete an instance (PS3.7 10.1.6).
   *
   * @example
   * await association.nDelete({ requestedSopClassUid: SopClass.BasicFilmSession, requestedSopInstanceUid: uid })
   */
  async nDelete(options: NDeleteOptions): Promise<DimseResponse> {
    return nDelete(this.#established(), options)
  }

  #established(): DimseServiceProvider {
    if (this.isEstablished && this.dimse !== undefined) return this.dimse
    const why = this.endReason === undefined ? '' : `: ${this.endReason}`
    throw new DicomtapError('DICOMTAP_ERR_ACSE_STATE', `Requests need an association that is established, this one is ${this.state}${why}`)
  }
}
