import test from 'ava'
import { accessServer, outcome } from './support/server.js'

test('who is in the peers file is let in, and nobody else', async (t) => {
  const server = await accessServer(t, 'peers:\n  - aeTitle: CT1\n    host: 127.0.0.1\n  - aeTitle: CT2\n    host: 10.0.0.0/8\n')
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted')
  t.is(await outcome(server, { callingAeTitle: 'CT9' }), '1,1,3')
  t.is(await outcome(server, { callingAeTitle: 'CT2' }), '1,1,1')
})
