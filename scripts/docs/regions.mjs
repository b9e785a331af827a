// The generated parts of the documentation, by the name that stands in `<!-- generated:name -->`.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT, workspaces } from '../workspaces.mjs'
import { DEPENDENCY_NOTES } from './dependency-notes.mjs'
import { ERROR_NOTES } from './error-notes.mjs'
import { LIMIT_NOTES, TIMEOUT_NOTES } from './limit-notes.mjs'
import { optionTable } from './option-table.mjs'

const framework = await import('../../packages/framework/dist/index.js')
const cli = await import('../../packages/cli/dist/index.js')
const scaffolder = await import('../../create-app/dist/program.js')

const { configJsonSchema, ERROR_CODES, HOOK_CATALOG, HOOK_NAMES } = framework

const commandsOfPlugins = await pluginCommands()
const queryCatalogue = await buildQueryCatalogue()

const KINDS = {
  notification: 'They tell what happened. A handler cannot change or delay it.',
  intervention: 'They ask. Handlers are asked in order, and the first answer that is not `undefined` wins.',
  transform: 'They pass a value along. Each handler gives it back, changed or not.',
  lifecycle: 'They mark the life of an ApplicationEntity. Each handler is awaited before the next one runs.',
}

const AREAS = {
  CFG: 'Configuration',
  PLG: 'Plugins',
  HOOK: 'Hooks and handlers',
  NET: 'Sockets',
  TLS: 'Secure transport',
  PDU: 'PDUs (PS3.8 9.3)',
  DUL: 'Upper layer (PS3.8)',
  ACSE: 'Association control',
  DIMSE: 'Messages and operations (PS3.7)',
  DS: 'Data sets',
  STO: 'Storage',
  QR: 'Query and retrieve',
}

/** Every generated part: name -> Markdown. */
export const REGIONS = {
  'hook-index': hookIndex,
  hooks,
  'error-index': errorIndex,
  errors,
  'config-options': () => optionTable(without(configJsonSchema(), ['timeouts', 'limits', 'listen'])),
  'listener-options': () => optionTable(without(itemsOf(property(configJsonSchema(), 'listen')), ['timeouts', 'limits'])),
  'context-options': () => optionTable(itemsOf(property(configJsonSchema(), 'contexts')), { isNested: true }),
  timeouts: () => limitTable(property(configJsonSchema(), 'timeouts'), TIMEOUT_NOTES, 'timeouts'),
  limits: () => limitTable(property(configJsonSchema(), 'limits'), LIMIT_NOTES, 'limits'),
  'plugin-options': pluginOptions,
  'config-files': () => [...cli.CONFIG_FILE_NAMES.map((name) => `- \`${name}\``), '- `package.json`, key `dicomtap`'].join('\n'),
  cli: () => commandHelp(cli.createProgram({}, () => {})),
  'plugin-commands': () => commandsOfPlugins,
  'create-dicomtap': () => helpText(scaffolder.createProgram(() => {})),
  dependencies,
  'framework-layers': () => layers('FRAMEWORK_LAYERS', 'packages/framework/src'),
  'query-retrieve-layers': () => layers('QUERY_RETRIEVE_LAYERS', 'packages/plugin-query-retrieve/src'),
  'query-keys': queryKeys,
}

