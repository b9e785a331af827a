import { configJsonSchema } from '@dicomtap/framework'
import { z } from 'zod'

interface NumberSchema {
  readonly minimum?: number
  readonly maximum?: number
  readonly const?: unknown
  readonly anyOf?: readonly NumberSchema[]
  readonly properties?: Readonly<Record<string, NumberSchema>>
  readonly description?: string
}

/** The numbers under a key of the configuration, each within what the configuration allows. @param without not these */
export function settingNumbers(key: 'limits' | 'timeouts', without: readonly string[]): Record<string, z.ZodOptional<z.ZodType>> {
  const { properties = {} } = configJsonSchema() as NumberSchema
  const group = properties[key]
  const fields = (group?.properties ?? group?.anyOf?.find((one) => one.properties !== undefined)?.properties) ?? {}
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !without.includes(name))
      .map(([name, schema]) => [name, number(schema).optional()]),
  )
}

function number(schema: NumberSchema): z.ZodType {
  const { minimum, maximum } = schema.anyOf?.find((one) => one.minimum !== undefined) ?? schema
  const others = (schema.anyOf ?? []).filter((one) => 'const' in one).map((one) => one.const)
  let integer = z.int()
  if (minimum !== undefined) integer = integer.min(minimum)
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) integer = integer.max(maximum)
  const either = others.length === 0 ? integer : z.union([integer, ...others.map((one) => z.literal(one as 0 | null))])
  return schema.description === undefined ? either : either.meta({ description: schema.description })
}
