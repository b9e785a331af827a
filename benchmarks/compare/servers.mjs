import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { orthancCommand } from './orthanc.mjs'

const CONFIG_FOLDER = fileURLToPath(new URL('../data/config', import.meta.url))
const DICOMTAP = fileURLToPath(new URL('../server.mjs', import.meta.url))
// Without it DCMTK stalls 40 ms in each message (Nagle's algorithm and delayed ACK): no figure to compare with.
export const NO_DELAY = { TCP_NODELAY: '1' }

/**
 * What can be compared, by name. `command` gives program and arguments for a port and an empty folder;
 * `isSerial` serves one association at a time; `isStartOnly` differs from another in its start alone.
 */
export const SERVERS = {
  'dicomtap': { command: (port, directory) => dicomtap(port, '--directory', directory, '--durability', 'close') },
  'dicomtap-fsync': { command: (port, directory) => dicomtap(port, '--directory', directory, '--durability', 'fsync') },
  'dicomtap-discard': { command: (port) => dicomtap(port, '--discard') },
  'dicomtap-index': { command: (port, directory) => withIndex(port, directory, 'close') },
  'dicomtap-index-fsync': { command: (port, directory) => withIndex(port, directory, 'fsync') },
  'dicomtap-cli': { command: commandLine, isStartOnly: true },
  'storescp': storescp({ isSerial: true }),
  'storescp-ignore': storescp({ isSerial: true, options: ['--ignore'] }),
  'storescp+B-128k': storescp({ isSerial: true, options: ['+B', '-pdu', '131072'] }),
  'storescp-fork': storescp({ options: ['--fork'] }),
  'storescp-fork+B-128k': storescp({ options: ['--fork', '+B', '-pdu', '131072'] }),
  'orthanc': orthanc(false),
  'orthanc-fsync': orthanc(true),
}

export const DEFAULT_SERVERS = [
  'dicomtap', 'dicomtap-fsync', 'dicomtap-discard', 'dicomtap-cli',
  'storescp', 'storescp+B-128k', 'storescp-fork', 'storescp-fork+B-128k',
]

/** The version of DCMTK's storescp; undefined when it is not installed. */
export function dcmtkVersion() {
  try {
    return /v[\d.]+/.exec(execFileSync('storescp', ['--version'], { encoding: 'utf8' }))?.[0] ?? 'unknown'
  } catch {
    return undefined
  }
}

function dicomtap(port, ...options) {
  return { program: process.execPath, args: [DICOMTAP, '--port', String(port), ...options] }
}

/** As `dicomtap`, and each instance is in an index, on SQLite, before it is acknowledged. */
function withIndex(port, directory, durability) {
  const index = join(directory, '..', `${basename(directory)}-index`, 'index.sqlite')
  mkdirSync(dirname(index), { recursive: true })
  return dicomtap(port, '--directory', directory, '--durability', durability, '--index', index)
}

function orthanc(isSynced) {
  return { needsOrthanc: true, environment: NO_DELAY, command: (port, directory) => orthancCommand(port, directory, { isSynced }) }
}

function storescp({ options = [], isSerial = false }) {
  return {
    needsDcmtk: true,
    isSerial,
    environment: NO_DELAY,
    command: (port, directory) => ({ program: 'storescp', args: [...options, '-od', directory, String(port)] }),
  }
}

/** As an operator starts it: the command, a YAML file, plugins by name, a log. */
function commandLine(port, directory) {
  // Plugins are looked up from the file's folder, so it stands in this package wherever the data go.
  mkdirSync(CONFIG_FOLDER, { recursive: true })
  const config = join(CONFIG_FOLDER, 'dicomtap.config.yaml')
  writeFileSync(config, [
    'aeTitle: BENCHMARK',
    `listen: [{ port: ${port}, host: 127.0.0.1 }]`,
    'plugins:',
    '  - "@dicomtap/plugin-logging"',
    '  - "@dicomtap/plugin-verification"',
    '  - use: "@dicomtap/plugin-storage"',
    `    options: { directory: ${JSON.stringify(directory)} }`,
    '',
  ].join('\n'))
  const cli = join(dirname(fileURLToPath(import.meta.resolve('@dicomtap/cli/package.json'))), 'bin', 'dicomtap.js')
  return { program: process.execPath, args: [cli, 'start', '--config', config] }
}
