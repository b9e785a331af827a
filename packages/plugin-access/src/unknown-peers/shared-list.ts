import type { SharedStateContext } from '@dicomtap/framework'
import { UnknownPeersKeeper } from './keeper.ts'
import { keyOf } from './list.ts'
import type { Knock } from './list.ts'

export interface SharedListOptions {
  readonly path: string
  readonly maximum: number
}

/** The list of unknown peers of all processes of a server: one of them writes the file. */
export class SharedUnknownPeers {
  readonly #keeper: UnknownPeersKeeper

  constructor(keeper: UnknownPeersKeeper) {
    this.#keeper = keeper
  }

  note(_caller: string, knock: Knock): void {
    this.#keeper.note(knock)
  }

  /** Titles and addresses of those that are in the list. */
  all(): { readonly aeTitle: string; readonly address: string }[] {
    return this.#keeper.peers.all.map(({ aeTitle, address }) => ({ aeTitle, address }))
  }

  /** They are known now. */
  forget(_caller: string, known: readonly { readonly aeTitle: string; readonly address: string }[]): void {
    const keys = new Set(known.map(keyOf))
    this.#keeper.forget((peer) => keys.has(keyOf(peer)))
  }

  dispose(): Promise<void> {
    return this.#keeper.close()
  }
}

export async function createSharedState(options: SharedListOptions, { log }: SharedStateContext): Promise<SharedUnknownPeers> {
  const keeper = new UnknownPeersKeeper({ ...options, log })
  await keeper.load()
  return new SharedUnknownPeers(keeper)
}
