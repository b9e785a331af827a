import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generator } from './generator.mjs'
import { orthancCommand } from './orthanc.mjs'
import { NO_DELAY } from './peers.mjs'
import { FORMS } from './published.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const PKI = here('../data/pki')
const MAXIMUM_ASSOCIATIONS = 1000

/**
 * What can be measured, by name. `command` gives program and arguments for a port and an empty folder, of dicomtap also for
 * one of `FORMS`; `needs` a peer that must be installed; `what` stands in the report.
 */
export const SERVERS = {
  'dicomtap': {
    what: '`dicomtap start` of the packages as they are published, with a YAML file: logging, verification and storage, `durability: close`; all else at its default, the log goes to a file',
    command: (port, directory, form) => commandLine({ port, directory, form }),
  },
  'dicomtap-workers': {
    what: 'the same with `--workers 2`',
    command: (port, directory, form) => commandLine({ port, directory, form, workers: 2 }),
  },
  'dicomtap-fsync': {
    what: 'as `dicomtap`, with `durability: fsync`, which is the default of the storage plugin',
    command: (port, directory, form) => commandLine({ port, directory, form, durability: 'fsync' }),
  },
  'dicomtap-workers-fsync': {
    what: 'the same with `--workers 2`',
    command: (port, directory, form) => commandLine({ port, directory, form, durability: 'fsync', workers: 2 }),
  },
  'dicomtap-tls': {
    what: 'as `dicomtap`, with a TLS listener of the default profile that asks for no client certificate',
    isTls: true,
    command: (port, directory, form) => commandLine({ port, directory, form, isTls: true }),
  },
  'embedded': {
    what: '`benchmarks/server.mjs`: verification and storage inside a program, `durability: close`, log level warn',
    command: (port, directory) => node('../server.mjs', port, '--directory', directory, '--durability', 'close'),
  },
  'plugins': {
    what: '`benchmarks/server.mjs --discard`: ApplicationEntity, plugin container and all hooks, with a handler for C-STORE that drops the bytes',
    command: (port) => node('../server.mjs', port, '--discard'),
  },
  'core': {
    what: '`benchmarks/servers/core.mjs`: the same upper layer and DIMSE classes, without ApplicationEntity, plugin container and tapable: the two handlers are called straight',
    command: (port) => node('../servers/core.mjs', port),
  },
  'storescp+B': storescp('`storescp +B`', '+B'),
  'storescp+B-128k': storescp('`storescp +B -pdu 131072`: streams to the file as received', '+B', '-pdu', '131072'),
  'storescp-fork+B-128k': storescp('`storescp --fork +B -pdu 131072`: a process per association', '--fork', '+B', '-pdu', '131072'),
  'storescp-tls': {
    what: '`storescp +tls ... -ic +B -pdu 131072`, with the same certificate',
    needs: 'dcmtk',
    isTls: true,
    environment: NO_DELAY,
    command: (port, directory) => {
      const { cert, key } = certificate()
      return { program: 'storescp', args: ['+tls', key, cert, '-ic', '+B', '-pdu', '131072', '-od', directory, String(port)] }
    },
  },
  'orthanc-fsync': {
    what: 'Orthanc with its index and its default `SyncStorageArea: true`',
    needs: 'orthanc',
    environment: NO_DELAY,
    command: (port, directory) => orthancCommand(port, directory, { isSynced: true }),
  },
  'dcmjs-dimse': {
    what: '`benchmarks/servers/dcmjs-dimse.mjs`: a server with dcmjs-dimse that answers C-ECHO',
    needs: 'dcmjsDimse',
    command: (port) => node('../servers/dcmjs-dimse.mjs', port),
  },
  'c-sink': {
    what: 'the sink of the load generator in C: answers, and drops the bytes',
    needs: 'c',
    command: (port) => sink(port),
  },
  'c-sink-file': {
    what: 'the same, which writes each object to a file from its read buffer: the floor',
    needs: 'c',
    command: (port, directory) => sink(port, '--directory', directory),
  },
  'c-sink-file-fsync': {
    what: 'the same, with fsync of the file before the answer',
    needs: 'c',
    command: (port, directory) => sink(port, '--directory', directory, '--fsync'),
  },
  'c-sink-file-safe': {
    what: 'the same, which syncs the file under another name, then gives it its own, and syncs the folder: whole or not there, whenever the power fails',
    needs: 'c',
    command: (port, directory) => sink(port, '--directory', directory, '--safe'),
  },
}

function node(script, port, ...options) {
  return { program: process.execPath, args: [here(script), '--port', String(port), ...options] }
}

function sink(port, ...options) {
  const { program, sink: first } = generator()
  return { program, args: [...first, '--port', String(port), '--pdu', '1048576', ...options] }
}

function storescp(what, ...options) {
  return {
    what,
    needs: 'dcmtk',
    environment: NO_DELAY,
    command: (port, directory) => ({ program: 'storescp', args: [...options, '-od', directory, String(port)] }),
  }
}

/**
 * As an operator starts it: the command, a YAML file, plugins by name, a log.
 * @param plugins `{ use, options }`: those besides logging, verification and storage
 */
export function commandLine({ port, directory, form = 'published', durability = 'close', workers, isTls = false, plugins = [] }) {
  const { cli, configs } = FORMS[form]
  // Plugins are looked up from the file's folder, so it stands beside them wherever the data go.
  mkdirSync(configs, { recursive: true })
  const config = join(configs, `dicomtap-${port}.yaml`)
  const tls = isTls ? `, tls: ${JSON.stringify({ ...certificate(), clientCertificates: 'none' })}` : ''
  writeFileSync(config, [
    'aeTitle: BENCHMARK',
    `listen: [{ port: ${port}, host: 127.0.0.1${tls} }]`,
    `limits: { maximumAssociations: ${MAXIMUM_ASSOCIATIONS}, maximumPendingAssociations: ${MAXIMUM_ASSOCIATIONS} }`,
    'plugins:',
    '  - "@dicomtap/plugin-logging"',
    ...(isTls ? ['  - "@dicomtap/plugin-tls"'] : []),
    '  - "@dicomtap/plugin-verification"',
    '  - use: "@dicomtap/plugin-storage"',
    `    options: { directory: ${JSON.stringify(directory)}, durability: ${durability} }`,
    ...plugins.flatMap(({ use, options }) => [`  - use: ${JSON.stringify(use)}`, ...(options === undefined ? [] : [`    options: ${JSON.stringify(options)}`])]),
    '',
  ].join('\n'))
  return { program: process.execPath, args: [cli, 'start', '--config', config, ...(workers === undefined ? [] : ['--workers', String(workers)])] }
}

/** A server certificate made by `dicomtap cert`, once. */
function certificate() {
  const made = { cert: join(PKI, 'server.pem'), key: join(PKI, 'server.key') }
  if (!existsSync(made.cert)) {
    mkdirSync(PKI, { recursive: true })
    for (const what of ['ca', 'server']) {
      execFileSync(process.execPath, [FORMS.clone.cli, 'cert', what, '--dir', PKI, '--force'], { cwd: here('..'), stdio: 'ignore' })
    }
  }
  return made
}
