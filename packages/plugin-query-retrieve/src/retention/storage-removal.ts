// What of plugin-storage retention relies on: a method of its service, no code.

export interface RemovalResult {
  readonly removed: number
  readonly removedBytes: number
  /** Files that were gone already. */
  readonly missing: number
  readonly unremoved: readonly {
    readonly relativePath: string
    readonly why: 'path' | 'in-use' | 'newer' | 'handler' | 'system'
    readonly code?: string | undefined
  }[]
}

export interface StorageRemoval {
  remove(
    relativePaths: readonly string[],
    options: {
      readonly reason: string
      readonly writtenBeforeMs?: number | undefined
      readonly withVersions?: boolean | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<RemovalResult>
}
