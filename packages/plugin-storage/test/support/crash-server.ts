// A process of its own, to be killed: stores into the folder of its argument and says its port.
import { ApplicationEntity, SopClass } from '@dicomtap/framework'
import { storage } from '@dicomtap/plugin-storage'

const [directory = '', durability = 'close'] = process.argv.slice(2)
const ae = new ApplicationEntity({ logLevel: 'silent' })
ae.addSupportedContext(SopClass.Verification)
await ae.use(storage({ directory, durability: durability as 'close', minimumFreeSpace: null }))
const server = await ae.listen({ port: 0, host: '127.0.0.1' })
process.send?.(server.port)
