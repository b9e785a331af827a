import { link, mkdir, open, rename, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DataSetHeadParser, decodePart10Header, encodePart10Header, isValidUid } from '@dicomtap/framework'
import type { CStoreRequest, Operation, StatusDetails } from '@dicomtap/framework'
import { FILE_MODE, FOLDER_MODE } from './file-modes.ts'
import { FIELD_TAGS } from './file-name.ts'
import type { FileNameTemplate } from './file-name.ts'
import type { Budget } from './budget.ts'
import { Refusal } from './refusal.ts'

export interface ReceiverOptions {
  readonly folder: string
  readonly name: FileNameTemplate
  readonly overwrite: boolean
  readonly budget: Budget
  /** An object is there under its final name; `isNew` is false when it was there before and was kept. */
  readonly onFile: (file: ReceivedFile) => void
  /** An object could not be written: for the person at the terminal, with path and reason. */
  readonly onFailure: (message: string) => void
}
export interface ReceivedFile {
  readonly sopInstanceUid: string
  readonly path: string
  readonly isNew: boolean
}

/** Takes C-STORE requests into a folder, each streamed to a file of its own. */
export interface Receiver {
  /** Handler of `cStore`. */
  store(request: CStoreRequest, operation: Operation): Promise<number | StatusDetails>
  readonly received: number
  readonly kept: number
  readonly failed: number
  /** Bytes of data sets written so far. */
  readonly bytes: number
  /** Is this one of the first objects that could not be written, whose failure was said? */
  hasFailed(sopInstanceUid: string): boolean
}

/** A disk that is full fails for every object to come: that is said a few times, not thousands of times. */
const SAID_FAILURES = 10

const OUT_OF_RESOURCES = 0xa700
const PROCESSING_FAILURE = 0x0110
const CANNOT_UNDERSTAND = 0xc000
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE'])

/**
 * Makes the folder, and a receiver for it.
 *
 * @throws an error of the system when the folder cannot be made
 */
export async function createReceiver(options: ReceiverOptions): Promise<Receiver> {
  const folder = resolve(options.folder)
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  const counts = { received: 0, kept: 0, failed: 0, bytes: 0, started: 0 }
  const said = new Set<string>()

  const store = async (request: CStoreRequest, operation: Operation): Promise<number | StatusDetails> => {
    const { affectedSopInstanceUid: uid } = request
    try {
      if (!isValidUid(uid, 'lenient')) throw new Refusal(CANNOT_UNDERSTAND, 'an object has no valid SOP Instance UID')
      options.budget.takeObject()
      const partial = join(folder, `${uid}.${process.pid}-${counts.started++}.partial`)
      const file = await receiveFile(request, operation, partial)
      if (file.isNew) counts.received += 1
      else counts.kept += 1
      options.onFile(file)
      return 0x0000
    } catch (error) {
      counts.failed += 1
      const { status, message } = failureOf(error)
      if (message === '') return { status, errorComment: 'The object could not be stored' }
      if (said.size < SAID_FAILURES) options.onFailure(isValidUid(uid, 'lenient') ? `${uid}: ${message}` : message)
      else if (said.size === SAID_FAILURES) options.onFailure('more objects could not be written')
      if (said.size <= SAID_FAILURES) said.add(uid)
      return { status, errorComment: 'The object could not be stored' }
    }
  }

  const receiveFile = async (request: CStoreRequest, operation: Operation, partial: string): Promise<ReceivedFile> => {
    const { affectedSopClassUid, affectedSopInstanceUid, dataSet } = request
    const wanted = options.name.tags.filter((tag) => tag !== FIELD_TAGS.sopClassUid && tag !== FIELD_TAGS.sopInstanceUid)
    const head = new DataSetHeadParser(dataSet.transferSyntaxUid, wanted)
    const handle = await open(partial, 'wx', FILE_MODE)
    try {
      try {
        await writeAll(handle, [headerOf(request, operation)])
        await dataSet.pipeTo({
          async write(fragments) {
            for (const fragment of fragments) {
              if (!head.isFinished) head.push(fragment)
              counts.bytes += fragment.length
              options.budget.takeBytes(fragment.length)
            }
            await writeAll(handle, fragments)
          },
        })
      } finally {
        await handle.close()
      }
      head.end()
      const path = join(
        folder,
        options.name.render((tag) =>
          tag === FIELD_TAGS.sopInstanceUid ? affectedSopInstanceUid : tag === FIELD_TAGS.sopClassUid ? affectedSopClassUid : head.text(tag),
        ),
      )
      const isNew = await publish(partial, path, affectedSopInstanceUid, options.overwrite)
      return { sopInstanceUid: affectedSopInstanceUid, path, isNew }
    } catch (error) {
      await unlink(partial).catch(() => undefined)
      throw error
    }
  }

  return {
    store,
    get received() {
      return counts.received
    },
    get kept() {
      return counts.kept
    },
    get failed() {
      return counts.failed
    },
    get bytes() {
      return counts.bytes
    },
    hasFailed: (uid) => said.has(uid),
  }
}

