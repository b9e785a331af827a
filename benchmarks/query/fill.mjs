import { internal } from './internal.mjs'
import { instanceOf } from './synthetic.mjs'

const AT_ONCE = 4000

/**
 * Adds `instances` synthetic instances to the index of `database` (the option of the plugin), by the way that stored objects take.
 * @returns `{ seconds, databaseBytes }`
 */
export async function fillIndex({ database, instances, onProgress }) {
  const [{ openIndex }, { buildCatalogue }, { describeInstance }] = await Promise.all([
    internal('database/open-index.js'),
    internal('model/catalogue.js'),
    internal('model/describe-instance.js'),
  ])
  const attributes = await buildCatalogue({ patient: [], study: [], series: [], instance: [] })
  const silent = { error: console.error, warn: console.error, info() {}, debug() {}, trace() {}, isEnabled: () => false, child: () => silent }
  const index = openIndex({ database, resolvePath: (path) => path, log: silent })
  await index.start()
  const startedAt = performance.now()
  try {
    for (let first = 0; first < instances; first += AT_ONCE) {
      const count = Math.min(AT_ONCE, instances - first)
      await Promise.all(Array.from({ length: count }, (_, offset) => {
        const { dataset, file } = instanceOf(first + offset)
        return index.add(describeInstance(dataset, file, attributes))
      }))
      onProgress?.(first + count)
    }
    const { instances: held, databaseBytes } = await index.counts()
    if (held !== instances) throw new Error(`the index holds ${held} instances of ${instances}`)
    return { seconds: (performance.now() - startedAt) / 1000, databaseBytes }
  } finally {
    await index.close()
  }
}
