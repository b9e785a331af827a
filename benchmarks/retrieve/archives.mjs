import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { orthancCommand } from '../bench/orthanc.mjs'
import { NO_DELAY } from '../bench/peers.mjs'

const DICOMTAP = fileURLToPath(new URL('../server.mjs', import.meta.url))
const LARGEST_PDU_OF_DCMTK = 131_072

export const DESTINATION = 'LOADSINK'

/**
 * Archives by name: `command` gives program and arguments for a port, an empty folder and the port of the destination.
 * `isCompiled`: it stores no faster after some time, but slower with each object that it has.
 */
export const ARCHIVES = {
  'dicomtap': dicomtap('close'),
  'dicomtap-fsync': dicomtap('fsync'),
  'dcmqrscp': { needsDcmtk: true, isCompiled: true, environment: NO_DELAY, calledAeTitle: 'BENCHMARK', command: dcmqrscp },
  'orthanc': orthanc(false),
  'orthanc-fsync': orthanc(true),
}

function dicomtap(durability) {
  return {
    command(port, directory, destinationPort) {
      const index = join(dirname(directory), `${basename(directory)}-index`, 'index.sqlite')
      mkdirSync(dirname(index), { recursive: true })
      const options = ['--port', String(port), '--directory', directory, '--durability', durability, '--index', index, '--destination', `${DESTINATION}:${destinationPort}`]
      return { program: process.execPath, args: [DICOMTAP, ...options] }
    },
  }
}

function orthanc(isSynced) {
  return {
    needsOrthanc: true,
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
