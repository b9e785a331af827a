// The same queries to dicomtap, DCMTK's dcmqrscp and Orthanc: we answer what the files say, and where the others do
// not, docs/reference/query-retrieve.md tells why. `node scripts/compare-pacs.mjs` prints the table.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './support/archive.js'
import { compareArchives } from './support/compare.js'
import { DEVIATION_KINDS, inWords, kindOf } from './support/deviation-kinds.js'
import { interop } from './support/interop.js'

interop(['dcmtk', 'orthanc'], 'dcmqrscp, Orthanc and dicomtap: every difference is explained', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-compare-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { queries, deviations } = await compareArchives(folder)
  t.true(queries > 150)
  t.deepEqual(deviations.filter(({ archive }) => archive === 'dicomtap').map(inWords), [])
  t.deepEqual(deviations.filter((deviation) => kindOf(deviation) === undefined).map(inWords), [])
  t.true(deviations.length > 0, 'the others were asked')

  const page = await readFile(join(ROOT, 'docs/reference/query-retrieve.md'), 'utf8')
  const section = page.slice(page.indexOf('\n## Other archives'))
  for (const { title } of DEVIATION_KINDS) t.true(section.includes(`**${title}**`), `${title} is in the documentation`)
})
