// What the other families of clients cost the server: Yjs edits and cursors, and Supabase's changes of rows.
//
//   node tests/bench/families.mjs            prints one table, after about two minutes
//   node tests/bench/families.mjs --peers    beside the servers of y-websocket and Hocuspocus, which npm brings to a temporary folder
//   node tests/bench/families.mjs --cursors  moves of cursors alone, beside the server of y-websocket, as a ratio; half a minute
//
// The clients speak by themselves, so that this process is not what is measured: CPU is that of the server process
// (/proc/PID/stat), the lowest of three runs; ratios are of one run. The server is build/release/bin/hearth, or $HEARTH_BIN.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '../sdk/support/server.mjs';
import { cpuOf } from './cpu_of.mjs';

const require = createRequire(new URL('../sdk/package.json', import.meta.url));
const WebSocket = require('ws');
const ends = [];

const rssOf = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

function varUint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}
const varBuf = (bytes) => [...varUint(bytes.length), ...bytes];
const text = (value) => varBuf([...Buffer.from(value)]);

// The letter number `clock` of a client that types into the root text "t".
function letter(client, clock) {
  const head = [1, 1, ...varUint(client), ...varUint(clock)];
  const origin = clock === 0 ? [4, 1, ...text('t')] : [0x84, ...varUint(client), ...varUint(clock - 1)];
  return [...head, ...origin, 1, 97 + (clock % 26), 0];
}

async function open(url, onMessage) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('message', onMessage);
  socket.on('error', () => {});
  await new Promise((resolve, reject) => socket.on('open', resolve).on('close', () => reject(new Error(`closed: ${url}`))));
  return socket;
}

async function hearth(flags = ['--dev']) {
  const server = await Server.start((end) => ends.push(end), [...flags, '--max-request-rate', '0']);
  return { pid: server.pid, url: `ws://127.0.0.1:${server.port}/ns/b/yjs`, port: server.port, isHocuspocus: false };
}

// CPU of the server for each delivery of an edit to 50 clients, with 8 edits under way. `head`: the name, of Hocuspocus.
async function edits({ pid, url, isHocuspocus }, listeners = 50, count = 4_000, window = 8) {
  const room = `r${Math.random().toString(36).slice(2)}`;
  const head = isHocuspocus ? text(room) : [];
  const at = isHocuspocus ? url : `${url}/${room}`;
  let heard = 0;
  const isUpdate = (data) => data[head.length] === 0 && data[head.length + 1] === 2;
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const hear = (data) => { if (isUpdate(data) && ++heard === count * listeners) done(); };
  const all = await Promise.all(Array.from({ length: listeners }, () => open(at, hear)));
  if (isHocuspocus) for (const socket of all) socket.send(Buffer.from([...head, 2, 0, ...text(''), ...text('4.8.0')]));
  for (const socket of all) socket.send(Buffer.from([...head, 0, 0, 1, 0]));
  let clock = 0;
  const writer = all[0];
  const client = 1 + Math.floor(Math.random() * 1e6);
  const send = () => {
    if (clock < count) writer.send(Buffer.from([...head, 0, 2, ...varBuf(letter(client, clock++))]));
  };
  await pause(300);
  heard = 0;
  writer.on('message', (data) => { if (isUpdate(data)) send(); });
  const before = cpuOf(pid);
  const begun = performance.now();
  for (let i = 0; i < window; ++i) send();
  await Promise.race([finished, pause(60_000).then(() => { throw new Error(`heard ${heard} of ${count * listeners}`); })]);
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = cpuOf(pid) - before;
  for (const socket of all) socket.terminate();
  await pause(200);
  return { us: (cpu / (count * listeners)) * 1e6, rate: (count * listeners) / seconds };
}

// CPU for a move of one cursor among 20 clients at 20 Hz that send back what they hear, as stock ones do.
async function cursors({ pid, url, isHocuspocus }, clients = 20, seconds = 5) {
  const room = `c${Math.random().toString(36).slice(2)}`;
  const head = isHocuspocus ? text(room) : [];
  const at = isHocuspocus ? url : `${url}/${room}`;
  let deliveries = 0;
  const all = await Promise.all(
    Array.from({ length: clients }, async () => {
      const known = new Map();
      const socket = await open(at, (data) => {
        if (data[head.length] !== 1) return;
        ++deliveries;
        // Sends on what is newer than it knows, as y-protocols does.
        let offset = head.length + 1;
        const read = () => { let [value, shift] = [0, 1]; for (;;) { const byte = data[offset++]; value += (byte & 127) * shift; shift *= 128; if (byte < 128) return value; } };
        read();
        const entries = [];
        for (let count = read(); count > 0; --count) {
          const [client, clock] = [read(), read()];
          const length = read();
          const state = [...data.subarray(offset, offset + length)];
          offset += length;
          if (clock > (known.get(client) ?? 0)) { known.set(client, clock); entries.push([...varUint(client), ...varUint(clock), ...varBuf(state)]); }
        }
        if (entries.length > 0) socket.send(Buffer.from([...head, 1, ...varBuf([...varUint(entries.length), ...entries.flat()])]));
      });
      socket.known = known;
      return socket;
    }),
  );
  if (isHocuspocus) for (const socket of all) socket.send(Buffer.from([...head, 2, 0, ...text(''), ...text('4.8.0')]));
  for (const socket of all) socket.send(Buffer.from([...head, 0, 0, 1, 0]));
  await pause(500);
  let moves = 0;
  const move = (i) => {
    ++moves;
    const clock = (all[i].known.get(i + 1) ?? 0) + 1;
    all[i].known.set(i + 1, clock);
    all[i].send(Buffer.from([...head, 1, ...varBuf([1, i + 1, ...varUint(clock), ...text(JSON.stringify({ cursor: { x: moves % 100, y: i } }))])]));
  };
  const before = cpuOf(pid);
  const timers = all.map((_, i) => setTimeout(() => { all[i].timer = setInterval(() => move(i), 50); }, i * 2.5));
  await pause(seconds * 1_000);
  timers.forEach(clearTimeout);
  for (const socket of all) clearInterval(socket.timer);
  await pause(200);
  const cpu = cpuOf(pid) - before;
  for (const socket of all) socket.terminate();
  await pause(200);
  return { us: (cpu / moves) * 1e6, perMove: deliveries / moves };
}

