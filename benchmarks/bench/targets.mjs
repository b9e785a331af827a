import { summary } from './tables.mjs'

/**
 * The goals: `of` a metric of a workload, as a ratio to a `reference` of the same repetition, or as it is. `atLeast` and
 * `atMost` are what is asked for. A ratio of speeds is above 1 when dicomtap is the faster one.
 */
export const TARGETS = [
  speed('a', 'messagesPerSecond', 'storescp+B-128k', 1.3),
  speed('b', 'messagesPerSecond', 'storescp+B', 1),
  speed('c', 'mibPerSecond', 'storescp+B-128k', 1.1),
  { workload: 'c', subject: 'dicomtap', reference: 'storescp+B-128k', field: 'cpuSecondsPerGib', atMost: 1, words: 'CPU seconds per GiB' },
  { ...speed('d', 'mibPerSecond', 'storescp-fork+B-128k', 1), subject: 'dicomtap-workers' },
  speed('d', 'mibPerSecond', 'storescp-fork+B-128k', 0.9),
  speed('e', 'messagesPerSecond', 'storescp+B', 1.2),
  speed('f', 'mibPerSecond', 'storescp+B-128k', 1),
  { workload: 'f', subject: 'dicomtap', field: 'peakRssMib', atMost: 100, words: 'peak RSS, MiB' },
  { workload: 'g', subject: 'dicomtap', field: 'accepted', atLeast: 500, words: 'accepted' },
  { workload: 'g', subject: 'dicomtap', field: 'lastAcceptMs', atMost: 300, words: 'all accepted within, ms' },
  { workload: 'g', subject: 'dicomtap', field: 'kibPerAssociation', atMost: 25, words: 'KiB per association', phases: ['cold'] },
  { workload: 'g', subject: 'dicomtap', reference: 'dcmjs-dimse', field: 'lastAcceptMs', atMost: 1, words: 'time until all are accepted' },
  { workload: 'h', subject: 'dicomtap', field: 'startMs', atMost: 300, words: 'start to first C-ECHO, ms' },
  ...['fsync-c', 'fsync-d'].flatMap((workload) => [
    { ...speed(workload, 'mibPerSecond', 'c-sink-file-fsync', 0.8), subject: 'dicomtap-fsync' },
    { ...speed(workload, 'mibPerSecond', 'orthanc-fsync', 5), subject: 'dicomtap-fsync' },
  ]),
  { ...speed('sending', 'mibPerSecond', 'storescu', 1.1), subject: 'dicomtap' },
  { ...speed('sending-delayed', 'mibPerSecond', 'storescu', 2), subject: 'window-8' },
  { ...speed('tls', 'mibPerSecond', 'storescp-tls', 1), subject: 'dicomtap-tls' },
  { workload: 'hooks-a', subject: 'plugins', reference: 'core', field: 'cpuSeconds', atMost: 1.03, words: 'CPU per C-ECHO' },
  { workload: 'hooks-c', subject: 'plugins', reference: 'core', field: 'cpuSeconds', atMost: 1.03, words: 'CPU per C-STORE of 512 KiB' },
]

function speed(workload, field, reference, atLeast) {
  return { workload, subject: 'dicomtap', reference, field, atLeast, words: { messagesPerSecond: 'messages per second', mibPerSecond: 'MiB/s' }[field] }
}

/** Whether a target says something in a phase: memory that was there before cannot be counted again. */
export function isAskedIn({ phases }, phase) {
  return phases === undefined || phases.includes(phase)
}

/** What came of a target in a phase: `{ median, least, most, count, isMet }`; undefined when it was not measured. */
export function outcome(target, phase, results) {
  const own = results.filter((one) => one.phase === phase && one.server === target.subject)
  const good = own.filter(isGood)
  const values = good.map((one) => {
    if (target.reference === undefined) return one[target.field]
    const other = results.find((of) => of.phase === phase && of.server === target.reference && of.repetition === one.repetition)
    return other === undefined || !isGood(other) ? undefined : one[target.field] / other[target.field]
  })
  const found = summary(values)
  if (found === undefined) return undefined
  const meets = (value) => (target.atLeast === undefined ? value <= target.atMost : value >= target.atLeast)
  return { ...found, isMet: good.length === own.length && meets(found.median), isAlwaysMet: good.length === own.length && meets(found.least) && meets(found.most) }
}

/** A run that failed, or was answered something else than 0000, has no speed. */
export function isGood({ error, failures }) {
  return error === undefined && failures === undefined
}
