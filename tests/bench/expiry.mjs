// What children that become too old cost a whole server (tools/manual/paths.md), and whom they delay.
//
//   node tests/bench/expiry.mjs                             1,000,000 children that go within an hour; ten minutes are measured
//   node tests/bench/expiry.mjs --time 3600                 the hour
//   node tests/bench/expiry.mjs --order random              keys in another order than that in which they go
//   node tests/bench/expiry.mjs --insert                    as many come as go, in both servers
//   node tests/bench/expiry.mjs --ask 0                     nobody asks for anything meanwhile
//
//   this process ── PATCH ──▶ hearth serve    children go, 278 a second     utime + stime of /proc/PID/stat, before and after
//                └─ PATCH ──▶ hearth serve    the same children stay        the same
//
// Both servers have the same data, and a .ttl on it: of one it is reached, of the other not. So the difference is what the
// removals cost: the commits, their syncs, what follows them on disk, and RocksDB's own threads. Both are asked for a durable put
// and a read several times a second, in turn, which tells whether anybody is delayed; it costs both the same. An age is what the
// child `at` says, so children of all ages are there at once. The server is build/release/bin/hearth, or $HEARTH_BIN.
import { parseArgs } from 'node:util';
import { Random } from '../sdk/support/random.mjs';
import { Server } from '../sdk/support/server.mjs';
import { cpuOf } from './cpu_of.mjs';

const { values: flags } = parseArgs({
  options: {
    children: { type: 'string', default: '1000000' },
    within: { type: 'string', default: '3600' }, // seconds
    time: { type: 'string', default: '600' }, // seconds that are measured
    order: { type: 'string', default: 'time' },
    ask: { type: 'string', default: '4' }, // puts and reads a second, of each server
    insert: { type: 'boolean', default: false },
    history: { type: 'string', default: '' },
  },
});
const children = Number(flags.children);
const within = Number(flags.within) * 1_000;
const measured = Number(flags.time) * 1_000;
const asked = Number(flags.ask);
const childrenOfBody = 500;
const bodiesAtOnce = 8;
const ttl = 3_600; // seconds
const never = 100 * 365 * 86_400;
const leadOfChild = 0.12; // milliseconds of filling for each child, until the first one goes

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function ask(server, method, path, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const response = await fetch(`${server.url}${path}?ns=expiry`, { method, body, headers: { Authorization: 'Bearer owner' } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text;
}

async function figures(server) {
  const text = await ask(server, 'GET', '/.metrics');
  const of = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return { gone: of('hearth_expired_total'), untaken: of('hearth_expiry_untaken'), commits: of('hearth_commits_total'), syncs: of('hearth_fsync_seconds_count'), cpu: cpuOf(server.pid), at: performance.now() };
}

// `first`: when the first child was made, by what it says itself.
async function fill(server, keys, first) {
  let next = 0;
  await Promise.all(Array.from({ length: bodiesAtOnce }, async () => {
    while (next < children) {
      const body = {};
      const from = next;
      next += childrenOfBody;
      for (let n = from; n < Math.min(children, from + childrenOfBody); ++n) {
        body[keys(n)] = { at: first + Math.floor((n * within) / children), text: `message ${n}, of about a hundred bytes as they are mostly, and no two are the same` };
      }
      await ask(server, 'PATCH', '/messages.json', body);
    }
  }));
}

// How long a durable put and a read of a child that stays take, in milliseconds.
async function probe(server, until, times) {
  for (let n = 0; performance.now() < until; ++n) {
    const begin = performance.now();
    await ask(server, 'PUT', '/beside.json', n);
    times.puts.push(performance.now() - begin);
    const middle = performance.now();
    await ask(server, 'GET', '/beside.json');
    times.reads.push(performance.now() - middle);
    await wait(Math.max(0, 1_000 / asked - (performance.now() - begin)));
  }
}

// As many as go, ten times a second.
async function insert(server, until) {
  const begin = performance.now();
  let inserted = 0;
  while (performance.now() < until) {
    const upto = Math.floor(((performance.now() - begin) * children) / within);
    const body = {};
    for (; inserted < upto; ++inserted) body[`n${String(inserted).padStart(9, '0')}`] = { at: Date.now(), text: `message ${inserted}, which comes while others go, and is about as long as they are` };
    await ask(server, 'PATCH', '/messages.json', body);
    await wait(100);
  }
}

const share = (times, of) => (times.length === 0 ? 0 : [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * of))]);
const told = (times) => `${share(times, 0.5).toFixed(1)} / ${share(times, 0.99).toFixed(1)} / ${share(times, 1).toFixed(1)}`;

