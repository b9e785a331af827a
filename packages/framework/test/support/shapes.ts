/** Undefined when a value is as it must be, else what is wrong with it. */
export type Shape = (value: unknown) => string | undefined

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : `${typeof value} ${String(value)}`
}

export function that(what: string, isFitting: (value: unknown) => boolean): Shape {
  return (value) => (isFitting(value) ? undefined : `must be ${what}, is ${shown(value)}`)
}

export const text: Shape = that('text', (value) => typeof value === 'string')
export const flag: Shape = that('true or false', (value) => typeof value === 'boolean')
export const number: Shape = that('a number', (value) => typeof value === 'number' && value >= 0)
export const count: Shape = that('a whole number', (value) => Number.isInteger(value) && (value as number) >= 0)
export const bytes: Shape = that('bytes', (value) => value instanceof Uint8Array)
export const anything: Shape = () => undefined
export const nothing: Shape = that('undefined', (value) => value === undefined)

export function oneOf(...values: readonly unknown[]): Shape {
  return that(`one of ${values.join(', ')}`, (value) => values.includes(value))
}

export function either(...shapes: readonly Shape[]): Shape {
  return (value) => {
    const problems = shapes.map((shape) => shape(value))
    return problems.includes(undefined) ? undefined : problems.join(', or ')
  }
}

export function listOf(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return `must be a list, is ${shown(value)}`
    return value.map(shape).find((problem) => problem !== undefined)
  }
}

/** An object with these fields and no others; those of `optional` may be missing. */
export function fields(required: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape {
  return (value) => {
    if (typeof value !== 'object' || value === null) return `must be an object, is ${shown(value)}`
    const given = value as Record<string, unknown>
    const shapes = { ...required, ...optional }
    for (const name of Object.keys(required)) if (!(name in given)) return `${name} is missing`
    for (const name of Object.keys(given)) if (!Object.hasOwn(shapes, name)) return `${name} is not in its type`
    for (const [name, shape] of Object.entries(shapes)) {
      const problem = name in given ? shape(given[name]) : undefined
      if (problem !== undefined) return `${name} ${problem}`
    }
    return undefined
  }
}

/** An object of a class, with these among its members. */
export function has(members: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    if (typeof value !== 'object' || value === null) return `must be an object, is ${shown(value)}`
    for (const [name, shape] of Object.entries(members)) {
      const problem = shape((value as Record<string, unknown>)[name])
      if (problem !== undefined) return `${name} ${problem}`
    }
    return undefined
  }
}
