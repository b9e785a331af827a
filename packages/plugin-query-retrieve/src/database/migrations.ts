import { sql, type CreateTableBuilder, type Kysely, type Migration } from 'kysely'
import type { DatabaseKind } from './instance-index.ts'

/** The versions of the tables, in order. One that was released is never changed. */
export function migrations(kind: DatabaseKind): Record<string, Migration> {
  return { '0001-instances': { up: (database: Kysely<unknown>) => createTables(database, kind) } }
}

const TABLES = {
  patient: {
    text: ['patient_key', 'patient_id', 'issuer', 'name_alphabetic', 'name_ideographic', 'name_phonetic', 'birth_date', 'attributes'],
    numbers: [],
    references: {},
    unique: [['patient_key']],
    indexes: [['patient_id'], ['name_alphabetic'], ['name_ideographic'], ['name_phonetic'], ['birth_date']],
  },
  study: {
    text: ['study_instance_uid', 'study_date', 'study_time', 'accession_number', 'study_id', 'attributes'],
    numbers: ['last_stored_at_ms', 'size_bytes'],
    references: { patient: 'patient' },
    unique: [['study_instance_uid']],
    indexes: [['patient'], ['study_date'], ['accession_number'], ['study_id'], ['last_stored_at_ms', 'size_bytes']],
  },
  series: {
    text: ['series_instance_uid', 'modality', 'series_number', 'attributes'],
    numbers: [],
    references: { study: 'study' },
    unique: [['study', 'series_instance_uid']],
    indexes: [['series_instance_uid'], ['modality']],
  },
  instance: {
    text: ['sop_instance_uid', 'sop_class_uid', 'transfer_syntax_uid', 'instance_number', 'path', 'attributes'],
    numbers: ['size_bytes', 'stored_at_ms', 'replaced'],
    references: { series: 'series' },
    unique: [['series', 'sop_instance_uid'], ['path']],
    indexes: [['sop_instance_uid']],
  },
} as const

async function createTables(database: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  // COLLATE "C" is the order of SQLite: by bytes. With it an index answers for beginnings too.
  const text = kind === 'postgres' ? sql`text collate "C"` : sql`text`
  const number = kind === 'postgres' ? sql`bigint` : sql`integer`

  /** Numbers of rows are never used again: what refers to one that is gone fails instead of finding another. */
  const withId = (table: CreateTableBuilder<string, string>): CreateTableBuilder<string, string> =>
    kind === 'postgres'
      ? table.addColumn('id', 'bigint', (column) => column.generatedAlwaysAsIdentity().primaryKey())
      : table.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())

  const indexes = async (table: string, unique: readonly (readonly string[])[], others: readonly (readonly string[])[]): Promise<void> => {
    for (const columns of unique) await database.schema.createIndex(`${table}_by_${columns.join('_')}`).on(table).columns([...columns]).unique().execute()
    for (const columns of others) await database.schema.createIndex(`${table}_by_${columns.join('_')}`).on(table).columns([...columns]).execute()
  }

  for (const [name, definition] of Object.entries(TABLES)) {
    let table = withId(database.schema.createTable(name) as CreateTableBuilder<string, string>)
    for (const [column, target] of Object.entries(definition.references)) table = table.addColumn(column, number, (it) => it.notNull().references(`${target}.id`))
    for (const column of definition.text) table = table.addColumn(column, text, (it) => it.notNull())
    for (const column of definition.numbers) table = table.addColumn(column, number, (it) => it.notNull().defaultTo(0))
    if (name !== 'instance') table = table.addColumn('digest', text, (it) => it.notNull().defaultTo(''))
    await table.execute()
    await indexes(name, definition.unique, definition.indexes)
  }

  await database.schema.createTable('key_value')
    .addColumn('level', 'integer', (it) => it.notNull())
    .addColumn('owner', number, (it) => it.notNull())
    .addColumn('tag', number, (it) => it.notNull())
    .addColumn('value', text, (it) => it.notNull())
    .execute()
  await indexes('key_value', [], [['level', 'tag', 'value', 'owner'], ['level', 'owner']])

  await database.schema.createTable('name_token')
    .addColumn('patient', number, (it) => it.notNull().references('patient.id').onDelete('cascade'))
    .addColumn('token', text, (it) => it.notNull())
    .addColumn('code', text, (it) => it.notNull())
    .execute()
  await indexes('name_token', [], [['token', 'patient'], ['code', 'patient'], ['patient']])

  await database.schema.createTable('setting')
    .addColumn('name', text, (it) => it.primaryKey())
    .addColumn('value', text, (it) => it.notNull())
    .execute()

  for (const statement of kind === 'postgres' ? POSTGRES_TRIGGERS : SQLITE_TRIGGERS) await sql.raw(statement).execute(database)
}

