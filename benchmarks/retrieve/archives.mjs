import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { orthancCommand } from '../bench/orthanc.mjs'
import { NO_DELAY } from '../bench/peers.mjs'
import { FORMS } from '../bench/published.mjs'
import { commandLine, SERVERS } from '../bench/servers.mjs'

const LARGEST_PDU_OF_DCMTK = 131_072

export const DESTINATION = 'LOADSINK'

/**
 * Archives by name: `command` gives program and arguments for a port, an empty folder and the port of the destination;
 * `needs` a peer that must be installed. `isCompiled`: it stores no faster after some time, but slower with each object
 * that it has. `storesOnly`: it has no index, and shows what one costs.
 */
export const ARCHIVES = {
  'dicomtap': dicomtap({ durability: 'close' }),
  'dicomtap-workers': dicomtap({ durability: 'close', workers: 2 }),
  'dicomtap-fsync': dicomtap({ durability: 'fsync' }),
  'dicomtap-workers-fsync': dicomtap({ durability: 'fsync', workers: 2 }),
  'dcmqrscp': { needs: 'dcmtk', isCompiled: true, environment: NO_DELAY, calledAeTitle: 'BENCHMARK', command: dcmqrscp },
  'orthanc': orthanc(false),
  'orthanc-fsync': orthanc(true),
  'storage': storesOnly('dicomtap'),
  'storage-fsync': storesOnly('dicomtap-fsync'),
  'storescp+B-128k': storesOnly('storescp+B-128k'),
  'c-sink-file': storesOnly('c-sink-file'),
  'c-sink-file-fsync': storesOnly('c-sink-file-fsync'),
  'c-sink-file-safe': storesOnly('c-sink-file-safe'),
}

/** Measured when nothing else is asked for: whoever has an index. */
export const USUAL = Object.keys(ARCHIVES).filter((name) => ARCHIVES[name].storesOnly !== true)

function dicomtap(options) {
  return {
    command(port, directory, destinationPort) {
      const index = join(dirname(directory), `${basename(directory)}-index`, 'index.sqlite')
      const plugins = [
        { use: '@dicomtap/plugin-query-retrieve', options: { database: { sqlite: index } } },
        { use: `./${addressBook(port, destinationPort)}` },
      ]
      return commandLine({ port, directory, plugins, ...options })
    },
  }
}

/** A plugin with one entry, beside the config file. */
function addressBook(ownPort, port) {
  const name = `destination-${ownPort}.mjs`
  mkdirSync(FORMS.published.configs, { recursive: true })
  writeFileSync(join(FORMS.published.configs, name), `import { definePlugin } from '@dicomtap/framework'

export default definePlugin({
  name: 'destination',
  apply(api) {
    const destination = { host: '127.0.0.1', port: ${port} }
    api.hooks.moveDestination.tapPromise(async (title) => (title === '${DESTINATION}' ? destination : undefined))
  },
})
`)
  return name
}

function storesOnly(name) {
  const { needs, environment, command } = SERVERS[name]
  return { needs, environment, command: (port, directory) => command(port, directory), isCompiled: needs !== undefined, storesOnly: true }
}

function orthanc(isSynced) {
  return {
    needs: 'orthanc',
    environment: NO_DELAY,
    command: (port, directory, destinationPort) => orthancCommand(port, directory, { isSynced, destination: { aeTitle: DESTINATION, port: destinationPort } }),
  }
}

/** Stores as received into one folder, and keeps its index there, too. */
function dcmqrscp(port, directory, destinationPort) {
  const storage = join(directory, 'storage')
  const config = join(directory, 'dcmqrscp.cfg')
  mkdirSync(storage, { recursive: true })
  writeFileSync(config, [
    `NetworkTCPPort = ${port}`,
    `MaxPDUSize = ${LARGEST_PDU_OF_DCMTK}`,
    'MaxAssociations = 16',
    'HostTable BEGIN',
    `destination = (${DESTINATION}, 127.0.0.1, ${destinationPort})`,
    'HostTable END',
    'VendorTable BEGIN',
    'VendorTable END',
    'AETable BEGIN',
    `BENCHMARK ${storage} RW (100, 100gb) ANY`,
    'AETable END',
    '',
  ].join('\n'))
  return { program: 'dcmqrscp', args: ['+B', '-c', config] }
}
