import { unwatchFile, watchFile } from 'node:fs'
import type { Logger } from '@dicomtap/framework'
import type { HostNames } from './host-names.ts'
import { readPeersFile } from './peers-file/read.ts'
import type { PeersFile } from './peers-file/types.ts'
import { compilePolicy } from './policy/compile.ts'
import type { Policy, PolicySettings } from './policy/compile.ts'

export interface PolicySourceOptions {
  readonly path: string
  readonly settings: PolicySettings
  readonly hostNames: Pick<HostNames, 'use'>
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly watchMs: number | null
  /** Told of each policy that takes the place of another. */
  readonly changed: (policy: Policy) => void
}

const NO_PEERS: PeersFile = { peers: [], rules: [] }

/** The policy that holds now: of the peers file as it is, or as it last could be used. */
export class PolicySource {
  readonly #options: PolicySourceOptions
  #policy: Policy | undefined
  #text: string | undefined
  #isMissing = true
  /** What is in the file now is not what holds. */
  #isBehind = false
  #reloading: Promise<void> = Promise.resolve()
  #stop: (() => void) | undefined

  constructor(options: PolicySourceOptions) {
    this.#options = options
  }

  get current(): Policy {
    if (this.#policy === undefined) throw new Error('The peers file was not loaded')
    return this.#policy
  }

  /** There is no peers file: it is as an empty one. */
  get isMissing(): boolean {
    return this.#isMissing
  }

  /** @throws PeersFileError */
  async load(): Promise<Policy> {
    const read = await readPeersFile(this.#options.path)
    this.#isMissing = read === undefined
    this.#text = read?.text
    this.#policy = compilePolicy(read?.file ?? NO_PEERS, this.#options.settings)
    return this.#policy
  }

  /** Looks for changes every while: unlike notifications that sees renamed files, changed links and network shares. */
  watch(): void {
    const { path, watchMs } = this.#options
    if (watchMs === null || this.#stop !== undefined) return
    const changed = (): void => {
      void this.reload()
    }
    watchFile(path, { interval: watchMs, persistent: false }, changed)
    this.#stop = () => {
      unwatchFile(path, changed)
    }
  }

  unwatch(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Reads the file again. One that cannot be used is logged, and what held before holds. Never rejects. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload())
    return this.#reloading
  }

  async #reload(): Promise<void> {
    const { path, settings, hostNames, log, changed } = this.#options
    try {
      const read = await readPeersFile(path)
      if (read === undefined) {
        // Editors and deployments take a file away for a moment.
        if (!this.#isMissing) {
          this.#isBehind = true
          log.error('the peers file is gone; what it held still holds', { file: path })
        }
        return
      }
      if (read.text === this.#text) {
        if (this.#isBehind) log.info('the peers file is as it was', { file: path })
        this.#isBehind = false
        return
      }
      const policy = compilePolicy(read.file, settings)
      // Names first, so that nobody is refused for a name that is only being looked up.
      await hostNames.use(new Set([...this.current.hostNames, ...policy.hostNames]))
      void hostNames.use(policy.hostNames)
      this.#text = read.text
      this.#isMissing = false
      this.#isBehind = false
      this.#policy = policy
      changed(policy)
      log.info('the peers file was read again', { file: path, peers: policy.peers.length, rules: policy.rules.length })
    } catch (error) {
      this.#isBehind = true
      for (const reason of (error as Error).message.split('\n')) {
        log.error('the peers file changed and cannot be used; what it held before still holds', { reason })
      }
    }
  }
}
