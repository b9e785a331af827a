import { basename } from 'node:path'
import type { ResolvedConfig } from '@dicomtap/framework'
import { endpoint } from './output/endpoint.ts'
import { painter } from './output/terminal.ts'

export interface Ready {
  readonly servers: readonly { readonly aeTitle: string; readonly host: string; readonly port: number }[]
  readonly plugins: number
  /** Processes, when there are several. */
  readonly workers?: number
}

/** The line on stdout that says that peers can reach the server. */
export function readyLine({ servers, plugins, workers }: Ready, config: ResolvedConfig, file: string): string {
  const paint = painter(process.stdout)
  const places = servers.map(({ aeTitle, host, port }, index) => {
    const { tls = false } = config.listen[index] ?? {}
    return `${aeTitle} on ${endpoint(host, port)}${tls === false ? '' : ' with TLS'}`
  })
  const processes = workers === undefined ? '' : `${workers} workers, `
  const details = `${processes}${plugins} ${plugins === 1 ? 'plugin' : 'plugins'}, ${basename(file)}, ${Math.round(process.uptime() * 1000)} ms`
  return `${paint('green', 'ready')} ${paint('bold', places.join(', '))} (${details})`
}
