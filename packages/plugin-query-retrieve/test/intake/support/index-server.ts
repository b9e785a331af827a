// A process of its own, to be killed: stores and indexes below the folder of its argument, and says its port.
import { ApplicationEntity } from '@dicomtap/framework'
import { queryRetrieve } from '@dicomtap/plugin-query-retrieve'
import { storage } from '@dicomtap/plugin-storage'

const [folder = '', durability = 'close', duplicates = 'keep', postgres = ''] = process.argv.slice(2)
const ae = new ApplicationEntity({ aeTitle: 'ARCHIVE', logLevel: 'silent' })
await ae.use(
  storage({ directory: `${folder}/data`, path: '{StudyInstanceUID}/{SOPInstanceUID}.dcm', durability: durability as 'close', duplicates: duplicates as 'keep', minimumFreeSpace: null }),
  queryRetrieve({ database: postgres === '' ? { sqlite: `${folder}/index.sqlite` } : { postgres: { url: postgres } } }),
)
const server = await ae.listen({ port: 0, host: '127.0.0.1' })
process.send?.(server.port)
