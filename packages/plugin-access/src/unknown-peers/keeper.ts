import type { Logger } from '@dicomtap/framework'
import { readUnknownPeers, versionOf, writeUnknownPeers } from './file.ts'
import { UnknownPeers, keyOf } from './list.ts'
import type { Knock } from './list.ts'

export interface KeeperOptions {
  readonly path: string
  readonly maximum: number
  readonly log: Pick<Logger, 'warn'>
  /** How long changes may wait to be written. Default 5 000. */
  readonly writeMs?: number
}

/**
 * The list of unknown peers and its file. The file is what the operator edits: what somebody took out of it is
 * forgotten, what another server put in is kept.
 */
export class UnknownPeersKeeper {
  readonly peers: UnknownPeers
  readonly #options: KeeperOptions
  /** Keys that were in the file when it was last read or written. */
  #inFile = new Set<string>()
  /** Of the file then. */
  #version: string | undefined
  /** Keys that knocked since. */
  #noted = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #hasFailed = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.peers = new UnknownPeers(options.maximum)
  }

  /** Never rejects: a list that cannot be read is a list that starts anew. */
  async load(): Promise<void> {
    try {
      const { path } = this.#options
      const version = await versionOf(path)
      const kept = await readUnknownPeers(path)
      this.#version = version
      for (const peer of [...kept].reverse()) this.peers.restore(peer)
      this.#inFile = new Set(kept.map(keyOf))
    } catch (error) {
      this.#options.log.warn((error as Error).message)
    }
  }

  note(knock: Knock): void {
    this.peers.note(knock)
    this.#noted.add(keyOf(knock))
    if (this.#noted.size > 2 * this.#options.maximum) this.#noted = new Set([...this.#noted].filter((key) => this.peers.keys.has(key)))
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.flush()
    }, this.#options.writeMs ?? 5_000).unref()
  }

  /** Takes out those that are known now. */
  forget(isKnown: (peer: { readonly aeTitle: string; readonly address: string }) => boolean): void {
    const known = this.peers.all.filter(isKnown)
    if (known.length === 0) return
    for (const peer of known) this.peers.delete(keyOf(peer))
    void this.flush()
  }

  /** Writes what changed. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async close(): Promise<void> {
    if (this.#timer !== undefined) await this.flush()
    await this.#writing
  }

  async #write(): Promise<void> {
    const { path, log } = this.#options
    const noted = this.#noted
    this.#noted = new Set()
    try {
      if (this.#version === undefined || (await versionOf(path)) !== this.#version) await this.#takeOver(noted)
      this.#version = await writeUnknownPeers(path, this.peers.all)
      this.#inFile = this.peers.keys
      this.#hasFailed = false
    } catch (error) {
      if (!this.#hasFailed) log.warn((error as Error).message)
      this.#hasFailed = true
    }
  }

  /** What others changed in the file. */
  async #takeOver(noted: ReadonlySet<string>): Promise<void> {
    const there = await readUnknownPeers(this.#options.path).catch(() => [])
    const keysThere = new Set(there.map(keyOf))
    for (const key of this.#inFile) if (!keysThere.has(key) && !noted.has(key)) this.peers.delete(key)
    for (const peer of there) if (!this.#inFile.has(keyOf(peer))) this.peers.restore(peer)
  }
}
