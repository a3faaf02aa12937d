// What /.metrics counts, and what is charted of the server's own last 15 minutes (/.inspect/figures.json).

// `hearth_x{a="b",c="d"} 3` → Map "hearth_x" → [{ labels, value }].
export function parse(page) {
  const figures = new Map();
  for (const line of page.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    const all = figures.get(match[1]);
    if (all === undefined) figures.set(match[1], [{ labels, value: Number(match[3]) }]);
    else all.push({ labels, value: Number(match[3]) });
  }
  return figures;
}

export function value(figures, name, labels = {}) {
  let sum = 0;
  for (const one of figures.get(name) ?? []) {
    if (Object.entries(labels).every(([key, wanted]) => one.labels[key] === wanted)) sum += one.value;
  }
  return sum;
}

// Each has series: [label, column, what to multiply it by].
export const charts = [
  {
    title: 'Commits and writes a second',
    unit: 'rate',
    series: [
      ['commits', 'commits'],
      ['writes', 'writes'],
    ],
  },
  {
    title: 'Time of a commit',
    unit: 'seconds',
    series: [
      ['p50', 'commit_p50', 0.001],
      ['p99', 'commit_p99', 0.001],
    ],
  },
  {
    title: 'Time of an fsync',
    unit: 'seconds',
    series: [
      ['p50', 'sync_p50', 0.001],
      ['p99', 'sync_p99', 0.001],
    ],
  },
  {
    title: 'Time of a read',
    unit: 'seconds',
    series: [
      ['p50', 'read_p50', 0.001],
      ['p99', 'read_p99', 0.001],
    ],
  },
  {
    title: 'Told and asked a second',
    unit: 'rate',
    series: [
      ['events', 'events'],
      ['requests', 'requests'],
    ],
  },
  {
    title: 'Who is there',
    unit: 'count',
    series: [
      ['connections', 'connections'],
      ['listeners', 'listeners'],
    ],
  },
  { title: 'Memory', unit: 'bytes', series: [['resident', 'memory']] },
  { title: 'Data on disk', unit: 'bytes', series: [['store', 'store']] },
  { title: 'Writes held up by the disk', unit: 'percent', series: [['stalled', 'stalled', 0.1]] },
];

// Of one chart, as uPlot takes it: times in seconds, then the values of each series.
export const dataOf = (chart, columns) => [
  columns.time.map((time) => time / 1000),
  ...chart.series.map(([, name, times = 1]) =>
    (columns[name] ?? columns.time.map(() => null)).map((one) => (one === null ? null : one * times)),
  ),
];
