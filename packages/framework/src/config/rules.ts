import { suggestion } from '../near-names.ts'

/** A JSON Schema, as far as rules need it. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** One line of what is wrong, with its path: `listen[0].port: must be 0 to 65535, got 70000`. */
export type Problems = string[]

/**
 * One rule for one kind of value: what the constructors check, what the config file is checked with and
 * what editors are told are the same thing.
 */
export interface Rule<T = unknown> {
  /** The value as it is used; undefined when it is not allowed, with a line added to `problems`. */
  parse(value: unknown, path: string, problems: Problems): T | undefined
  readonly schema: JsonSchema
  /** Not for files, so editors are not told of it. */
  readonly isCodeOnly?: true
}

/** A value as it may be shown in a message: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `"${value.length > 40 ? `${value.slice(0, 40)}...` : value}"`.replace(/\p{Cc}/gu, '?')
  if (value === null || ['number', 'boolean', 'bigint'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : typeof value
}

/** A rule for a single value. */
export interface ValueRule<T> extends Rule<T> {
  /** What it must be, to follow "must be". */
  readonly must: string
  /** What the value is worth, or undefined when it is not allowed. */
  test(candidate: unknown): T | undefined
}

export function value<T>(must: string, schema: JsonSchema, test: (candidate: unknown) => T | undefined): ValueRule<T> {
  return {
    must,
    schema,
    test,
    parse(candidate, path, problems) {
      const result = test(candidate)
      if (result === undefined) problems.push(`${path}: must be ${must}, got ${show(candidate)}`)
      return result
    },
  }
}

export function boolean(): ValueRule<boolean> {
  return value('true or false', { type: 'boolean' }, (candidate) => (typeof candidate === 'boolean' ? candidate : undefined))
}

export function integer(minimum: number, maximum: number, unit = ''): ValueRule<number> {
  const must = maximum === Number.MAX_SAFE_INTEGER ? `a whole number${unit}, at least ${minimum}` : `${minimum} to ${maximum}${unit}`
  return value(must, { type: 'integer', minimum, maximum }, (candidate) =>
    Number.isInteger(candidate) && (candidate as number) >= minimum && (candidate as number) <= maximum
      ? (candidate as number)
      : undefined,
  )
}

export function text(must: string, pattern: RegExp): ValueRule<string> {
  return value(must, { type: 'string', pattern: pattern.source }, (candidate) =>
    typeof candidate === 'string' && pattern.test(candidate) ? candidate : undefined,
  )
}

export function oneOf<const T extends string>(...choices: readonly T[]): ValueRule<T> {
  return value(`one of ${choices.join(', ')}`, { enum: choices }, (candidate) => choices.find((choice) => choice === candidate))
}

/** As `rule`, and one value more with a meaning of its own. */
export function orElse<T, const Extra extends null | 0>(rule: ValueRule<T>, extra: Extra, meaning: string): ValueRule<T | Extra> {
  return value<T | Extra>(`${rule.must}, or ${extra} for ${meaning}`, { anyOf: [rule.schema, { const: extra, description: meaning }] }, (candidate) =>
    candidate === extra ? extra : rule.test(candidate),
  )
}

/** A list; of what is wrong in it, every entry is told. */
export function listOf<T>(rule: Rule<T>, minimum = 0): Rule<T[]> {
  return {
    schema: { type: 'array', items: rule.schema, ...(minimum > 0 ? { minItems: minimum } : {}) },
    parse(candidate, path, problems) {
      if (!Array.isArray(candidate)) {
        problems.push(`${path}: must be a list, got ${show(candidate)}`)
        return undefined
      }
      if (candidate.length < minimum) problems.push(`${path}: must have at least ${minimum} entry`)
      return candidate.map((entry, index) => rule.parse(entry, `${path}[${index}]`, problems)) as T[]
    },
  }
}

type Fields = Readonly<Record<string, Rule>>

/** An object whose keys are all known. Absent keys stay absent; undefined counts as absent. */
export function objectOf<T>(fields: Fields, required: readonly string[] = [], hints: Readonly<Record<string, string>> = {}): Rule<T> {
  const inFiles = Object.entries(fields).filter(([, rule]) => rule.isCodeOnly !== true)
  const properties = Object.fromEntries(inFiles.map(([key, rule]) => [key, rule.schema]))
  return {
    schema: { type: 'object', properties, additionalProperties: false, ...(required.length > 0 ? { required } : {}) },
    parse(candidate, path, problems) {
      if (typeof candidate !== 'object' || candidate === null || Array.isArray(candidate)) {
        problems.push(`${path === '' ? 'the configuration' : path}: must be an object, got ${show(candidate)}`)
        return undefined
      }
      const result: Record<string, unknown> = {}
      for (const [key, entry] of Object.entries(candidate)) {
        const at = path === '' ? key : `${path}.${key}`
        const rule = Object.hasOwn(fields, key) ? fields[key] : undefined
        if (rule === undefined) {
          const hint = Object.hasOwn(hints, key) ? hints[key] : suggestion(key, Object.keys(fields))
          problems.push(`${at}: is not an option${hint}`)
        } else {
          const parsed = entry === undefined ? undefined : rule.parse(entry, at, problems)
          if (parsed !== undefined) result[key] = parsed
        }
      }
      for (const key of required) {
        if ((candidate as Record<string, unknown>)[key] === undefined) problems.push(`${path === '' ? key : `${path}.${key}`}: is missing`)
      }
      return result as T
    },
  }
}

/** As `rule`, and `null` counts as left out: what YAML makes of a key with nothing after it. */
export function orNothing<T>(rule: Rule<T>): Rule<T> {
  return {
    schema: { anyOf: [rule.schema, { type: 'null' }] },
    parse: (candidate, path, problems) => (candidate === null ? undefined : rule.parse(candidate, path, problems)),
  }
}

/** As `rule`, for what only code can give. */
export function codeOnly<T>(rule: Rule<T>): Rule<T> {
  return { ...rule, isCodeOnly: true }
}

/** As `rule`, with a text for the editors. */
export function described<T>(rule: Rule<T>, description: string, fallback?: unknown): Rule<T> {
  return { ...rule, schema: { ...rule.schema, description, ...(fallback === undefined ? {} : { default: fallback }) } }
}
