import { defineConfig } from '@dicomtap/framework'
import { logging } from '@dicomtap/plugin-logging'
// @if storage
import { storage } from '@dicomtap/plugin-storage'
// @end
// @if verification
import { verification } from '@dicomtap/plugin-verification'
// @end

// The whole server. "{{check}}" shows what it comes to, all defaults filled in.
export default defineConfig({
  // The title that peers address: 1 to 16 characters.
  aeTitle: {{aeTitleTs}},

  // One entry per port. A listener can have a title, time-outs and limits of its own.
  listen: [{ port: {{port}} }],

  // Who may connect. Without a list, anyone may: keep the port inside your network.
  // requireCallingAeTitles: ['CT01', 'WORKSTATION'],
  // requireCalledAeTitle: true,

  // Time-outs in milliseconds, null for none.
  // timeouts: { acseMs: 30_000, dimseMs: 30_000, networkMs: 60_000 },

  // limits: { maximumAssociations: 100 },

  // Everything the server does is done by plugins. "{{plugins}}" lists them, "{{hooks}}" shows who acts where.
  plugins: [
    // Readable log lines on stderr. { format: 'json' } for a log collector.
    logging(),
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
  ],
})
