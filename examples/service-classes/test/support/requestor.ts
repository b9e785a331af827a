import { ApplicationEntity } from '@dicomtap/framework'
import type { AssociateOptions, Association } from '@dicomtap/framework'
import type { TestServer } from '@dicomtap/framework/testing'
import type { ExecutionContext } from 'ava'

/** An association with the server; it is released when the test ends. */
export async function associate(t: ExecutionContext, server: TestServer, options: Partial<AssociateOptions>): Promise<Association> {
  const ae = new ApplicationEntity({ aeTitle: 'EXAMPLE-SCU', logLevel: 'silent' })
  const association = await ae.associate({ host: '127.0.0.1', port: server.port, ...options })
  t.teardown(() => association.release())
  return association
}

/** Everything that a C-FIND, C-GET or C-MOVE answered. */
export async function all<T>(responses: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const response of responses) list.push(response)
  return list
}

export function hex(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0')
}
