import { availableParallelism } from 'node:os'
import { DEFAULT_LIMITS, DicomtapError } from '@dicomtap/framework'
import type { ResolvedConfig } from '@dicomtap/framework'

/**
 * How many processes serve.
 *
 * @param given on the command line, over the configuration.
 * @throws DICOMTAP_ERR_CFG_INVALID when there are more than connections may wait: each process has a share of these.
 */
export function workerCount(given: number | 'auto' | undefined, config: ResolvedConfig): number {
  const wanted = given ?? config.workers ?? 1
  const workers = wanted === 'auto' ? availableParallelism() : wanted
  const limits = [config.limits, ...config.listen.map((listener) => listener.limits)]
  const pending = Math.min(...limits.map((one) => one?.maximumPendingAssociations ?? DEFAULT_LIMITS.maximumPendingAssociations))
  if (workers <= pending || workers === 1) return workers
  if (wanted === 'auto') return pending
  throw new DicomtapError(
    'DICOMTAP_ERR_CFG_INVALID',
    `workers: ${workers} processes cannot share limits.maximumPendingAssociations, ${pending}: use fewer, or raise the limit`,
  )
}
