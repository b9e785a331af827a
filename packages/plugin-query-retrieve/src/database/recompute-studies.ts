import { sql, type Transaction } from 'kysely'
import type { DatabaseKind } from './instance-index.ts'
import type { IndexSchema } from './schema.ts'

/** Of one transaction: others wait for it. */
export const STUDIES_AT_ONCE = 50

/** What triggers keep of the instances of these studies, from the instances themselves. */
export async function recomputeStudies(transaction: Transaction<IndexSchema>, kind: DatabaseKind, ids: readonly number[]): Promise<void> {
  // The statement after this one sees what was added by those that it waited for; whoever comes later adds to the result.
  if (kind === 'postgres') await transaction.selectFrom('study').select('id').where('id', 'in', ids).orderBy('id').forNoKeyUpdate().execute()
  await sql`update study set size_bytes = c.bytes, last_stored_at_ms = c.last
    from (
      select s.study, cast(sum(i.size_bytes) as bigint) as bytes, max(i.stored_at_ms) as last
      from series s join instance i on i.series = s.id where s.study in (${sql.join(ids)}) group by s.study
    ) c
    where study.id = c.study and (study.size_bytes <> c.bytes or study.last_stored_at_ms <> c.last)`.execute(transaction)
}
