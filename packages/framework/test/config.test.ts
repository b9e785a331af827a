import test from 'ava'
import { z } from 'zod'
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, resolveLimits, resolveTimeouts } from '../dist/config/defaults.js'
import { configJsonSchema, parseApplicationEntityOptions, parseConfig, parseListenerOptions } from '../dist/config/schema.js'
import { consoleSink, createLogger, formatRecord } from '../dist/console-log.js'
import { definePlugin } from '../dist/define.js'
import { DicomtapError } from '../dist/errors/index.js'
import type { LogRecord } from '../dist/logger.js'
import { nearNames } from '../dist/near-names.js'

const INVALID = { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_CFG_INVALID' }
const CT = '1.2.840.10008.5.1.4.1.1.2'
const IMPLICIT = '1.2.840.10008.1.2'

function problems(input: unknown, file?: string): string[] {
  try {
    parseConfig(input, { file })
  } catch (error) {
    if (error instanceof DicomtapError && error.code === INVALID.code) return error.message.split('\n')
    throw error
  }
  return []
}

// parseConfig

test('nothing configured: defaults', (t) => {
  for (const input of [undefined, null, {}, { plugins: null, listen: null, limits: null }]) {
    t.deepEqual(parseConfig(input), { aeTitle: 'DICOMTAP', listen: [{ port: 11112 }], file: undefined })
  }
})

test('a full configuration passes unchanged', (t) => {
  const hello = definePlugin({ name: 'hello', apply: () => undefined })()
  const config = {
    aeTitle: 'ARCHIVE 1',
    implementationClassUid: '2.25.1234',
    implementationVersionName: null,
    contexts: [{ abstractSyntax: CT, transferSyntaxes: [IMPLICIT], roles: { scu: false, scp: true } }],
    timeouts: { acseMs: 1, dimseMs: null, networkMs: 60_000, connectionMs: 2_147_483_647, handlerMs: null, lifecycleMs: null },
    limits: {
      maximumAssociations: 1, maximumPendingAssociations: 1, maximumPduBytes: 0, maximumAssociatePduBytes: 1024,
      maximumCommandSetBytes: 1024, receiveBufferBytes: 1, maximumQueuedOperations: 1, maximumDecodedDataSetBytes: 1,
      closeDeadlineMs: 0,
    },
    requireCalledAeTitle: true,
    requireCallingAeTitles: ['CT1', 'MR_1'],
    requireUserIdentity: false,
    unrestrictedStorage: true,
    rejectWhenNoContext: true,
    logLevel: 'silent',
    listen: [
      { port: 0, host: '::1', backlog: 1, aeTitle: 'A', limits: { maximumPduBytes: 7 }, requireCallingAeTitles: [] },
      { port: 0, host: '::1' },
    ],
    plugins: ['@dicomtap/plugin-logging', { use: './mine.ts', options: { any: ['thing'] } }, hello, ['a', [false]], null, undefined, false],
  }
  t.deepEqual(parseConfig(config, { file: '/etc/dicomtap.config.ts' }) as object, { ...config, file: '/etc/dicomtap.config.ts' })
})

test('the result is a copy, and $schema is for editors alone', (t) => {
  const input = { $schema: './schema.json', listen: [{ port: 104 }] }
  const config = parseConfig(input)
  t.not(config.listen[0] as object, input.listen[0])
  t.false('$schema' in config)
})

test('every bad path has a line with the file, the rule and what was got', (t) => {
  const lines = problems(
    {
      aeTitle: 123,
      implementationVersionName: '',
      contexts: [{ abstractSyntax: '1.02' }, { abstractSyntax: CT, transferSyntaxes: [], roles: { scu: 1 } }],
      timeouts: { dimseMs: 0, acseMs: '30' },
      limits: { maximumPduBytes: 6, maximumAssociations: 1.5 },
      requireCallingAeTitles: 'CT1',
      requireUserIdentity: 'yes',
      logLevel: 'loud',
      listen: [{ port: 70000, host: '' }, 104],
      plugins: [5, '', { options: {} }, [{ use: 1 }]],
    },
    '/srv/site/dicomtap.config.yaml',
  )
  t.deepEqual(lines, [
    'aeTitle: must be an AE title (1 to 16 ASCII characters, no backslash, in quotes when it is a number), got 123',
    'implementationVersionName: must be 1 to 16 ASCII characters, or null for leaving it out, got ""',
    'contexts[0].abstractSyntax: must be a UID (numbers with points between them, at most 64 characters), got "1.02"',
    'contexts[0].transferSyntaxes: is missing',
    'contexts[1].transferSyntaxes: must have at least 1 entry',
    'contexts[1].roles.scu: must be true or false, got 1',
    'contexts[1].roles.scp: is missing',
    'timeouts.dimseMs: must be 1 to 2147483647 milliseconds, or null for none, got 0',
    'timeouts.acseMs: must be 1 to 2147483647 milliseconds, or null for none, got "30"',
    'limits.maximumPduBytes: must be 7 to 4294967295 bytes, or 0 for unlimited, got 6',
    'limits.maximumAssociations: must be a whole number, at least 1, got 1.5',
    'requireCallingAeTitles: must be a list, got "CT1"',
    'requireUserIdentity: must be true or false, got "yes"',
    'logLevel: must be one of error, warn, info, debug, trace, silent, got "loud"',
    'listen[0].port: must be 0 to 65535, got 70000',
    'listen[0].host: must be an address or host name, got ""',
    'listen[1]: must be an object, got 104',
    'plugins[0]: must be a package name, { use, options } or a plugin, got 5',
    'plugins[1]: must be a package name, { use, options } or a plugin, got ""',
    'plugins[2].use: is missing',
    'plugins[3][0].use: must be a package name or a path, got 1',
  ].map((line) => `dicomtap.config.yaml: ${line}`))
})

test('unknown keys are errors, with the near names or the right place', (t) => {
  t.deepEqual(problems({ aeTitel: 'A', port: 104, timeouts: { acse: 1 }, nothingLikeIt: 1, constructor: 1 }), [
    'aeTitel: is not an option; did you mean aeTitle?',
    'port: is not an option; it belongs to an entry of listen, e.g. listen: [{ port: ... }]',
    'timeouts.acse: is not an option; did you mean acseMs?',
    'nothingLikeIt: is not an option',
    'constructor: is not an option',
  ])
  t.deepEqual(problems(JSON.parse('{"__proto__": {"aeTitle": "A"}}')), ['__proto__: is not an option'])
  t.deepEqual(problems({ plugins: [{ ues: 'a' }] })[0], 'plugins[0].ues: is not an option; did you mean use?')
})

test('what is no configuration at all', (t) => {
  t.deepEqual(problems('aeTitle: A'), ['the configuration: must be an object, got "aeTitle: A"'])
  t.deepEqual(problems([]), ['the configuration: must be an object, got a list'])
})

test('a factory among the plugins is told from a plugin', (t) => {
  const hello = definePlugin({ name: 'hello', apply: () => undefined })
  t.deepEqual(problems({ plugins: [hello] }), ['plugins[0]: is a factory: call it, hello()'])
})

test('two listeners on one port', (t) => {
  t.deepEqual(problems({ listen: [{}, { port: 104 }, { port: 11112 }] }), ['listen[2].port: 11112 is taken by listen[0]'])
  t.deepEqual(problems({ listen: [{ port: 104, host: '::1' }, { port: 104, host: '127.0.0.1' }] }), [])
})

test('what is shown of a bad value stays short and on its line', (t) => {
  const [line] = problems({ logLevel: `a\n\u001b[31m${'x'.repeat(100)}` })
  t.regex(line!, /got "a\?\?\[31mx+\.\.\."$/)
  t.true(line!.length < 120)
})

// PS3.5 6.2, VR AE: 16 characters at most, leading and trailing spaces not significant, backslash and
// control characters excluded, not only spaces.
for (const [title, result] of [
  ['A', 'A'],
  ['ABCDEFGHIJKLMNOP', 'ABCDEFGHIJKLMNOP'],
  ['  A B  ', 'A B'],
  ['~!"#$%&()*+,-./:', '~!"#$%&()*+,-./:'],
  ['ABCDEFGHIJKLMNOPQ', undefined],
  ['', undefined],
  ['    ', undefined],
  ['A\\B', undefined],
  ['A\tB', undefined],
  ['A\nB', undefined],
  ['A\u007f', undefined],
  ['ÄRZTE', undefined],
  [null, undefined],
] as const) {
  test(`AE title ${JSON.stringify(title)} is ${result === undefined ? 'refused' : 'allowed'}`, (t) => {
    if (result === undefined) t.throws(() => parseApplicationEntityOptions({ aeTitle: title }), INVALID)
    else t.is(parseApplicationEntityOptions({ aeTitle: title }).aeTitle, result)
  })
}

// PS3.5 9.1: 64 characters at most, components of digits without leading zeros.
for (const [uid, isAllowed] of [
  ['1.2.840.10008.1.1', true],
  ['2.25.0', true],
  [`1.${'2'.repeat(62)}`, true],
  [`1.${'2'.repeat(63)}`, false],
  ['1.2.01', false],
  ['1..2', false],
  ['1.2.', false],
  ['.1', false],
  ['1', false],
  ['3.1', false],
  ['1.2.a', false],
  ['1.2\0', false],
  ['', false],
] as const) {
  test(`UID ${JSON.stringify(uid)} is ${isAllowed ? 'allowed' : 'refused'}`, (t) => {
    const parse = (): unknown => parseApplicationEntityOptions({ implementationClassUid: uid }).implementationClassUid
    if (isAllowed) t.is(parse(), uid)
    else t.throws(parse, INVALID)
  })
}

test('options of the AE and of a listener: absent ones stay absent, undefined counts as absent', (t) => {
  t.deepEqual(parseApplicationEntityOptions(undefined), {})
  t.deepEqual(parseApplicationEntityOptions({ aeTitle: undefined, logLevel: 'debug' }), { logLevel: 'debug' })
  t.deepEqual(parseListenerOptions({ port: 0 }), { port: 0 })
  t.throws(() => parseApplicationEntityOptions({ plugins: [] }), { ...INVALID, message: 'plugins: is not an option' })
  t.throws(() => parseListenerOptions({ port: -1 }), { ...INVALID, message: 'port: must be 0 to 65535, got -1' })
})

test('the JSON Schema judges as the parser does', (t) => {
  const schema = z.fromJSONSchema(configJsonSchema())
  const good: unknown[] = [
    {},
    { $schema: 'x', aeTitle: 'ARCHIVE', listen: [{ port: 0 }], plugins: ['a', { use: 'b', options: { c: 1 } }, null] },
    { timeouts: { acseMs: null }, limits: { maximumPduBytes: 0 }, plugins: null, implementationVersionName: null },
    { contexts: [{ abstractSyntax: CT, transferSyntaxes: [IMPLICIT] }], logLevel: 'silent', requireCallingAeTitles: ['A B'] },
  ]
  const bad: unknown[] = [
    { aeTitle: 'A\\B' }, { aeTitle: '   ' }, { aeTitle: 5 }, { aeTitle: 'ABCDEFGHIJKLMNOPQ' }, { nope: 1 }, { listen: [{ port: 70000 }] },
    { timeouts: { acseMs: 0 } }, { limits: { maximumPduBytes: 6 } }, { contexts: [{ abstractSyntax: CT }] }, { logLevel: 'loud' },
    { plugins: [5] }, { plugins: [{ options: {} }] }, { implementationClassUid: '1.02' },
  ]
  // Functions are for code: editors of files are not told of them.
  t.notThrows(() => parseConfig({ listen: [{ handlers: { cEcho: () => 0 } }] }))
  bad.push({ listen: [{ handlers: { cEcho: 1 } }] })
  t.false(JSON.stringify(configJsonSchema()).includes('handlers'))
  t.deepEqual(problems({ listen: [{ handlers: { cEcho: 'x' } }] }, '/a.yaml'), ['a.yaml: listen[0].handlers.cEcho: must be a function, got "x"'])
  for (const config of good) t.true(schema.safeParse(config).success && problems(config).length === 0, JSON.stringify(config))
  for (const config of bad) t.true(!schema.safeParse(config).success && problems(config).length > 0, JSON.stringify(config))
  t.is(JSON.parse(JSON.stringify(configJsonSchema())).properties.listen.default[0].port, 11112)
})

test('time-outs and limits: later layers win, null is a value, undefined is none', (t) => {
  t.deepEqual(resolveTimeouts(), DEFAULT_TIMEOUTS)
  t.deepEqual(resolveTimeouts({ acseMs: 1, dimseMs: 2 }, undefined, { dimseMs: null, networkMs: undefined as never }), {
    acseMs: 1, dimseMs: null, networkMs: 60_000, connectionMs: 15_000, associationMs: null, handlerMs: 600_000, lifecycleMs: 60_000,
  })
  t.is(resolveLimits({ maximumAssociations: 7 }).maximumAssociations, 7)
  t.is(resolveLimits().maximumAssociatePduBytes, 262_144)
  t.true(Object.isFrozen(resolveLimits()))
  t.is(DEFAULT_LIMITS.maximumAssociations, 100)
})

test('near names: swaps, slips and beginnings, nothing far-fetched', (t) => {
  t.deepEqual(nearNames('cStroe', ['cStore', 'cFind']), ['cStore'])
  t.deepEqual(nearNames('acse', ['acseMs', 'dimseMs']), ['acseMs'])
  t.deepEqual(nearNames('xyz', ['cStore', 'ready']), [])
  t.deepEqual(nearNames('x'.repeat(10_000), ['cStore']), [])
})

// The built-in log

const AT = new Date(2026, 0, 2, 3, 4, 5, 6)
const line = (record: Partial<LogRecord>, useColour?: boolean): string =>
  formatRecord({ level: 'info', area: 'acse', message: 'm', fields: {}, ...record }, AT, useColour)

test('log: one readable line', (t) => {
  t.is(
    line({ message: 'association accepted', fields: { association: 'a1', peer: 'CT 1', n: 0, none: undefined, list: [1, 2] } }),
    '03:04:05.006 info  acse   association accepted association=a1 peer="CT 1" n=0 list="[ 1, 2 ]"',
  )
  t.is(line({ level: 'error', area: 'server', fields: { error: new DicomtapError('DICOMTAP_ERR_NET_LISTEN', 'port taken') } }),
    '03:04:05.006 error server m error="port taken"')
})

test('log: what a peer sends can neither break the line nor steer the terminal', (t) => {
  const text = line({ message: 'peer\nforged \u001b[2J', fields: { aeTitle: 'A\r\nB\u001b]0;x\u0007', other: '\u0085\u2028\u202e' } })
  t.notRegex(text, /[\p{Cc}\u2028\u202e]/u)
  t.true(text.includes('peer\\u000aforged \\u001b[2J'))
  t.true(text.includes('aeTitle="A\\r\\nB\\u001b]0;x\\u0007"'))
})

test('log: the stack of an unexpected error follows, that of ours does not', (t) => {
  const [first, ...rest] = line({ level: 'error', fields: { error: new TypeError('x is not a function') } }).split('\n')
  t.true(first!.endsWith('error="x is not a function"'))
  t.true(rest.length > 0 && rest.every((place) => /^ {4}at /.test(place)))
  t.is(line({ level: 'warn', fields: { error: new TypeError('x') } }).split('\n').length, 1)
})

test.serial('log: colour on a terminal, unless NO_COLOR is set', (t) => {
  const before = process.env.NO_COLOR
  t.teardown(() => {
    if (before === undefined) delete process.env.NO_COLOR
    else process.env.NO_COLOR = before
  })
  const write = (isTTY: boolean): string => {
    let out = ''
    consoleSink({ isTTY, write: (text: string) => void (out += text) })({ level: 'warn', area: 'dul', message: 'm', fields: {} })
    return out
  }
  delete process.env.NO_COLOR
  t.true(write(true).includes('\u001b[33mwarn'))
  t.false(write(false).includes('\u001b'))
  process.env.NO_COLOR = '1'
  t.false(write(true).includes('\u001b'))
  t.true(write(true).endsWith('m\n'))
})

test('log: levels, children and areas', (t) => {
  const records: LogRecord[] = []
  const log = createLogger({ level: 'warn', sink: (record) => records.push(record) })
  const child = log.child({ association: 'a1' }, 'acse').child({ n: 1 })
  log.info('dropped')
  log.warn('kept')
  child.error('bad', { n: 2 })
  t.deepEqual(records, [
    { level: 'warn', area: 'server', message: 'kept', fields: {} },
    { level: 'error', area: 'acse', message: 'bad', fields: { association: 'a1', n: 2 } },
  ])
  t.true(child.isEnabled('warn'))
  t.false(child.isEnabled('info'))
  t.false(createLogger({ level: 'silent', sink: () => t.fail() }).isEnabled('error'))
})

test('log: the last sink set wins, also for children made before, and can be taken back in any order', (t) => {
  const seen: string[] = []
  const sink = (name: string) => ({ message }: LogRecord): void => void seen.push(`${name}:${message}`)
  const log = createLogger({ level: 'info', sink: sink('own') })
  const child = log.child({})
  const takeBackA = log.setSink(sink('a'))
  const takeBackB = log.setSink(sink('b'), (level, area) => level === 'debug' && area === 'server')
  t.true(child.isEnabled('debug'))
  child.debug('1')
  child.error('filtered')
  takeBackA()
  child.debug('2')
  takeBackB()
  takeBackB()
  child.debug('below the level')
  child.info('3')
  t.deepEqual(seen, ['b:1', 'b:2', 'own:3'])
})
