import { fileURLToPath } from 'node:url'
import { FORMS } from '../bench/published.mjs'

const SCRIPT = fileURLToPath(new URL('./script.mjs', import.meta.url))
const WARM_ROUNDS = 20
const WARM_ROUNDS_WITH_DELAY = 8

/**
 * What can send, by name. `command` gives program and arguments for a port and a folder of files; `associations` are as
 * many as it makes, of which the last one counts; of an `isWarm` one its process's own figures of that last association are
 * taken, not those of the whole process.
 */
export const SENDERS = {
  /** The command, which looks at all the files before it connects. */
  'dicomtap-store': { command: commandLine },
  /** `association.cStore(path)`, two calls waiting at once; on the wire it is one after the other. */
  'script': { command: (port, directory) => script(port, directory, '--calls', '2') },
  /** The same by a program that stays. */
  'script-warm': warm(WARM_ROUNDS, '--calls', '2'),
  'script-window': { command: (port, directory) => script(port, directory, '--calls', '16', '--window', '8') },
  'script-window-warm': warm(WARM_ROUNDS_WITH_DELAY, '--calls', '16', '--window', '8'),
  'storescu': {
    needsDcmtk: true,
    // Without it DCMTK stalls 40 ms in each message: no figure to compare with.
    environment: { TCP_NODELAY: '1' },
    command: (port, directory) => ({ program: 'storescu', args: ['-xe', '+sd', '127.0.0.1', String(port), directory] }),
  },
}

function warm(rounds, ...options) {
  return { command: (port, directory) => script(port, directory, ...options, '--rounds', String(rounds)), associations: rounds, isWarm: true }
}

function script(port, directory, ...options) {
  return { program: process.execPath, args: [SCRIPT, '--port', String(port), '--directory', directory, ...options] }
}

function commandLine(port, directory, form = 'published') {
  return { program: process.execPath, args: [FORMS[form].cli, 'store', `127.0.0.1:${port}`, directory] }
}
