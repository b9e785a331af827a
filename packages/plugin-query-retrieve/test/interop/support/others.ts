import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, serve } from './archive.js'
import { ORTHANC } from './programs.js'

/** An archive of somebody else, which listens on 127.0.0.1 and keeps all that it has in a folder. */
export interface OtherArchive {
  readonly name: 'dcmqrscp' | 'Orthanc'
  readonly aeTitle: string
  readonly port: number
  stop(): Promise<void>
}

/** DCMTK's archive; it may hold as many studies as the corpus has. */
export async function startDcmqrscp(folder: string): Promise<OtherArchive> {
  await mkdir(join(folder, 'database'), { recursive: true })
  const port = await freePort()
  const config = join(folder, 'dcmqrscp.cfg')
  await writeFile(
    config,
    `NetworkTCPPort = ${port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
DCMQRSCP ${join(folder, 'database')} RW (1000, 1024mb) ANY
AETable END
`,
  )
  const server = await serve('dcmqrscp', ['-c', config, '-dhl', '-ll', 'fatal'], port)
  return { name: 'dcmqrscp', aeTitle: 'DCMQRSCP', port, stop: server.stop }
}

/** Orthanc without its plugins, its HTTP server and its checks of who asks. */
export async function startOrthanc(folder: string): Promise<OtherArchive> {
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const config = join(folder, 'orthanc.json')
  await writeFile(
    config,
    JSON.stringify({
      Name: 'comparison',
      StorageDirectory: join(folder, 'storage'),
      IndexDirectory: join(folder, 'index'),
      Plugins: [],
      HttpServerEnabled: false,
      DicomAet: 'ORTHANC',
      DicomPort: port,
      DicomAlwaysAllowStore: true,
      DicomAlwaysAllowFind: true,
      DicomAlwaysAllowGet: true,
      DicomAlwaysAllowMove: true,
      DicomCheckModalityHost: false,
      UnknownSopClassAccepted: true,
      SyncStorageArea: false,
      OverwriteInstances: false,
      LimitFindResults: 0,
      LimitFindInstances: 0,
    }),
  )
  const server = await serve(ORTHANC, ['--no-jobs', config], port)
  return { name: 'Orthanc', aeTitle: 'ORTHANC', port, stop: server.stop }
}
