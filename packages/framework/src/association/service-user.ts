import type { AcceptedContext } from '../acse/types.ts'
import type { DataSet } from '../dataset/types.ts'
import type { DimseServiceProvider } from '../dimse/provider.ts'
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

/** The DIMSE service user of an association (PS3.7): the requests that this side may send, in either role. */
export abstract class DimseServiceUser extends Bindable {
  abstract readonly isEstablished: boolean
  abstract readonly acceptedContexts: readonly AcceptedContext[]
  /** Undefined before the association is established. */
  protected abstract readonly dimse: DimseServiceProvider | undefined

  async cEcho(_options?: RequestOptions): Promise<DimseResponse> {
    throw todo()
  }
  async cStore(_source: CStoreSource, _options?: CStoreOptions): Promise<CStoreResponse> {
    throw todo()
  }
  cFind(_identifier: DataSet | Uint8Array, _options: QueryOptions): AsyncGenerator<CFindResponse, void, undefined> {
    throw todo()
  }
  cGet(_identifier: DataSet | Uint8Array, _options: QueryOptions): AsyncGenerator<RetrieveResponse, void, undefined> {
    throw todo()
  }
  cMove(_identifier: DataSet | Uint8Array, _options: CMoveOptions): AsyncGenerator<RetrieveResponse, void, undefined> {
    throw todo()
  }
  async nEventReport(_options: NEventReportOptions): Promise<NResponse> {
    throw todo()
  }
  async nGet(_options: NGetOptions): Promise<NResponse> {
    throw todo()
  }
  async nSet(_options: NSetOptions): Promise<NResponse> {
    throw todo()
  }
  async nAction(_options: NActionOptions): Promise<NResponse> {
    throw todo()
  }
  async nCreate(_options: NCreateOptions): Promise<NResponse> {
    throw todo()
  }
  async nDelete(_options: NDeleteOptions): Promise<DimseResponse> {
    throw todo()
  }
}

function todo(): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_ACSE_STATE', 'Not yet')
}
