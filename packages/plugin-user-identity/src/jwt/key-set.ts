import { createLocalJWKSet, createRemoteJWKSet, customFetch } from 'jose'
import type { FetchImplementation, JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import type { Logger } from '@dicomtap/framework'
import { WatchedFile } from '../watched-file.ts'

/** The public keys that tokens are verified with. */
export interface KeySet {
  /** At the start. A file must be right; a server may still be away. @throws an Error of one line. */
  load(): Promise<void>
  /** The keys as they are now, to verify one token. */
  resolver(): Promise<JWTVerifyGetKey>
}

const MAXIMUM_BYTES = 1_048_576
const FETCH_TIMEOUT_MS = 5_000
/** After a failure nobody asks for so long, whatever tokens come. */
const RETRY_AFTER_MS = 5_000

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source)
}

/** Keys from an http(s) URL or a file. */
export function openKeySet(source: string, resolvePath: (path: string) => string, log: Logger): KeySet {
  return isUrl(source) ? remoteKeySet(new URL(source), log) : fileKeySet(resolvePath(source), log)
}

function fileKeySet(path: string, log: Logger): KeySet {
  const parse = (text: string): JWTVerifyGetKey => createLocalJWKSet(parseKeys(text))
  const file = new WatchedFile({ path, what: 'the file of keys', maximumBytes: MAXIMUM_BYTES, parse, log })
  return {
    load: async () => void (await file.load()),
    resolver: () => file.current(),
  }
}

/** A set of public keys (RFC 7517 5). */
function parseKeys(text: string): JSONWebKeySet {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new Error('it is not JSON')
  }
  const keys = typeof content === 'object' && content !== null && 'keys' in content ? content.keys : undefined
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('it is no JSON Web Key Set: it has no "keys"')
  for (const key of keys as unknown[]) {
    if (typeof key !== 'object' || key === null) throw new Error('it has a key that is no object')
    if ('d' in key || 'k' in key) throw new Error('it has a private or secret key: only public ones belong into it')
  }
  return { keys } as JSONWebKeySet
}

function remoteKeySet(url: URL, log: Logger): KeySet {
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT_MS, [customFetch]: boundedFetch(log) })
  return {
    load: () => keys.reload().catch(() => {}),
    resolver: async () => keys,
  }
}

function boundedFetch(log: Logger): FetchImplementation {
  let failedAt = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (performance.now() - failedAt < RETRY_AFTER_MS) throw new Error('the keys could not be fetched a moment ago')
    try {
      const response = await fetch(url, options)
      if (response.status !== 200) {
        await response.body?.cancel()
        throw new Error(`status ${response.status}`)
      }
      const text = await boundedText(response)
      parseKeys(text)
      return new Response(text, { status: 200 })
    } catch (error) {
      failedAt = performance.now()
      log.error('the keys for JSON web tokens cannot be fetched', { url, reason: reasonOf(error) })
      throw error
    }
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array
    size += bytes.byteLength
    if (size > MAXIMUM_BYTES) throw new Error(`more than ${MAXIMUM_BYTES} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** fetch hides the reason in the cause: ECONNREFUSED, the name that does not resolve. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message
}