async function rooms({ pid, url, isHocuspocus }, count = 2_000) {
  const before = rssOf(pid);
  const all = [];
  for (let i = 0; i < count; ++i) {
    const head = isHocuspocus ? text(`m${i}`) : [];
    const socket = await open(isHocuspocus ? url : `${url}/m${i}`, () => {});
    if (isHocuspocus) socket.send(Buffer.from([...head, 2, 0, ...text(''), ...text('4.8.0')]));
    socket.send(Buffer.from([...head, 0, 0, 1, 0]));
    all.push(socket);
  }
  await pause(1_000);
  const bytes = (rssOf(pid) - before) / count;
  for (const socket of all) socket.terminate();
  await pause(300);
  return bytes;
}

// CPU for each REST write of a row, while `listeners` hear it as `kind` says.
async function rows({ pid, port }, kind, listeners = 50, count = 3_000, filters = 0) {
  const base = `http://127.0.0.1:${port}`;
  const table = `t${Math.random().toString(36).slice(2)}`;
  let heard = 0;
  const sockets = [];
  for (let i = 0; i < listeners; ++i) {
    if (kind === 'firebase') {
      const socket = await open(`ws://127.0.0.1:${port}/.ws?v=5&ns=b`, (data) => { if (data.includes('"a":"d"')) ++heard; });
      socket.send(JSON.stringify({ t: 'd', d: { r: 1, a: 'q', b: { p: `/${table}`, h: '' } } }));
      sockets.push(socket);
    } else {
      const socket = await open(`ws://127.0.0.1:${port}/ns/b/realtime/v1/websocket?apikey=k&vsn=2.0.0`, (data, isBinary) => { if (!isBinary && data.includes('"postgres_changes",{"ids"')) ++heard; });
      const changes = filters > 0 ? Array.from({ length: filters }, (_, n) => ({ event: '*', schema: 'public', table, filter: `user=eq.u${i * filters + n}` })) : [{ event: '*', schema: 'public', table }];
      socket.send(JSON.stringify(['1', '1', `realtime:${table}`, 'phx_join', { config: { postgres_changes: changes } }]));
      sockets.push(socket);
    }
  }
  await pause(500);
  heard = 0;
  const agent = new (require('node:http').Agent)({ keepAlive: true, maxSockets: 4 });
  const put = (i) => new Promise((resolve, reject) => {
    const body = JSON.stringify({ user: 'nobody', n: i });
    const request = require('node:http').request({ host: '127.0.0.1', port, method: 'PUT', path: `/${table}/r${i % 100}.json?ns=b&print=silent`, agent, headers: { 'Content-Length': body.length } }, (response) => { response.resume(); response.on('end', resolve); });
    request.on('error', reject);
    request.end(body);
  });
  for (let i = 0; i < 200; ++i) await put(i);
  await pause(200);
  const before = cpuOf(pid);
  let next = 200;
  await Promise.all(Array.from({ length: 4 }, async () => { while (next < 200 + count) await put(next++); }));
  await pause(300);
  const cpu = cpuOf(pid) - before;
  for (const socket of sockets) socket.terminate();
  agent.destroy();
  await pause(200);
  if (filters === 0 && listeners > 0 && heard < count * listeners) throw new Error(`${kind}: heard ${heard}`);
  return { us: (cpu / count) * 1e6 };
}

