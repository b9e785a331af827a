import { DicomtapError, resolveSecret } from '@dicomtap/framework'
import type { AssociationAnswerInfo, Logger, OutgoingAssociationOptions, UserIdentityRequest, UserItem } from '@dicomtap/framework'
import { IdentityType } from '../identity.ts'
import type { IdentityRule, OutgoingField } from '../options.ts'

/** A field holds its length in 16 bits (PS3.7 D.3.3.7.1). */
const MAXIMUM_FIELD_BYTES = 65_535

/** The requestor's side: who this AE says it is, by peer. */
export class IdentityRequestor {
  readonly #rules: readonly IdentityRule[]
  readonly #resolvePath: (path: string) => string
  readonly #log: Logger
  /** Which rule made an item, for the answer to it. */
  readonly #madeBy = new WeakMap<UserItem, IdentityRule>()
  readonly #warned = new Set<IdentityRule>()

  constructor(rules: readonly IdentityRule[], resolvePath: (path: string) => string, log: Logger) {
    this.#rules = rules
    this.#resolvePath = resolvePath
    this.#log = log
  }

  /** At the start: each secret can be read. @throws DICOMTAP_ERR_PLG_OPTIONS */
  async check(): Promise<void> {
    for (const [index, rule] of this.#rules.entries()) {
      for (const name of ['passcode', 'assertion', 'token'] as const) {
        const field = rule[name]
        if (field === undefined || typeof field === 'function') continue
        await resolveSecret(field, this.#resolvePath).catch((cause: unknown) => {
          const message = `plugins[user-identity].options.identifyAs[${index}].${name}: ${(cause as Error).message}`
          throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', message, { cause })
        })
      }
    }
  }

  /**
   * The handler of `outgoingAssociation`. What the caller of `associate` gave is left alone. Secrets are read
   * each time, so that a token that was renewed is used.
   * @throws when the secret cannot be read: without it nothing is requested.
   */
  async identify(options: OutgoingAssociationOptions): Promise<OutgoingAssociationOptions> {
    if (options.userIdentity !== undefined) return options
    const rule = this.#rules.find((one) => fits(one, options))
    if (rule === undefined) return options
    this.#checkTransport(rule, options)
    const userIdentity = await this.#item(rule, options)
    this.#madeBy.set(userIdentity, rule)
    return { ...options, userIdentity }
  }

  /** The handler of `associationAnswer`: why the answer is not good enough. */
  async checkAnswer(info: AssociationAnswerInfo): Promise<string | undefined> {
    const item = info.request.userInformation.find((one) => one.type === 0x58)
    const rule = item === undefined ? undefined : this.#madeBy.get(item)
    if (rule === undefined || !isConfirmed(rule)) return undefined
    const response = info.accept.userInformation.find((one) => one.type === 0x59)
    if (response === undefined || !('serverResponse' in response)) {
      return 'the peer accepted the association without a word on the user identity, and requireResponse is set'
    }
    if (rule.verifyResponse === undefined) return undefined
    const isGood: unknown = await rule.verifyResponse(response.serverResponse, info)
    return isGood === true ? undefined : 'verifyResponse did not accept what the peer answered to the user identity'
  }

  async #item(rule: IdentityRule, options: OutgoingAssociationOptions): Promise<UserIdentityRequest> {
    const { username, passcode, ticket, assertion, token } = rule
    const item = (userIdentityType: IdentityType, primaryField: Uint8Array, secondaryField: Uint8Array = new Uint8Array(0)): UserIdentityRequest => ({
      type: 0x58,
      userIdentityType,
      positiveResponseRequested: isConfirmed(rule),
      primaryField: checked('first', primaryField),
      secondaryField: userIdentityType === IdentityType.UsernameAndPasscode ? checked('second', secondaryField) : secondaryField,
    })
    if (ticket !== undefined) return item(IdentityType.Kerberos, await this.#bytes(ticket, options))
    if (assertion !== undefined) return item(IdentityType.Saml, await this.#bytes(assertion, options))
    if (token !== undefined) return item(IdentityType.JsonWebToken, await this.#bytes(token, options))
    const name = Buffer.from(username ?? '', 'utf8')
    if (passcode === undefined) return item(IdentityType.Username, name)
    return item(IdentityType.UsernameAndPasscode, name, await this.#bytes(passcode, options))
  }

  async #bytes(field: OutgoingField, options: OutgoingAssociationOptions): Promise<Uint8Array> {
    const value: unknown = typeof field === 'function' ? await field(options) : await resolveSecret(field, this.#resolvePath)
    if (value instanceof Uint8Array) return value
    if (typeof value === 'string') return Buffer.from(value, 'utf8')
    throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', 'A callback of identifyAs must give text or bytes')
  }

  #checkTransport(rule: IdentityRule, { tls, host, calledAeTitle }: OutgoingAssociationOptions): void {
    const isSecured = tls !== undefined && tls !== false
    if (isSecured || (rule.username !== undefined && rule.passcode === undefined)) return
    if (rule.requireTls) {
      const message = `identifyAs: the user identity for ${calledAeTitle} at ${host} is sent over TLS only (requireTls)`
      throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', message)
    }
    if (this.#warned.has(rule)) return
    this.#warned.add(rule)
    this.#log.warn('a user identity is sent without TLS: whoever listens can use it', { calledAeTitle, host })
  }
}

function isConfirmed({ requireResponse, verifyResponse }: IdentityRule): boolean {
  return requireResponse || verifyResponse !== undefined
}

function fits({ calledAeTitle, host, port }: IdentityRule, options: OutgoingAssociationOptions): boolean {
  return (
    (calledAeTitle === undefined || calledAeTitle === options.calledAeTitle.trim()) &&
    (host === undefined || host.toLowerCase() === options.host.toLowerCase()) &&
    (port === undefined || port === options.port)
  )
}

function checked(which: string, bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > 0 && bytes.byteLength <= MAXIMUM_FIELD_BYTES) return bytes
  const message = `identifyAs: the ${which} field of a user identity has 1 to ${MAXIMUM_FIELD_BYTES} bytes, not ${bytes.byteLength}`
  throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', message)
}
