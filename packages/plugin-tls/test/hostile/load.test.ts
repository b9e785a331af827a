import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { associate, secureClient, secureServer } from '../support/peers.js'
import { Pki } from '../support/pki.js'

// With DICOMTAP_HOSTILE=full in the numbers that are promised, else in smaller ones. Both sides are in this process:
// how long it takes is told, not asserted.
const isFull = process.env['DICOMTAP_HOSTILE'] === 'full'

test('500 associations with TLS and client certificates open at once: each of them answers, none is refused', async (t) => {
  t.timeout(120_000)
  const count = isFull ? 500 : 60
  await using pki = await Pki.make()
  const server = await pki.issue('server', 'ARCHIVE', { usage: 'server' })
  const client = await pki.issue('client', 'CT1', { usage: 'client' })
  const { ca } = pki
  const limits = { maximumAssociations: count, maximumPendingAssociations: count }
  await using scp = await secureServer({ cert: server.cert, key: server.key, ca, clientCertificates: 'required' }, { limits })
  const { ae } = await secureClient(t, { client: { ca, cert: client.cert, key: client.key, checkServerName: false } })
  const started = performance.now()
  const associations = await Promise.all(Array.from({ length: count }, () => associate(ae, scp.port)))
  const associated = performance.now()
  t.is(scp.ae.activeAssociations.length, count)
  t.true(scp.ae.activeAssociations.every(({ security }) => security?.isAuthorized === true))
  const statuses = await Promise.all(associations.map(async (association) => (await association.cEcho()).status))
  t.deepEqual(statuses, Array.from({ length: count }, () => 0))
  t.log(`${count} associations with TLS in ${Math.round(associated - started)} ms, their C-ECHOs in ${Math.round(performance.now() - associated)} ms`)
  await Promise.all(associations.map((association) => association.release()))
  while (scp.server.connections > 0) await delay(5)
  t.deepEqual(scp.logged('warn'), [])
})