/** Preamble and File Meta Information (PS3.10 7.1); the data set follows as it was sent. */
function headerOf({ affectedSopClassUid, affectedSopInstanceUid, dataSet }: CStoreRequest, { association }: Operation): Buffer {
  const { ae, role, callingAeTitle, calledAeTitle } = association
  // With C-GET the peer that stores is the one that was called.
  const [sending, receiving] = role === 'requestor' ? [calledAeTitle, callingAeTitle] : [callingAeTitle, calledAeTitle]
  return encodePart10Header({
    sopClassUid: affectedSopClassUid,
    sopInstanceUid: affectedSopInstanceUid,
    transferSyntaxUid: dataSet.transferSyntaxUid,
    implementationClassUid: ae.implementationClassUid,
    implementationVersionName: ae.implementationVersionName ?? undefined,
    sourceApplicationEntityTitle: receiving,
    sendingApplicationEntityTitle: sending,
    receivingApplicationEntityTitle: receiving,
  })
}

/** writev(2) may write less than it was given. */
async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const { bytesWritten } = await handle.writev([...pieces])
  if (bytesWritten === total) return
  let skip = bytesWritten
  for (const piece of pieces) {
    const from = Math.min(skip, piece.length)
    skip -= from
    for (let at = from; at < piece.length; ) at += (await handle.write(piece, at)).bytesWritten
  }
}

/** Gives the complete file its name. False when the same object was there, and is kept. */
async function publish(partial: string, path: string, uid: string, overwrite: boolean): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE })
  try {
    // Unlike rename, link never takes the place of another file.
    await link(partial, path)
    await unlink(partial)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return replace(partial, path, uid, overwrite)
    // File systems without hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error
  }
  if (await exists(path)) return replace(partial, path, uid, overwrite)
  await rename(partial, path)
  return true
}

/** Only ever replaces the same object. */
async function replace(partial: string, path: string, uid: string, overwrite: boolean): Promise<boolean> {
  if ((await instanceIn(path)) !== uid) {
    throw new Refusal(PROCESSING_FAILURE, `${path} is there and holds something else; a name with {SOPInstanceUID} is always its own`)
  }
  if (overwrite) await rename(partial, path)
  else await unlink(partial)
  return overwrite
}

const HEADER_BYTES = 4096

/** The SOP Instance UID of a DICOM file; undefined for other files. */
async function instanceIn(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
    return decodePart10Header(buffer.subarray(0, bytesRead)).meta.sopInstanceUid
  } catch {
    return undefined
  } finally {
    await handle.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close()
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

function failureOf(error: unknown): { status: number; message: string } {
  if (error instanceof Refusal) return { status: error.status, message: error.message }
  const { code = '', message } = error as NodeJS.ErrnoException
  return { status: FULL.has(code) ? OUT_OF_RESOURCES : PROCESSING_FAILURE, message }
}
