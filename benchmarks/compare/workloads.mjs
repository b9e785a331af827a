const MIB = 1_048_576
const GIB = 1024 * MIB

/**
 * What is measured, by letter. `load` are the generator's arguments; `metrics` the columns of the table, the
 * first one being what ratios are taken of.
 */
export const WORKLOADS = {
  a: {
    title: '(a) 2000 C-ECHO on one association',
    load: ['echo', '--n', '2000'],
    metrics: messageMetrics('msg/s'),
  },
  b: {
    title: '(b) 210 x associate, C-ECHO, release, one after the other',
    load: ['assoc', '--n', '210'],
    metrics: messageMetrics('assoc/s'),
  },
  c: {
    title: '(c) 210 x C-STORE of 512 KiB on one association',
    load: ['store', '--n', '210', '--size', String(512 * 1024)],
    bytes: 210 * 512 * 1024,
    metrics: storeMetrics(),
  },
  d: {
    title: '(d) 43 x C-STORE of 512 KiB on each of 8 associations',
    load: ['store', '--n', '43', '--associations', '8', '--size', String(512 * 1024)],
    bytes: 8 * 43 * 512 * 1024,
    metrics: storeMetrics(),
  },
  e: {
    title: '(e) 1000 x C-STORE of 8 KiB on one association',
    load: ['store', '--n', '1000', '--size', String(8 * 1024)],
    bytes: 1000 * 8 * 1024,
    metrics: messageMetrics('msg/s'),
  },
  i: {
    title: '(i) 250 C-STORE of 8 KiB on each of 8 associations',
    load: ['store', '--n', '250', '--associations', '8', '--size', String(8 * 1024)],
    bytes: 8 * 250 * 8 * 1024,
    metrics: messageMetrics('msg/s'),
    isConcurrent: true,
  },
  f: {
    title: '(f) one C-STORE of 1 GiB',
    load: ['store', '--n', '1', '--size', String(GIB)],
    bytes: GIB,
    metrics: [column('MiB/s', 'mibPerSecond'), column('CPU s/GiB', 'cpuSecondsPerGib', 2), column('peak RSS MiB', 'peakRssMib')],
  },
  g: {
    title: '(g) 500 associations asked for at once, then a C-ECHO on each',
    load: ['idle', '--associations', '500', '--wait', '12'],
    metrics: [
      column('last accept ms', 'lastAcceptMs', 0, true),
      column('accepted', 'accepted'),
      column('echoed', 'echoed'),
      column('KiB per association', 'kibPerAssociation'),
      column('CPU s', 'cpuSeconds', 2),
    ],
    isConcurrent: true,
  },
  h: {
    title: '(h) process start to first C-ECHO answer',
    metrics: [column('ms', 'startMs', 0, true), column('CPU s', 'cpuSeconds', 2), column('peak RSS MiB', 'peakRssMib')],
  },
}

export const DEFAULT_WORKLOADS = 'abcdefgh'

function storeMetrics() {
  return [
    column('MiB/s', 'mibPerSecond'),
    column('CPU s/GiB', 'cpuSecondsPerGib', 2),
    column('p50 ms', 'p50Ms', 2),
    column('p99 ms', 'p99Ms', 1),
    column('peak RSS MiB', 'peakRssMib'),
  ]
}

function messageMetrics(rate) {
  return [
    column(rate, 'messagesPerSecond'),
    column('p50 ms', 'p50Ms', 3),
    column('p99 ms', 'p99Ms', 2),
    // Not a number without /proc, which the table shows as unknown.
    { name: 'CPU us each', of: ({ cpuSeconds, messages }) => (cpuSeconds * 1e6) / messages, digits: 0 },
  ]
}

function column(name, field, digits = 0, isLessBetter = false) {
  return { name, of: (result) => result[field], digits, isLessBetter }
}