const all = [];
try {
  const serve = ['--dev', '--max-request-rate', '0', ...(flags.history ? ['--history', flags.history] : [])];
  const [going, staying] = [new Server(serve), new Server(serve)];
  all.push(going, staying);
  for (const server of all) await server.start();
  const random = new Random(1);
  const shuffled = Array.from({ length: children }, (_, n) => n);
  if (flags.order === 'random') {
    for (let n = children - 1; n > 0; --n) {
      const other = random.below(n + 1);
      [shuffled[n], shuffled[other]] = [shuffled[other], shuffled[n]];
    }
  }
  const keys = (n) => `m${String(shuffled[n]).padStart(9, '0')}`;
  const start = Date.now() + Math.ceil(children * leadOfChild) + 10_000; // when the first child goes
  const rules = (seconds) => ({ messages: { '.ttl': seconds, '.ttlBy': 'at' } });
  await ask(going, 'PUT', '/.settings/paths.json', rules(ttl));
  await ask(staying, 'PUT', '/.settings/paths.json', rules(never));
  console.log(`filling: ${children} children in each of two servers`);
  await Promise.all(all.map((server) => fill(server, keys, start - ttl * 1_000)));
  // What became too old while the rest was written goes first, and RocksDB comes to rest.
  const due = () => Math.floor(((Date.now() - start) * children) / within);
  for (let before = -1; ; ) {
    await wait(2_000);
    const now = await figures(going);
    const idle = cpuOf(staying.pid);
    if (now.untaken === 0 && due() > 0 && now.gone > due() - (10_000 * children) / within && idle - before < 0.03) break;
    before = idle;
  }
  const times = { going: { puts: [], reads: [] }, staying: { puts: [], reads: [] } };
  const [begin, beginIdle] = [await figures(going), await figures(staying)];
  const until = performance.now() + measured;
  const beside = [wait(measured)];
  if (asked > 0) beside.push(probe(going, until, times.going), probe(staying, until, times.staying));
  if (flags.insert) beside.push(insert(going, until), insert(staying, until));
  await Promise.all(beside);
  const [end, endIdle] = [await figures(going), await figures(staying)];
  const seconds = (end.at - begin.at) / 1_000;
  const of = (server) => ((server[1].cpu - server[0].cpu) / ((server[1].at - server[0].at) / 1_000)) * 100;
  const gone = end.gone - begin.gone;
  const cost = of([begin, end]) - of([beginIdle, endIdle]);
  console.log(`${gone} children went in ${seconds.toFixed(0)} s, ${(gone / seconds).toFixed(0)} a second, in ${((end.commits - begin.commits - (endIdle.commits - beginIdle.commits)) / seconds).toFixed(2)} commits a second`);
  console.log(`whole server, of a core: ${of([begin, end]).toFixed(2)} % while they go, ${of([beginIdle, endIdle]).toFixed(2)} % where they stay; the removals: ${cost.toFixed(2)} %, ${((cost * 1e4 * seconds) / gone).toFixed(0)} us each`);
  console.log(`syncs a second: ${((end.syncs - begin.syncs) / seconds).toFixed(2)} and ${((endIdle.syncs - beginIdle.syncs) / seconds).toFixed(2)}`);
  if (asked > 0) {
    console.log('milliseconds, median / 99 % / most:');
    console.log(`  durable put   ${told(times.going.puts)} while they go, ${told(times.staying.puts)} where they stay`);
    console.log(`  read          ${told(times.going.reads)} while they go, ${told(times.staying.reads)} where they stay`);
  }
  console.log(`${(await ask(going, 'GET', '/.metrics')).match(/^hearth_store_sst_bytes .*$/m)?.[0]}`);
} finally {
  for (const server of all) await server.end();
}
