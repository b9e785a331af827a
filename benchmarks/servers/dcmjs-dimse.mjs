#!/usr/bin/env node
// A server with dcmjs-dimse that accepts everything and answers C-ECHO: who 500 associations at once are compared with.
import { parseArgs } from 'node:util'
import dcmjsDimse from 'dcmjs-dimse'

const { values } = parseArgs({ options: { port: { type: 'string' } } })
const { Scp, Server, constants, log, responses } = dcmjsDimse
const { PresentationContextResult, Status } = constants

log.level = 'error'

class EchoScp extends Scp {
  associationRequested(association) {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id)
      context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0])
    }
    this.sendAssociationAccept()
  }

  cEchoRequest(request, callback) {
    const response = responses.CEchoResponse.fromRequest(request)
    response.setStatus(Status.Success)
    callback(response)
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse()
  }
}

const server = new Server(EchoScp)
server.on('networkError', () => {})
server.listen(Number(values.port))
process.once('SIGTERM', () => process.exit(0))
