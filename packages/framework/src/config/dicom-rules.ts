import type { RequestedContext, SupportedContext } from '../acse/types.ts'
import { parseAeTitle } from '../dataset/ae-title.ts'
import type { Rule, ValueRule } from './rules.ts'
import { boolean, listOf, objectOf, text, value } from './rules.ts'

export function aeTitle(): ValueRule<string> {
  return value(
    'an AE title (1 to 16 ASCII characters, no backslash, in quotes when it is a number)',
    { type: 'string', pattern: '^ *[\\x21-\\x5b\\x5d-\\x7e][\\x20-\\x5b\\x5d-\\x7e]*$', minLength: 1, maxLength: 16 },
    parseAeTitle,
  )
}

/** PS3.5 9.1: components without leading zeros, at most 64 characters. The first arc is 0, 1 or 2 (ISO 8824). */
const UID = /^(?=.{3,64}$)[0-2](?:\.(?:0|[1-9][0-9]*))+$/

export function uid(): ValueRule<string> {
  return text('a UID (numbers with points between them, at most 64 characters)', UID)
}

/** PS3.7 D.3.3.2: 1 to 16 characters of ISO 646. */
export function implementationVersionName(): ValueRule<string> {
  return text('1 to 16 ASCII characters', /^[\x20-\x7e]{1,16}$/)
}

export function supportedContext(): Rule<SupportedContext> {
  return objectOf(
    {
      abstractSyntax: uid(),
      transferSyntaxes: listOf(uid(), 1),
      roles: objectOf({ scu: boolean(), scp: boolean() }, ['scu', 'scp']),
    },
    ['abstractSyntax', 'transferSyntaxes'],
  )
}

export function requestedContext(): Rule<RequestedContext> {
  return objectOf(
    {
      abstractSyntax: uid(),
      transferSyntaxes: listOf(uid(), 1),
      roles: objectOf({ scu: boolean(), scp: boolean() }, ['scu', 'scp']),
    },
    ['abstractSyntax'],
  )
}
