/** An address to read: only the port for every address, brackets around IPv6. */
export function endpoint(host: string | undefined, port: number): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return `port ${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
