import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { orthancVersion } from './orthanc.mjs'

// Without it DCMTK and Orthanc stall 40 ms in each message (Nagle's algorithm and delayed ACK): no figure to compare with.
export const NO_DELAY = { TCP_NODELAY: '1' }

/** The version of DCMTK's storescp; undefined when it is not installed. */
export function dcmtkVersion() {
  try {
    return /v[\d.]+/.exec(execFileSync('storescp', ['--version'], { encoding: 'utf8' }))?.[0] ?? 'unknown'
  } catch {
    return undefined
  }
}

/** The version of the npm package; undefined when it is not installed. */
export function dcmjsDimseVersion() {
  try {
    return createRequire(import.meta.url)('dcmjs-dimse/package.json').version
  } catch {
    return undefined
  }
}

/** Who there is to compare with: what it takes to get it, and its version, undefined when it is not there. */
export function findPeers() {
  return {
    dcmtk: { name: 'DCMTK', version: dcmtkVersion(), install: 'apt-get install dcmtk' },
    orthanc: { name: 'Orthanc', version: orthancVersion(), install: 'apt-get install orthanc' },
    dcmjsDimse: { name: 'dcmjs-dimse', version: dcmjsDimseVersion(), install: 'npm ci' },
  }
}