async function peers(wanted = /./) {
  const folder = mkdtempSync(join(tmpdir(), 'yjs-peers-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync('npm', ['install', '--silent', '--prefix', folder, 'y-websocket@2.1.0', 'y-leveldb@0.2.0', 'yjs@13.6.33', '@hocuspocus/server@4.7.0'], { stdio: 'ignore' });
  const port = () => new Promise((resolve) => { const server = createServer().listen(0, '127.0.0.1', () => { const { port: free } = server.address(); server.close(() => resolve(free)); }); });
  const begin = async (name, words, environment, suffix, isHocuspocus) => {
    const free = await port();
    const child = spawn(process.execPath, words(free), { cwd: folder, env: { ...process.env, ...environment, PORT: `${free}`, HOST: '127.0.0.1' }, stdio: 'ignore' });
    ends.push(() => child.kill('SIGKILL'));
    await pause(1_500);
    return { name, pid: child.pid, url: `ws://127.0.0.1:${free}${suffix}`, isHocuspocus };
  };
  const script = join(folder, 'node_modules/y-websocket/bin/server.cjs');
  const hocuspocus = (free) => ['--input-type=module', '-e', `import { Server } from '@hocuspocus/server'; new Server({ port: ${free}, address: '127.0.0.1', quiet: true }).listen();`];
  const all = [
    ['y-websocket 2.1, in memory', () => [script], {}, '', false],
    ['y-websocket 2.1, LevelDB', () => [script], { YPERSISTENCE: join(folder, 'level') }, '', false],
    ['Hocuspocus 4.7, in memory, one edit under way', hocuspocus, {}, '', true],
  ];
  const begun = [];
  for (const one of all) if (wanted.test(one[0])) begun.push(await begin(...one));
  return begun;
}

const lowest = async (measure, of = ({ us }) => us) => {
  let best;
  for (let i = 0; i < 3; ++i) {
    const one = await measure();
    if (best === undefined || of(one) < of(best)) best = one;
  }
  return best;
};
const line = (...columns) => console.log(`| ${columns.join(' | ')} |`);

// Rounds of both servers are interleaved, so that what else the machine does falls on both.
async function cursorsBeside() {
  const own = await hearth();
  const [peer] = await peers(/y-websocket.*memory/);
  const [ours, theirs] = [[], []];
  for (let i = 0; i < 5; ++i) {
    ours.push(await cursors(own));
    theirs.push(await cursors(peer));
  }
  const low = (all) => all.reduce((a, b) => (b.us < a.us ? b : a));
  const ratios = ours.map(({ us }, i) => us / theirs[i].us).sort((a, b) => a - b);
  line('server', 'a cursor move among 20 clients that echo', 'messages of a move');
  line('---', '---', '---');
  line('Hearth', `${low(ours).us.toFixed(0)} us`, low(ours).perMove.toFixed(1));
  line(peer.name, `${low(theirs).us.toFixed(0)} us`, low(theirs).perMove.toFixed(1));
  console.log(`\nratio of the lowest: ${(low(ours).us / low(theirs).us).toFixed(2)}; of each round: ${ratios.map((one) => one.toFixed(2)).join(' ')}`);
}

async function all() {
  const own = { name: 'Hearth, on disk before it is told', ...(await hearth()) };
  const others = process.argv.includes('--peers') ? await peers() : [];
  line('server', 'an edit to one of 50 clients, 8 under way', 'a cursor move among 20 clients that echo', 'messages of a move', 'a room with one client');
  line('---', '---', '---', '---', '---');
  for (const server of [own, { ...own, name: 'Hearth, by Hocuspocus', isHocuspocus: true }, ...others]) {
    const count = server.pid === own.pid ? 4_000 : 2_000;
    // Hocuspocus joins edits that come together, so what is told of several could not be counted.
    const window = server.isHocuspocus && server.pid !== own.pid ? 1 : 8;
    const edit = await lowest(() => edits(server, 50, count, window));
    const cursor = await lowest(() => cursors(server));
    const room = await rooms(server);
    line(server.name, `${edit.us.toFixed(2)} us, ${Math.round(edit.rate).toLocaleString('en')}/s`, `${cursor.us.toFixed(0)} us`, cursor.perMove.toFixed(1), `${(room / 1024).toFixed(1)} kB`);
  }
  console.log();
  const bare = await lowest(() => rows(own, 'supabase', 0));
  const firebase = await lowest(() => rows(own, 'firebase'));
  const supabase = await lowest(() => rows(own, 'supabase'));
  const unheard = await lowest(() => rows(own, 'supabase', 20, 3_000, 50));
  line('a write of a row by REST', 'CPU', 'beside');
  line('---', '---', '---');
  line('nobody listens', `${bare.us.toFixed(1)} us`, '');
  line('1,000 filters, none of which it is for', `${unheard.us.toFixed(1)} us`, `${(unheard.us / bare.us).toFixed(2)} of nobody`);
  line('50 Firebase listeners', `${firebase.us.toFixed(1)} us`, `${((firebase.us - bare.us) / 50).toFixed(2)} us an event`);
  line('50 Supabase listeners', `${supabase.us.toFixed(1)} us`, `${((supabase.us - bare.us) / 50).toFixed(2)} us an event, ${((supabase.us - bare.us) / (firebase.us - bare.us)).toFixed(2)} of Firebase`);
}

try {
  await (process.argv.includes('--cursors') ? cursorsBeside() : all());
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(0);