function hookIndex() {
  return Object.keys(KINDS)
    .map((kind) => `- **${kind}**: ${hooksOf(kind).map((name) => `[${name}](#${name.toLowerCase()})`).join(', ')}`)
    .join('\n')
}

function hooks() {
  return Object.entries(KINDS)
    .map(([kind, words]) => `## ${capital(kind)} hooks\n\n${words}\n\n${hooksOf(kind).map(hookEntry).join('\n\n')}`)
    .join('\n\n')
}

function hooksOf(kind) {
  return HOOK_NAMES.filter((name) => HOOK_CATALOG[name].kind === kind)
}

function hookEntry(name) {
  const entry = HOOK_CATALOG[name]
  const args = entry.arguments.map((one) => `\`${one.name}: ${escapeCell(one.type)}\`, ${one.description}`)
  return [
    `### ${name}\n\n${entry.fires}\n`,
    ...rows([
      ['Kind', entry.kind],
      ['Type', `\`${entry.tapable}\``],
      ['Arguments', args.join('<br>')],
      ['Returns', entry.returns],
      ['No answer', entry.noAnswer],
      ['Error', entry.onError],
      ['Standard', entry.clause ?? 'none: dicomtap\'s own'],
      ['pynetdicom', entry.pynetdicom === undefined ? 'no such event' : `\`${entry.pynetdicom}\``],
      ['Since', `${entry.since}, ${entry.stability}`],
    ]),
  ].join('\n')
}

function errorIndex() {
  return Object.entries(AREAS)
    .map(([area, words]) => `- **${area}** ${words}: ${codesOf(area).map((code) => `[${shortCode(code)}](#${code.toLowerCase()})`).join(', ')}`)
    .join('\n')
}

function errors() {
  return Object.entries(AREAS)
    .map(([area, words]) => `## ${words}\n\n${codesOf(area).map(errorEntry).join('\n\n')}`)
    .join('\n\n')
}

function codesOf(area) {
  return Object.keys(ERROR_CODES).filter((code) => code.startsWith(`DICOMTAP_ERR_${area}_`))
}

function shortCode(code) {
  return code.replace(/^DICOMTAP_ERR_[A-Z]+_/, '')
}

function errorEntry(code) {
  const { cause, remedy } = ERROR_NOTES[code] ?? { cause: 'MISSING in scripts/docs/error-notes.mjs', remedy: '' }
  return [`### ${code}\n\n${ERROR_CODES[code]}.\n`, `- Cause: ${cause}`, `- What to do: ${remedy}`].join('\n')
}

function limitTable(schema, notes, path) {
  const properties = Object.entries(withoutNull(schema).properties)
  return [
    '| option | default | allowed | when it is reached |',
    '|---|---|---|---|',
    ...properties.map(([name, one]) => {
      const described = `\`${path}.${name}\`<br>${one.description}`
      return `| ${[described, number(one.default), allowed(one), notes[name] ?? 'MISSING in scripts/docs/limit-notes.mjs'].map(escapeCell).join(' | ')} |`
    }),
  ].join('\n')
}

function number(value) {
  return typeof value === 'number' ? value.toLocaleString('en').replaceAll(',', ' ') : String(value)
}

function allowed({ anyOf, minimum, maximum }) {
  const range = anyOf?.find((one) => one.type === 'integer') ?? { minimum, maximum }
  const most = range.maximum === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${number(range.maximum)}`
  const extra = anyOf?.find((one) => 'const' in one)
  return `${number(range.minimum)}${most}${extra === undefined ? '' : `; ${extra.const} for ${extra.description}`}`
}

function pluginOptions() {
  return workspaces()
    .filter(({ manifest, folder }) => manifest.keywords?.includes('dicomtap-plugin') && existsSync(join(folder, 'schema.json')))
    .map(({ manifest, folder, path }) => {
      const schema = JSON.parse(readFileSync(join(folder, 'schema.json'), 'utf8'))
      const table = Object.keys(schema.properties ?? {}).length === 0 ? 'It takes no options.' : optionTable(schema)
      return `### ${manifest.name}\n\n${manifest.description}. More: [its README](../../${path}/README.md).\n\n${table}`
    })
    .join('\n\n')
}

function commandHelp(program) {
  const parts = [helpText(program), ...program.commands.map((one) => `### ${program.name()} ${one.name()}\n\n${helpText(one)}`)]
  return parts.join('\n\n')
}

/** The commands that plugins of this repository bring, those within them too. */
async function pluginCommands() {
  const parts = []
  for (const { manifest, folder, path } of workspaces()) {
    for (const module of Object.values(manifest.dicomtap?.commands ?? {})) {
      if (!existsSync(join(folder, module))) continue
      const { command: definition } = await import(pathToFileURL(join(folder, module)).href)
      const command = cli.buildCommand(definition, async () => {})
      cli.createProgram({}, () => {}).addCommand(command)
      const within = command.commands.map((one) => `#### dicomtap ${command.name()} ${one.name()}\n\n${helpText(one)}`)
      parts.push([`### dicomtap ${command.name()}\n\nComes with [${manifest.name}](../../${path}/README.md).\n\n${helpText(command)}`, ...within].join('\n\n'))
    }
  }
  return parts.join('\n\n')
}

/** What `--help` prints, 100 columns wide. */
function helpText(command) {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100, getOutHasColors: () => false })
  command.outputHelp()
  return `\`\`\`text\n${text.trim()}\n\`\`\``
}

