import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian has it in /usr/sbin, which is not in everybody's PATH. */
const PROGRAM = ['Orthanc', '/usr/sbin/Orthanc'].find((program) => versionOf(program) !== undefined)

/** The version of Orthanc; undefined when it is not installed. */
export function orthancVersion() {
  return PROGRAM === undefined ? undefined : versionOf(PROGRAM)
}

/**
 * Orthanc with files and index in a folder: no REST API, no plugins, no compression, a thread for each association of
 * the workloads.
 * @param isSynced whether files are synced before they are acknowledged; Orthanc's default is that they are
 * @param destination `{ aeTitle, port }` that C-MOVE may send to
 */
export function orthancCommand(port, directory, { isSynced, destination }) {
  const config = join(directory, 'orthanc.json')
  mkdirSync(directory, { recursive: true })
  writeFileSync(config, JSON.stringify({
    Name: 'BENCHMARK',
    StorageDirectory: join(directory, 'storage'),
    IndexDirectory: join(directory, 'storage'),
    StorageCompression: false,
    SyncStorageArea: isSynced,
    HttpServerEnabled: false,
    Plugins: [],
    DicomAet: 'BENCHMARK',
    DicomPort: port,
    DicomThreadsCount: 8,
    DicomAlwaysAllowFind: true,
    DicomAlwaysAllowGet: true,
    DicomAlwaysAllowMove: true,
    DicomModalities: {
      generator: ['DICOMTAP-LOAD', '127.0.0.1', 1],
      ...(destination === undefined ? {} : { destination: [destination.aeTitle, '127.0.0.1', destination.port] }),
    },
  }))
  return { program: PROGRAM, args: [config] }
}

function versionOf(program) {
  try {
    return /[\d.]+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))?.[0] ?? 'unknown'
  } catch {
    return undefined
  }
}
