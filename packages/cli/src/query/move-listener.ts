import { ALL_TRANSFER_SYNTAXES, ApplicationEntity, SOP_CLASSES, SopClass } from '@dicomtap/framework'
import type { Receiver } from './receive.ts'
import type { ReceiveAddress } from './register.ts'

/** The destination of a C-MOVE in this process. */
export interface MoveListener {
  readonly port: number
  /** Waits for what is still being stored, then stops listening. */
  close(deadlineMs: number): Promise<void>
}

/**
 * Listens for the server to send to: any storage SOP class, in any transfer syntax, C-ECHO too.
 *
 * @throws DICOMTAP_ERR_NET_LISTEN
 */
export async function listenForMove(
  aeTitle: string,
  { host, port }: ReceiveAddress,
  receiver: Receiver,
  isDebug: boolean,
): Promise<MoveListener> {
  const services = SOP_CLASSES.filter(({ service }) => service === 'storage' || service === 'non-patient-object')
  const ae = new ApplicationEntity({
    aeTitle,
    logLevel: isDebug ? 'debug' : 'error',
    unrestrictedStorage: true,
    contexts: [SopClass.Verification, ...services.map(({ uid }) => uid)].map((abstractSyntax) => ({
      abstractSyntax,
      transferSyntaxes: ALL_TRANSFER_SYNTAXES,
    })),
  })
  ae.bind('cStore', receiver.store)
  const server = await ae.listen({ port, ...(host === undefined ? {} : { host }) })
  return { port: server.port, close: (deadlineMs) => ae.close({ deadlineMs }) }
}
