// A Markdown table of options from a JSON Schema.

/** One row per property: name, type, default, description. `see` of a property links to its own table. */
export function optionTable(schema, { isNested = false } = {}) {
  const head = ['| option | value | default | |', '|---|---|---|---|']
  return [...head, ...rowsOf(schema, isNested ? '' : undefined)].join('\n')
}

function rowsOf(schema, path = '') {
  return Object.entries(schema.properties).flatMap(([name, one]) => {
    const full = path === '' ? name : `${path}.${name}`
    const inner = objectIn(one)
    const isRequired = schema.required?.includes(name) === true && one.default === undefined
    const row = `| \`${full}\` | ${cell(typeOf(one))} | ${isRequired ? 'required' : cell(fallback(one))} | ${cell(words(one))} |`
    return one.see === undefined && inner !== undefined ? [row, ...rowsOf(inner, full)] : [row]
  })
}

function objectIn(schema) {
  const found = [schema, ...(schema.anyOf ?? [])].find((one) => one.type === 'object' && one.properties !== undefined)
  return found
}

function words({ description = '', see }) {
  return see === undefined ? description : `${description}: [table](${see})`
}

function fallback({ default: value }) {
  if (value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)) return ''
  return `\`${JSON.stringify(value)}\``
}

function typeOf(schema) {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  switch (schema.type) {
    case 'integer':
    case 'number':
      return range(schema)
    case 'boolean':
      return '`true`, `false`'
    case 'array':
      return `list of ${schema.items === undefined || Object.keys(schema.items).length === 0 ? 'anything' : listed(schema.items)}`
    case 'object':
      return 'object'
    case 'null':
      return '`null`'
    case 'string':
      return 'text'
    default:
      return 'anything'
  }
}

function listed(items) {
  return typeOf(items) === 'text' ? 'texts' : items.anyOf === undefined ? `${typeOf(items)}s` : `(${typeOf(items)})`
}

function range({ minimum, maximum }) {
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (low === undefined) return 'number'
  return high === undefined ? `number, ${low} or more` : `${low} to ${high}`
}

function cell(text) {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
}
