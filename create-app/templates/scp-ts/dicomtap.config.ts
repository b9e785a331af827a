import { defineConfig } from '@dicomtap/framework'
// @if peers
import { access } from '@dicomtap/plugin-access'
// @end
import { logging } from '@dicomtap/plugin-logging'
// @if query
import { queryRetrieve } from '@dicomtap/plugin-query-retrieve'
// @end
// @if storage
import { storage } from '@dicomtap/plugin-storage'
// @end
// @if tls
import { tls } from '@dicomtap/plugin-tls'
// @end
// @if verification
import { verification } from '@dicomtap/plugin-verification'
// @end

// The whole server. "{{check}}" shows what it comes to, all defaults filled in.
export default defineConfig({
  // The title that peers address: 1 to 16 characters.
  aeTitle: {{aeTitleTs}},

  // One entry per port. A listener can have a title, time-outs and limits of its own.
  // @if plainOnly
  listen: [{ port: {{port}} }],
  // @end
  // @if both
  listen: [{ port: {{port}} }, { port: {{tlsPort}}, tls: { cert: './pki/server.pem', key: './pki/server.key', ca: './pki/ca.pem' } }],
  // @end
  // @if tlsOnly
  listen: [{ port: {{tlsPort}}, tls: { cert: './pki/server.pem', key: './pki/server.key', ca: './pki/ca.pem' } }],
  // @end
  // @if unguarded

  // Who may connect. Without a list, anyone may: keep the port inside your network.
  // requireCallingAeTitles: ['CT01', 'WORKSTATION'],
  // requireCalledAeTitle: true,
  // @end

  // Time-outs in milliseconds, null for none.
  // timeouts: { acseMs: 30_000, dimseMs: 30_000, networkMs: 60_000 },

  // limits: { maximumAssociations: 100 },

  // Everything the server does is done by plugins. "{{plugins}}" lists them, "{{hooks}}" shows who acts where.
  plugins: [
    // Readable log lines on stderr. { format: 'json' } for a log collector.
    logging(),
    // @if tls

    // Peers must show a certificate of the authority in ca. { listener: { clientCertificates: 'none' } } for encryption alone.
    tls(),
    // @end
    // @if deny

    // Who may associate, from where and for what. The path is relative to this file.
    access({ peers: './peers.yaml' }),
    // @end
    // @if addressBook

    // Where C-MOVE sends to. Without the default nobody may associate whom the file does not name.
    access({ peers: './peers.yaml', default: 'allow' }),
    // @end
    // @if verification

    // Answers C-ECHO.
    verification(),
    // @end
    // @if storage

    // Receives images with C-STORE. The folder is relative to this file.
    storage({
      directory: './data',
      // path: '{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm',
    }),
    // @end
    // @if query

    // Answers C-FIND, C-MOVE and C-GET for what is stored. The index can be made anew at any time: dicomtap index rebuild
    queryRetrieve({ database: { sqlite: './index/index.sqlite' } }),
    // @end
  ],
})