/** study.size_bytes and study.last_stored_at_ms follow from the instances, whoever writes these. */
const SQLITE_TRIGGERS = [
  `create trigger instance_added after insert on instance begin
    update study set size_bytes = size_bytes + new.size_bytes, last_stored_at_ms = max(last_stored_at_ms, new.stored_at_ms)
    where id = (select study from series where id = new.series);
  end`,
  `create trigger instance_removed after delete on instance begin
    update study set size_bytes = size_bytes - old.size_bytes where id = (select study from series where id = old.series);
  end`,
  `create trigger instance_changed after update of series, size_bytes, stored_at_ms on instance begin
    update study set size_bytes = size_bytes - old.size_bytes where id = (select study from series where id = old.series);
    update study set size_bytes = size_bytes + new.size_bytes, last_stored_at_ms = max(last_stored_at_ms, new.stored_at_ms)
    where id = (select study from series where id = new.series);
  end`,
]

/** Once for each statement: many instances of a study are one change of its row. Rows are locked in order. */
const POSTGRES_TRIGGERS = [
  `create function study_follows_instance() returns trigger language plpgsql as $$
  begin
    if TG_OP = 'INSERT' then
      perform 1 from study where id in (select s.study from added a join series s on s.id = a.series) order by id for no key update;
      update study t set size_bytes = t.size_bytes + c.bytes, last_stored_at_ms = greatest(t.last_stored_at_ms, c.last)
      from (select s.study, sum(a.size_bytes)::bigint as bytes, max(a.stored_at_ms) as last from added a join series s on s.id = a.series group by s.study) c
      where t.id = c.study;
    elsif TG_OP = 'DELETE' then
      perform 1 from study where id in (select s.study from removed r join series s on s.id = r.series) order by id for no key update;
      update study t set size_bytes = t.size_bytes - c.bytes
      from (select s.study, sum(r.size_bytes)::bigint as bytes from removed r join series s on s.id = r.series group by s.study) c
      where t.id = c.study;
    else
      perform 1 from study where id in (select s.study from (select series from added union select series from removed) x join series s on s.id = x.series)
        order by id for no key update;
      update study t set size_bytes = t.size_bytes + c.bytes, last_stored_at_ms = greatest(t.last_stored_at_ms, c.last)
      from (
        select s.study, sum(x.bytes)::bigint as bytes, max(x.last) as last
        from (
          select series, size_bytes as bytes, stored_at_ms as last from added
          union all
          select series, -size_bytes, 0 from removed
        ) x join series s on s.id = x.series group by s.study
      ) c
      where t.id = c.study;
    end if;
    return null;
  end $$`,
  `create trigger instance_added after insert on instance referencing new table as added
    for each statement execute function study_follows_instance()`,
  `create trigger instance_removed after delete on instance referencing old table as removed
    for each statement execute function study_follows_instance()`,
  `create trigger instance_changed after update on instance referencing old table as removed new table as added
    for each statement execute function study_follows_instance()`,
]
