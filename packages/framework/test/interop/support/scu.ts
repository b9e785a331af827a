import type { ExecutionContext } from 'ava'
import { ApplicationEntity } from '@dicomtap/framework'
import type { ApplicationEntityOptions, AssociateOptions, Association } from '@dicomtap/framework'

/** Associates as `SCU` with a peer of this machine; the test's end is the association's, if it is not over by then. */
export async function associate(
  t: ExecutionContext,
  port: number,
  options: Partial<AssociateOptions>,
  aeOptions: ApplicationEntityOptions = {},
): Promise<Association> {
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent', ...aeOptions })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  return ae.associate({ host: '127.0.0.1', port, calledAeTitle: 'PEER', ...options })
}

/** All that an iterable yields. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of iterable) all.push(item)
  return all
}
