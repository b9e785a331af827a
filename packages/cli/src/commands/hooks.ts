import { ApplicationEntity, DicomtapError, HOOK_CATALOG, HOOK_NAMES, listTaps, Stage } from '@dicomtap/framework'
import type { HookCatalogEntry, HookListing, HookName, TapListing } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
import { EXIT_USAGE } from '../output/exit-codes.ts'
import { reportError } from '../output/report-error.ts'
import { note, painter, print, printJson, table } from '../output/terminal.ts'
import type { HooksOptions } from '../program.ts'

/** What `dicomtap hooks --json` prints per hook: the catalog's entry and the taps in order. */
export interface HookReport extends HookCatalogEntry {
  readonly hook: HookName
  readonly taps: readonly TapListing[]
}

/** Lists the hooks that plugins use, or explains one. */
export async function hooks(name: string | undefined, options: HooksOptions): Promise<number> {
  if (name !== undefined && !Object.hasOwn(HOOK_CATALOG, name)) return unknownHook(name)
  // The catalog needs no configuration: without one, say so and go on.
  const listings = await loadListings(options, name !== undefined || options.all === true)
  const wanted = listings.filter(({ hook, taps }) => (name === undefined ? options.all === true || taps.length > 0 : hook === name))
  const reports = wanted.map(({ hook, taps }): HookReport => ({ hook, ...HOOK_CATALOG[hook], taps }))
  if (options.json === true) printJson(name === undefined ? reports : reports[0])
  else if (name === undefined) printList(reports)
  else for (const report of reports) explain(report)
  return 0
}

/** The framework knows which names are near. */
function unknownHook(name: string): number {
  try {
    new ApplicationEntity().handlers(name as HookName)
  } catch (error) {
    reportError(error)
  }
  note('Run "dicomtap hooks --all" to see what there is.')
  return EXIT_USAGE
}

async function loadListings(options: HooksOptions, isConfigOptional: boolean): Promise<readonly HookListing[]> {
  try {
    const { ae } = await createApplication(options.config)
    const listings = listTaps(ae.hooks)
    await ae.close({ deadlineMs: 0 })
    return listings
  } catch (error) {
    const isAbsent = error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_CFG_NOT_FOUND' && options.config === undefined
    if (!isAbsent || !isConfigOptional) throw error
    note('No configuration in this folder: no plugins are shown.')
    return HOOK_NAMES.map((hook) => ({ hook, kind: HOOK_CATALOG[hook].kind, taps: [] }))
  }
}

function printList(reports: readonly HookReport[]): void {
  const paint = painter(process.stdout)
  if (reports.length === 0) return print('No plugin uses a hook.')
  for (const { hook, kind, taps } of reports) {
    print(`${paint('bold', hook)} ${paint('dim', kind)}`)
    if (taps.length > 0) print(tapTable(taps))
  }
}

function tapTable(taps: readonly TapListing[]): string {
  return table(taps.map((tap, index) => [`${index + 1}.`, tap.plugin, stageName(tap.stage), sopClasses(tap)]), '  ')
}

function stageName(stage: number): string {
  return Object.entries(Stage).find(([, value]) => value === stage)?.[0] ?? String(stage)
}

function sopClasses({ sopClasses: uids }: TapListing): string {
  if (uids === undefined) return ''
  return uids.length > 3 ? `${uids.length} SOP classes` : uids.join(', ')
}

function explain(report: HookReport): void {
  const paint = painter(process.stdout)
  const { hook, kind, fires, returns, noAnswer, onError, clause, pynetdicom, since, stability, taps } = report
  print(`${paint('bold', hook)}\n${fires}\n`)
  print(
    table([
      ['Kind', kind],
      ['Gives', returns],
      ['No answer', noAnswer],
      ['On error', onError],
      ...(clause === undefined ? [] : [['Standard', clause]]),
      ...(pynetdicom === undefined ? [] : [['pynetdicom', pynetdicom]]),
      ['Since', `${since}, ${stability}`],
    ]),
  )
  print(`\n${paint('bold', 'Arguments')}`)
  print(table(report.arguments.map((one) => [one.name, one.type, one.description]), '  '))
  print(`\n${paint('bold', 'Plugins, in order')}`)
  print(taps.length === 0 ? '  none' : tapTable(taps))
}
