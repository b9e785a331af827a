import type { IndexedInstance } from '../../model/instance.ts'
import { digested, type Digested } from '../digested.ts'
import type { ArrivedHead, HeadOutcome } from '../instance-index.ts'
import { additionToKnownSeries, isPlain, replacedOf, type AddedRow } from '../known-series.ts'
import { LEVEL_NUMBERS } from '../schema.ts'
import { inTransaction, type Connection } from './connection.ts'
import type { ArrivedHeads } from './heads.ts'

/**
 * Adds those that belong to known series, in one transaction; of the others it is said what is in them. They are
 * described inside of it: whoever removes one meanwhile does so before, and it is not there, or after.
 */
export function addHeads(connection: Connection, heads: readonly ArrivedHead[], known: ArrivedHeads): readonly HeadOutcome[] {
  let instances: readonly (IndexedInstance | undefined)[] = []
  let added: ReadonlySet<unknown> = new Set()
  try {
    added = inTransaction(connection, () => {
      instances = heads.map((head) => known.describe(head))
      return addPlain(connection, instances.flatMap((instance) => instance ?? []).map(digested).filter(isPlain))
    })
  } catch (error) {
    // E.g. a path that another instance had: that takes more steps.
    if (!String((error as { code?: unknown }).code).startsWith('SQLITE_CONSTRAINT')) throw error
  }
  return instances.map((instance) => (instance === undefined ? 'unread' : added.has(instance.path) ? 'added' : instance))
}

function addPlain(connection: Connection, batch: readonly Digested[]): ReadonlySet<string> {
  if (batch.length === 0) return new Set()
  const { sql, parameters } = additionToKnownSeries('sqlite', batch)
  const rows = connection.run(sql, parameters).rows.map(([id, path, replaced]) => ({ id, path, replaced }) as AddedRow)
  for (const id of replacedOf(rows)) connection.run(`delete from key_value where level = ${LEVEL_NUMBERS.IMAGE} and owner = ?`, [id])
  return new Set(rows.map(({ path }) => path))
}
