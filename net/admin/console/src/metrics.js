// The figures of /.metrics, and what they say of the last 15 minutes. The page keeps them itself while it is open, at
// most kSamples of them; the server keeps nothing for it.
import { signal } from '@preact/signals';
import { text } from './api.js';

const kEvery = 2_000;
const kSamples = 450; // 15 minutes

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

const bucketsOf = (figures, name) =>
  (figures.get(`${name}_bucket`) ?? []).map(({ labels, value: upto }) => [
    labels.le === '+Inf' ? Infinity : Number(labels.le),
    upto,
  ]);

// The time below which `share` of what happened between two samples lies; null when nothing did.
export function quantile(before, after, name, share) {
  const old = bucketsOf(before, name);
  const buckets = bucketsOf(after, name).map(([le, upto], i) => [le, upto - (old[i]?.[1] ?? 0)]);
  const all = buckets[buckets.length - 1]?.[1] ?? 0;
  if (!(all > 0)) return null;
  let floor = 0;
  let below = 0;
  for (const [le, upto] of buckets) {
    if (upto >= share * all) {
      if (le === Infinity) return floor;
      return floor + (le - floor) * ((share * all - below) / Math.max(1, upto - below));
    }
    floor = le;
    below = upto;
  }
  return floor;
}

// What is charted: each has series of a function of two samples and the seconds between them.
const rate = (name, labels) => (before, after, time) =>
  Math.max(0, value(after, name, labels) - value(before, name, labels)) / time;
const level = (name, labels) => (_, after) => value(after, name, labels);
const time = (name, share) => (before, after) => quantile(before, after, name, share);
export const charts = [
  { title: 'Commits a second', unit: 'rate', series: [['commits', rate('hearth_commit_seconds_count')]] },
  {
    title: 'Time of a commit',
    unit: 'seconds',
    series: [
      ['p50', time('hearth_commit_seconds', 0.5)],
      ['p99', time('hearth_commit_seconds', 0.99)],
    ],
  },
  {
    title: 'Time of an fsync',
    unit: 'seconds',
    series: [
      ['p50', time('hearth_fsync_seconds', 0.5)],
      ['p99', time('hearth_fsync_seconds', 0.99)],
    ],
  },
  {
    title: 'Told and asked a second',
    unit: 'rate',
    series: [
      ['events', rate('hearth_events_total')],
      ['requests', rate('hearth_requests_total')],
    ],
  },
  {
    title: 'Who is there',
    unit: 'count',
    series: [
      ['connections', level('hearth_connections')],
      ['listeners', level('hearth_listeners')],
    ],
  },
  { title: 'Memory', unit: 'bytes', series: [['resident', level('process_resident_memory_bytes')]] },
  {
    title: 'Disk',
    unit: 'bytes',
    series: [
      ['tables', level('hearth_store_sst_bytes')],
      ['log', level('hearth_store_wal_bytes')],
    ],
  },
  {
    title: 'Processor',
    unit: 'percent',
    series: [['processor', (before, after, t) => 100 * rate('process_cpu_seconds_total')(before, after, t)]],
  },
  {
    title: 'Writes held up by the disk',
    unit: 'percent',
    series: [['stalled', (before, after, t) => 100 * rate('hearth_store_write_stall_seconds_total')(before, after, t)]],
  },
  { title: 'Denied by rules a second', unit: 'rate', series: [['denied', rate('hearth_rule_denials_total')]] },
];

export const latest = signal(null); // figures
export const trouble = signal(''); // why there are none
export const samples = { times: [], of: charts.map(({ series }) => series.map(() => [])) };
export const ticks = signal(0);

let before = null;
let timer;

export async function sample() {
  let figures;
  try {
    figures = parse(await text('GET', '/.metrics'));
    trouble.value = '';
  } catch (error) {
    if (error.name !== 'AbortError') trouble.value = error.message;
    before = null;
    return;
  }
  const now = Date.now() / 1000;
  if (before !== null && now > before.now) {
    samples.times.push(now);
    charts.forEach(({ series }, i) =>
      series.forEach(([, of], j) => samples.of[i][j].push(of(before.figures, figures, now - before.now))),
    );
    if (samples.times.length > kSamples) for (const row of [samples.times, ...samples.of.flat()]) row.shift();
  }
  before = { now, figures };
  latest.value = figures;
  ticks.value += 1;
}

// Begins with the first look at the page “Health”, and goes on while the tab is seen, so that charts have no holes when
// somebody looks elsewhere in the console.
export function watch() {
  if (timer !== undefined) return;
  sample();
  timer = setInterval(() => document.visibilityState === 'visible' && sample(), kEvery);
}
export function unwatch() {
  clearInterval(timer);
  timer = undefined;
  before = null;
  latest.value = null;
}