function dependencies() {
  const published = workspaces().filter(({ manifest }) => manifest.private !== true)
  const lines = published.flatMap(({ manifest, folder }) =>
    Object.entries(manifest.dependencies ?? {})
      .filter(([name]) => !name.startsWith('@dicomtap/'))
      .map(([name, range]) => {
        const note = DEPENDENCY_NOTES[name] ?? 'MISSING in scripts/docs/dependency-notes.mjs'
        const why = isImported(name, folder) ? note : 'Declared, but not imported in this version.'
        return `| \`${manifest.name}\` | [${name}](https://www.npmjs.com/package/${name}) \`${range}\` | ${installed(name, folder).license} | ${why} |`
      }),
  )
  return ['| package | depends on | licence | for |', '|---|---|---|---|', ...lines].join('\n')
}

function isImported(name, folder) {
  return readdirSync(join(folder, 'src'), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .some((file) => readFileSync(join(folder, 'src', file), 'utf8').match(new RegExp(`['"]${name}(?:/[^'"]*)?['"]`)) !== null)
}

function installed(name, folder) {
  const found = [folder, ROOT].map((from) => join(from, 'node_modules', name, 'package.json')).find(existsSync)
  return JSON.parse(readFileSync(found, 'utf8'))
}

/** The rows of a table in the import check, which is a script and not a module. */
function layers(table, folder) {
  const source = readFileSync(join(ROOT, 'scripts/check-imports.mjs'), 'utf8')
  const literal = new RegExp(`const ${table} = \\[\\n(.*?)\\n\\]`, 's').exec(source)[1]
  const layerRows = literal.split('\n').map((line) => [...line.matchAll(/'([^']+)'/g)].map(([, name]) => `\`${name}\``).join(', '))
  return [`| layer | in \`${folder}\` |`, '|---|---|', ...layerRows.map((row, index) => `| ${index + 1} | ${row} |`)].join('\n')
}

function without(schema, names) {
  const { properties, ...rest } = withoutNull(schema)
  const links = { timeouts: 'limits.md#time-outs', limits: 'limits.md#limits', listen: '#options-of-a-listener' }
  return {
    ...rest,
    properties: Object.fromEntries(
      Object.entries(properties)
        .filter(([name]) => name !== '$schema')
        .map(([name, one]) => [name, names.includes(name) ? { ...one, see: links[name] } : one]),
    ),
  }
}

function property(schema, name) {
  return withoutNull(schema.properties[name])
}

function itemsOf(schema) {
  return withoutNull(schema).items
}

function withoutNull(schema) {
  return schema.anyOf?.find((one) => one.type !== 'null' && !('const' in one)) ?? schema
}

function rows(pairs) {
  return ['| | |', '|---|---|', ...pairs.map(([name, value]) => `| ${name} | ${escapeCell(value)} |`)]
}

function escapeCell(text) {
  return text.replaceAll(/(?<!\\)\|/g, String.raw`\|`)
}

function capital(word) {
  return word[0].toUpperCase() + word.slice(1)
}

async function buildQueryCatalogue() {
  const { buildCatalogue } = await import('../../packages/plugin-query-retrieve/dist/model/catalogue.js')
  return buildCatalogue({ patient: [], study: [], series: [], instance: [] })
}

function queryKeys() {
  // PS3.4 tables C.6-1 to C.6-4.
  const kinds = {
    U: ['PatientID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'],
    R: ['PatientName', 'StudyDate', 'StudyTime', 'AccessionNumber', 'StudyID', 'Modality', 'SeriesNumber', 'InstanceNumber'],
  }
  const computed = {
    PATIENT: 'NumberOfPatientRelatedStudies, NumberOfPatientRelatedSeries, NumberOfPatientRelatedInstances',
    STUDY: 'ModalitiesInStudy, SOPClassesInStudy, NumberOfStudyRelatedSeries, NumberOfStudyRelatedInstances',
    SERIES: 'NumberOfSeriesRelatedInstances',
    IMAGE: 'AvailableTransferSyntaxUID',
  }
  const keyword = ({ name }) => name.replace(/^RETIRED_/, '')
  const marked = (name) => `${name}${kinds.U.includes(name) ? ' (U)' : kinds.R.includes(name) ? ' (R)' : ''}`
  const rows = Object.keys(computed).map((level) => `| ${level} | ${queryCatalogue.ofLevel(level).map(keyword).map(marked).join(', ')} | ${computed[level]} |`)
  return ['| level | keys | computed |', '|---|---|---|', ...rows, '| any | | RetrieveAETitle, InstanceAvailability: returned, not matched |'].join('\n')
}
