import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { ScryptOptions } from 'node:crypto'
import { hashRaw } from '@node-rs/argon2'

/**
 * A hashed passcode in PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` (RFC 9106) or
 * `$scrypt$ln=17,r=8,p=1$salt$hash` (RFC 7914). Salt and hash are in base64 without padding.
 */
export type PasscodeHash = Argon2idHash | ScryptHash

interface Argon2idCost {
  /** Memory in KiB, passes, lanes. */
  readonly m: number
  readonly t: number
  readonly p: number
}
interface ScryptCost {
  /** log2 of N. */
  readonly ln: number
  readonly r: number
  readonly p: number
}
interface Argon2idHash extends Argon2idCost {
  readonly algorithm: 'argon2id'
  readonly salt: Buffer
  readonly hash: Buffer
}
interface ScryptHash extends ScryptCost {
  readonly algorithm: 'scrypt'
  readonly salt: Buffer
  readonly hash: Buffer
}
export type HashAlgorithm = PasscodeHash['algorithm']

/** What one verification may cost: 1 GiB for either. More is a mistake in the file. */
const BOUNDS = { m: 1_048_576, t: 100, p: 16, ln: 20, r: 32 } as const
const ARGON2ID = 2

const ARGON2ID_PATTERN = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z\d+/]+)\$([A-Za-z\d+/]+)$/
const SCRYPT_PATTERN = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z\d+/]+)\$([A-Za-z\d+/]+)$/

/** The hash that a PHC string stands for, or what is wrong with it, without a word of it. */
export function parsePasscodeHash(text: string): PasscodeHash | string {
  if (text.startsWith('$argon2id$')) return parseArgon2id(text)
  if (text.startsWith('$scrypt$')) return parseScrypt(text)
  if (/^\$argon2[id]?\$/.test(text)) return 'is of another variant of argon2: only argon2id is taken'
  return 'is neither an argon2id nor a scrypt hash in PHC format; make one with "dicomtap users add"'
}

function parseArgon2id(text: string): Argon2idHash | string {
  const match = ARGON2ID_PATTERN.exec(text)
  if (match === null) return 'is not of the form $argon2id$v=19$m=...,t=...,p=...$salt$hash'
  const [m = 0, t = 0, p = 0] = match.slice(1, 4).map(Number)
  if (p < 1 || p > BOUNDS.p || t < 1 || t > BOUNDS.t || m < 8 * p || m > BOUNDS.m) return 'has parameters of argon2id that are out of range'
  const [salt, hash] = match.slice(4).map(fromBase64)
  if (!isFit(salt, 8) || !isFit(hash, 16)) return 'has a salt or hash of a wrong length'
  return { algorithm: 'argon2id', m, t, p, salt, hash }
}

function parseScrypt(text: string): ScryptHash | string {
  const match = SCRYPT_PATTERN.exec(text)
  if (match === null) return 'is not of the form $scrypt$ln=...,r=...,p=...$salt$hash'
  const [ln = 0, r = 0, p = 0] = match.slice(1, 4).map(Number)
  const isTooLarge = ln > BOUNDS.ln || r > BOUNDS.r || p > BOUNDS.p || 128 * 2 ** ln * r > BOUNDS.m * 1024
  if (ln < 1 || r < 1 || p < 1 || isTooLarge) return 'has parameters of scrypt that are out of range'
  const [salt, hash] = match.slice(4).map(fromBase64)
  if (!isFit(salt, 8) || !isFit(hash, 16)) return 'has a salt or hash of a wrong length'
  return { algorithm: 'scrypt', ln, r, p, salt, hash }
}

function isFit(bytes: Buffer | undefined, least: number): bytes is Buffer {
  return bytes !== undefined && bytes.length >= least && bytes.length <= 64
}

/** Undefined for text that is no canonical base64. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return toBase64(bytes) === text ? bytes : undefined
}

function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

/** Whether the passcode, any bytes, is the one that was hashed. Works in a thread of the pool. */
export async function verifyPasscode(known: PasscodeHash, passcode: Uint8Array): Promise<boolean> {
  const { salt, hash } = known
  const found = await (known.algorithm === 'argon2id'
    ? argon2idHash(passcode, salt, hash.length, known)
    : scryptHash(passcode, salt, hash.length, known))
  return timingSafeEqual(found, hash)
}

function argon2idHash(passcode: Uint8Array, salt: Buffer, outputLen: number, { m, t, p }: Argon2idCost): Promise<Buffer> {
  return hashRaw(passcode, { algorithm: ARGON2ID, memoryCost: m, timeCost: t, parallelism: p, outputLen, salt })
}

function scryptHash(passcode: Uint8Array, salt: Buffer, length: number, { ln, r, p }: ScryptCost): Promise<Buffer> {
  const N = 2 ** ln
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 2) + 1_048_576 }
  return new Promise((resolve, reject) => {
    scrypt(passcode, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

// What OWASP's Password Storage Cheat Sheet names first for each.
const NEW_ARGON2ID: Argon2idCost = { m: 19_456, t: 2, p: 1 }
const NEW_SCRYPT: ScryptCost = { ln: 17, r: 8, p: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32

/** Hashes a passcode with a new salt: argon2id with 19 MiB and 2 passes, scrypt with N = 2^17 and r = 8. */
export async function hashPasscode(passcode: Uint8Array, algorithm: HashAlgorithm = 'argon2id'): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  if (algorithm === 'argon2id') {
    return encodePhc('argon2id$v=19', NEW_ARGON2ID, salt, await argon2idHash(passcode, salt, HASH_BYTES, NEW_ARGON2ID))
  }
  return encodePhc('scrypt', NEW_SCRYPT, salt, await scryptHash(passcode, salt, HASH_BYTES, NEW_SCRYPT))
}

/** A hash that no passcode has, with the cost of new ones: for something to check against. */
export function decoyHash(): PasscodeHash {
  return { algorithm: 'argon2id', ...NEW_ARGON2ID, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) }
}

function encodePhc(name: string, cost: object, salt: Buffer, hash: Buffer): string {
  const parameters = Object.entries(cost).map(([key, value]) => `${key}=${value}`)
  return `$${name}$${parameters.join(',')}$${toBase64(salt)}$${toBase64(hash)}`
}
