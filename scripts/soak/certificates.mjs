// A CA, a server and a client of it: paths of PEM files in a folder of their own.
import { Pki } from '../../packages/plugin-tls/dist-test/support/pki.js'

export async function makeCertificates() {
  const pki = await Pki.make()
  const server = await pki.server()
  const client = await pki.issue('client', 'GOOD')
  return {
    server: { cert: server.cert, key: server.key, ca: pki.ca },
    client: { cert: client.cert, key: client.key, ca: pki.ca },
    remove: () => pki[Symbol.asyncDispose](),
  }
}
