import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('./script.mjs', import.meta.url))
const WARM_ROUNDS = 20

/** Who the others are compared with. */
export const REFERENCE = 'storescu'

/**
 * What can send, by name. `command` gives program and arguments for a port and a folder of files;
 * `associations` are as many as it makes, of which the last one counts; of an `isWarm` one its process's own
 * figures of that last association are taken, not those of the whole process.
 */
export const SENDERS = {
  'dicomtap-store': { command: commandLine },
  'script-2': { command: (port, directory) => script(port, directory, '--calls', '2') },
  'script-1': { command: (port, directory) => script(port, directory, '--calls', '1') },
  'script-2-warm': {
    command: (port, directory) => script(port, directory, '--calls', '2', '--rounds', String(WARM_ROUNDS)),
    associations: WARM_ROUNDS,
    isWarm: true,
  },
  [REFERENCE]: {
    needsDcmtk: true,
    // Without it DCMTK stalls 40 ms in each message: no figure to compare with.
    environment: { TCP_NODELAY: '1' },
    command: (port, directory) => ({ program: 'storescu', args: ['-xe', '+sd', '127.0.0.1', String(port), directory] }),
  },
}

function script(port, directory, ...options) {
  return { program: process.execPath, args: [SCRIPT, '--port', String(port), '--directory', directory, ...options] }
}

function commandLine(port, directory) {
  const cli = join(dirname(fileURLToPath(import.meta.resolve('@dicomtap/cli/package.json'))), 'bin', 'dicomtap.js')
  return { program: process.execPath, args: [cli, 'store', `127.0.0.1:${port}`, directory] }
}
