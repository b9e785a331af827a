import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { ApplicationEntity } from '@dicomtap/framework'
import type { ApplicationEntityOptions } from '@dicomtap/framework'
import { ABSTRACT_SYNTAXES, RELEASE, request } from './bytes.js'

/** What a peer sends to a server of its own. */
export interface Scenario {
  readonly options?: ApplicationEntityOptions
  /** Sent at once; default: a good A-ASSOCIATE-RQ. Without bytes nothing is sent. */
  readonly first?: Uint8Array
  /** Sent when the association stands. */
  readonly next?: readonly Uint8Array[]
  readonly prepare?: (ae: ApplicationEntity, port: number) => Promise<unknown>
  /** Answers that come before the one that counts. */
  readonly skip?: number
  /** Sent again and again until something comes back. */
  readonly trickle?: Uint8Array
  /** Nothing answers it: an A-RELEASE-RQ follows, whose answer is then the next thing. */
  readonly isIgnored?: boolean
  /** What else must be true of the answer; true when it is. */
  readonly check?: (answer: Buffer) => boolean
}

/** Sends a scenario to a server of its own and tells the answer in the words of the page. */
export async function answerTo({ options, first = request(), next, prepare, skip = 0, trickle, isIgnored = false, check }: Scenario): Promise<string> {
  const ae = new ApplicationEntity({ aeTitle: 'HOSTILE', logLevel: 'silent', ...options })
  for (const abstractSyntax of ABSTRACT_SYNTAXES) ae.addSupportedContext(abstractSyntax)
  serve(ae)
  const { port } = await ae.listen({ port: 0, host: '127.0.0.1' })
  await prepare?.(ae, port)
  const socket = connect(port, '127.0.0.1')
  const answers = pdusOf(socket)
  try {
    if (first.length > 0) socket.write(first)
    let answer = (await answers.next()).value
    if (next !== undefined && answer !== undefined) {
      for (const bytes of next) socket.write(bytes)
      if (isIgnored) socket.write(RELEASE)
      const trickling = trickle === undefined ? undefined : setInterval(() => socket.write(trickle), 10)
      for (let skipped = 0; skipped < skip; skipped++) await answers.next()
      answer = (await answers.next()).value
      clearInterval(trickling)
    }
    if (isIgnored && answer?.[0] === 0x06) return 'nothing'
    if (answer !== undefined && check?.(answer) === false) return `${describe(answer)}, but not as it must be: ${answer.toString('hex')}`
    return describe(answer)
  } finally {
    socket.destroy()
    ae.abort()
    await ae.close({ deadlineMs: 0 })
  }
}

/**
 * Stores 2.25.1, finds nothing. Of other instances 2.25.7 hangs until the association ends, 2.25.9 until the
 * next request; the rest nobody answers.
 */
function serve(ae: ApplicationEntity): void {
  ae.bind('cStore', async (store, operation) => {
    const { affectedSopInstanceUid } = store
    if (affectedSopInstanceUid === '2.25.1') return (await store.dataSet.buffer()).length < 1_000_000 ? 0 : 0xa900
    if (affectedSopInstanceUid === '2.25.7') await once(operation.signal, 'abort')
    if (affectedSopInstanceUid === '2.25.9') await new Promise<void>((resolve) => ae.bind('dimseReceived', () => resolve()))
    return undefined
  })
  ae.bind('cFind', async function* (find, operation) {
    await find.identifier.dataset()
    await once(operation.signal, 'abort')
    yield* []
  })
}

export async function* pdusOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 6 && bytes.length >= 6 + bytes.readUInt32BE(2)) {
        const end = 6 + bytes.readUInt32BE(2)
        yield bytes.subarray(0, end)
        bytes = bytes.subarray(end)
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
  }
  return undefined
}

export function describe(answer: Buffer | undefined): string {
  switch (answer?.[0]) {
    case undefined:
      return 'the connection is closed'
    case 0x01:
      return 'A-ASSOCIATE-RQ'
    case 0x02:
      return `A-ASSOCIATE-AC${resultOf(answer)}`
    case 0x03:
      return `A-ASSOCIATE-RJ ${answer.subarray(7, 10).join(',')}`
    case 0x05:
      return 'A-RELEASE-RQ'
    case 0x06:
      return 'A-RELEASE-RP'
    case 0x07:
      return `A-ABORT ${answer.subarray(8, 10).join(',')}`
    default:
      return `status ${statusOf(answer as Buffer)}`
  }
}

/** The items of an A-ASSOCIATE PDU, behind its header and fixed fields, or of an item. */
export function itemsOf(bytes: Buffer, from = 6 + 68): Buffer[] {
  const items: Buffer[] = []
  for (let at = from; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt16BE(at + 2)
    items.push(bytes.subarray(at, end))
    at = end
  }
  return items
}

/** Sub-items of the user information of an A-ASSOCIATE-AC, by type. */
export function userItemsOf(answer: Buffer, type: number): Buffer[] {
  const userInformation = itemsOf(answer).find((bytes) => bytes[0] === 0x50)
  return userInformation === undefined ? [] : itemsOf(userInformation, 4).filter((bytes) => bytes[0] === type)
}

/** Result/Reason of the first presentation context (PS3.8 9.3.3.2): byte 7 of its item. */
function resultOf(answer: Buffer): string {
  const first = itemsOf(answer).find((bytes) => bytes[0] === 0x21)
  if (first === undefined) return ' without contexts'
  return first[6] === 0 ? '' : `, result ${first[6]}`
}

/** Status (0000,0900), US: tag, length 2, value. */
function statusOf(answer: Buffer): string {
  const at = answer.indexOf(Buffer.from([0x00, 0x00, 0x00, 0x09, 2, 0, 0, 0]))
  return at < 0 ? 'none' : answer.readUInt16LE(at + 8).toString(16).toUpperCase().padStart(4, '0')
}
