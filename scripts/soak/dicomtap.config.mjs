// The server that soak and association fuzz run against: plugins as a site would have them, a small archive for
// queries, time-outs short enough that what hangs shows within minutes, and a plugin that tells the parent
// process how the server is.
import { defineConfig } from '@dicomtap/framework'
import { fileURLToPath } from 'node:url'
import { access } from '@dicomtap/plugin-access'
import { asyncOperations } from '@dicomtap/plugin-async-operations'
import { logging } from '@dicomtap/plugin-logging'
import { roleSelection } from '@dicomtap/plugin-role-selection'
import { storage } from '@dicomtap/plugin-storage'
import { tls } from '@dicomtap/plugin-tls'
import { verification } from '@dicomtap/plugin-verification'
import { archive } from './archive-plugin.mjs'
import { probe } from './probe-plugin.mjs'

const work = process.env.DICOMTAP_SOAK_FOLDER
if (work === undefined) throw new Error('DICOMTAP_SOAK_FOLDER names the folder to work in')
// Who wants TLS brings the certificates: the association fuzz does without.
const certificates = process.env.DICOMTAP_SOAK_TLS === undefined ? undefined : JSON.parse(process.env.DICOMTAP_SOAK_TLS)
const plain = { port: 0, host: '127.0.0.1' }

export default defineConfig({
  aeTitle: 'SOAK',
  listen: certificates === undefined ? [plain] : [plain, { ...plain, tls: { ...certificates, handshakeMs: 5_000 } }],
  timeouts: { acseMs: 10_000, dimseMs: 10_000, networkMs: 15_000 },
  limits: { maximumAssociations: 300, maximumPendingAssociations: 150 },
  plugins: [
    logging({ level: 'info', stderr: false, file: { path: `${work}/soak.log`, maximumBytes: 20_000_000, maximumFiles: 5 } }),
    access({ peers: fileURLToPath(new URL('peers.yaml', import.meta.url)) }),
    ...(certificates === undefined ? [] : [tls()]),
    verification(),
    storage({ directory: `${work}/data`, durability: process.env.DICOMTAP_SOAK_DURABILITY ?? 'fsync', minimumFreeSpace: '2 GB' }),
    asyncOperations(),
    roleSelection(),
    archive(),
    probe(),
  ],
})
