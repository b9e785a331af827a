import { createRequire } from 'node:module'
import type { AddressInfo, Server as NetServer } from 'node:net'
import type { ExecutionContext } from 'ava'
import dimse from 'dcmjs-dimse'
import type { association, Client, Dataset, requests, responses, Scp } from 'dcmjs-dimse'
import type { DataSet } from '@dicomtap/framework'

interface Log {
  setLevel(level: string): void
}
// They write every message, and what they think of data sets, to the console otherwise.
dimse.log.disableAll()
const dcmjs = createRequire(import.meta.resolve('dcmjs-dimse'))('dcmjs') as { log: Log & { getLogger(name: string): Log } }
dcmjs.log.setLevel('silent')
dcmjs.log.getLogger('validation.dcmjs').setLevel('silent')

export type Request = InstanceType<typeof requests.Request>
export type Response = InstanceType<typeof responses.Response>
type Options = NonNullable<Parameters<Client['send']>[4]>

/** One association of dcmjs-dimse's client, from the first event to the last. */
export interface Exchange {
  /** What came for each request, in order. */
  readonly responses: readonly (readonly Response[])[]
  /** The names of the client's events, in order, and what some of them told. */
  readonly events: readonly string[]
  /** As it was accepted. */
  readonly association: association.Association | undefined
}

/**
 * Sends requests one after the other over one association, and releases it.
 * @param prepare may add contexts and listeners, and keep the client for later
 */
export function exchange(port: number, all: readonly Request[], options: Options = {}, prepare: (client: Client) => void = () => {}): Promise<Exchange> {
  return new Promise((resolve) => {
    const client = new dimse.Client()
    const responses = all.map((): Response[] => [])
    const events: string[] = []
    let accepted: association.Association | undefined
    for (const [index, request] of all.entries()) {
      request.on('response', (response: Response) => responses[index]?.push(response))
      client.addRequest(request)
    }
    client.on('associationAccepted', (association: association.Association) => {
      events.push('accepted')
      accepted = association
    })
    client.on('associationRejected', ({ result, source, reason }: Record<string, number>) => {
      events.push(`rejected ${result} ${source} ${reason}`)
    })
    client.on('associationReleased', () => events.push('released'))
    client.on('networkError', (error: Error) => events.push(`error ${error.message}`))
    client.on('closed', () => resolve({ responses, events, association: accepted }))
    prepare(client)
    client.send('127.0.0.1', port, 'DCMJS', 'ARCHIVE', options)
  })
}

/** A server of dcmjs-dimse, which ends with the test; resolves with its port. */
export async function startServer(t: ExecutionContext, scp: typeof Scp): Promise<number> {
  const server = new dimse.Server(scp)
  const listening = new Promise((resolve, reject) => server.once('listening', resolve).once('networkError', reject))
  // It hands this on to Node: a port alone would be one of every interface.
  server.listen({ port: 0, host: '127.0.0.1' } as unknown as number)
  t.teardown(() => server.close())
  await listening
  return ((server as unknown as { server: NetServer }).server.address() as AddressInfo).port
}

/** The values of a data set of dcmjs-dimse, as `plain` makes them. */
export function valuesOf(dataset: Dataset | undefined): DataSet {
  return plain(dataset?.getElements() ?? {}) as DataSet
}

/**
 * Values as plain data that can be compared: without what dcmjs adds for its own use, bytes in hexadecimal,
 * whatever stands for no value as null. Without the character set as well: dcmjs writes UTF-8.
 */
export function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('hex')
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
  if (value === '' || (Array.isArray(value) && value.length === 0)) return null
  if (Array.isArray(value)) return Array.from(value, plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => !/^(_|SpecificCharacterSet$)/.test(key) && typeof inner !== 'function')
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]))
}
