// Draws what a write costs the server against all that should not matter: how large the tree is, how many listen beside
// it, how many namespaces there are.
//
//   node tests/bench/plot.mjs            measures for some minutes, and writes tools/manual/speed.svg
//   node tests/bench/plot.mjs --large    with a tree of 10,000,000 leaves too
//
// Exits with 1 when a line is not flat within a factor of 2, and says which. The server is build/release/bin/hearth, or
// $HEARTH_BIN.
//
//   this process ── 16 WebSockets, 16 puts under way on each ──▶ hearth serve --sync os      a server for each point
//                                                                /proc/PID/stat before and after
//
// A put overwrites a leaf with a text that differs. Which one is drawn evenly from 10,000 that are spread over the tree;
// in one line from all: there most leaves are written once and far from each other, so that no memory knows them yet.
// Each point is the median of some runs.
import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { FrameReader, MessageReader, frame, opcode } from '../sdk/support/frames.mjs';
import { Server } from '../sdk/support/server.mjs';
import { cpuOf, rest } from './cpu_of.mjs';
import { draw } from './plot_svg.mjs';

const picture = new URL('../../tools/manual/speed.svg', import.meta.url);
const usual = { leaves: 10_000, written: 10_000, listeners: 0, namespaces: 1 };
const sizes = [2, 3, 4, 5, 6, ...(process.argv.includes('--large') ? [7] : [])];
const series = [
  { name: 'leaves', of: 'leaves', at: sizes },
  { name: 'leaves, any of which is written', of: 'leaves', at: sizes, written: Infinity },
  { name: 'listeners beside the writes', of: 'listeners', at: [0, 1, 2, 3, 4, 5] },
  { name: 'namespaces', of: 'namespaces', at: [0, 1, 2, 3, 4] },
];
const flat = 2; // the dearest point of a line may cost so many times the cheapest
const sockets = 16;
const window = 16; // puts under way on a socket
const runs = 3;
const cpuOfRun = 1.2; // seconds, at least
const putsAtOnce = 10_000; // between two looks at the clock
const leavesOfBody = 200_000; // of a PATCH that fills the tree

const parentOf = (n) => `p${Math.floor(n / 1_000)}`;
const keyOf = (n) => `k${n % 1_000}`;
const leafPath = (n) => `/tree/${parentOf(n)}/${keyOf(n)}`;
const listenerPath = (n, leaves) => `/tree/${parentOf(n % leaves)}/l${n}`; // among leaves, where there is never one
const namespaceOf = (n) => `space-${n}`;

async function ask(server, method, namespace, path, value) {
  const response = await fetch(`${server.url}${path}.json?ns=${namespace}&print=silent`, { method, body: JSON.stringify(value) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
}

// One client, with as many requests under way as `next` gives.
class Client {
  #socket;
  #number = 0;
  #underWay = 0;
  #next = () => undefined;
  #done = () => {};
  #failed = () => {};

  static async open(server, namespace) {
    const client = new Client();
    client.#socket = createConnection({ host: '127.0.0.1', port: server.port });
    client.#socket.setNoDelay(true);
    client.#socket.write(
      `GET /.ws?v=5&ns=${namespace} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\n` +
        'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    const frames = new FrameReader({ afterHead: true });
    const messages = new MessageReader();
    const hello = new Promise((resolve, reject) => {
      client.#socket.once('error', reject);
      client.#socket.on('data', (bytes) => {
        let answers = 0;
        for (const { code, payload } of frames.read(bytes)) {
          if (code === opcode.ping) client.#socket.write(frame(payload, { code: opcode.pong }));
          const message = code === opcode.text ? messages.read(payload.toString('utf8')) : undefined;
          if (message === undefined) continue;
          if (message.startsWith('{"t":"c"')) resolve();
          if (!message.includes('"r":')) continue;
          if (!message.includes('"s":"ok"')) client.#failed(new Error(message));
          ++answers;
        }
        client.#underWay -= answers;
        if (answers > 0) client.#send();
      });
      client.#socket.once('close', () => client.#failed(new Error('the server ended the connection')));
    });
    await hello;
    return client;
  }

  // Sends what `next` gives, [action, body text] each, until there is no more and all is answered.
  run(next) {
    this.#next = next;
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#send();
    });
  }

  #send() {
    const frames = [];
    for (; this.#underWay < window; ++this.#underWay) {
      const request = this.#next();
      if (request === undefined) break;
      frames.push(frame(`{"t":"d","d":{"r":${++this.#number},"a":"${request[0]}","b":${request[1]}}}`));
    }
    if (frames.length > 0) this.#socket.write(Buffer.concat(frames));
    if (this.#underWay === 0) this.#done();
  }

  async close() {
    this.#failed = () => {};
    this.#socket.destroy();
    await once(this.#socket, 'close');
  }
}

// The same tree in each namespace that is written to, a leaf in each other one.
async function fill(server, leaves, namespaces, busy) {
  for (let from = 0; from < leaves; from += leavesOfBody) {
    const parents = {};
    for (let n = from; n < Math.min(leaves, from + leavesOfBody); ++n) (parents[parentOf(n)] ??= {})[keyOf(n)] = 'sixteen bytes...';
    for (let space = 0; space < busy; ++space) await ask(server, 'PATCH', namespaceOf(space), '/tree', parents);
  }
  const others = Array.from({ length: namespaces - busy }, (_, i) => namespaceOf(busy + i));
  await Promise.all(Array.from({ length: sockets }, async () => {
    for (let space; (space = others.pop()) !== undefined; ) await ask(server, 'PUT', space, '/leaf', 'sixteen bytes...');
  }));
}

// The processor time of one put, in microseconds: of each run.
async function measure({ leaves, written, listeners, namespaces }) {
  const server = new Server(['--dev', '--sync', 'os', '--max-request-rate', '0']);
  const clients = [];
  const client = async (space) => {
    clients.push(await Client.open(server, namespaceOf(space)));
    return clients.at(-1);
  };
  try {
    await server.start();
    const busy = Math.min(namespaces, sockets); // namespaces that are written to
    await fill(server, leaves, namespaces, busy);
    let listening = 0;
    for (let i = 0; i < sockets / 2; ++i) {
      const listener = await client(0);
      const upto = Math.ceil((listeners * (i + 1)) / (sockets / 2));
      await listener.run(() => (listening < upto ? ['q', `{"p":"${listenerPath(listening++, leaves)}","h":""}`] : undefined));
    }
    const writers = [];
    for (let i = 0; i < sockets; ++i) writers.push(await client(i % busy));
    let puts = 0;
    let lot = 1; // drawn as in Numerical Recipes
    const drawn = Math.min(leaves, written);
    const putTo = async (end) => {
      await Promise.all(writers.map((writer) => writer.run(() => {
        if (puts >= end) return undefined;
        lot = (Math.imul(lot, 1664525) + 1013904223) >>> 0;
        const leaf = Math.floor((lot / 2 ** 32) * drawn) * (leaves / drawn);
        return ['p', `{"p":"${leafPath(leaf)}","d":"sixteen bytes ${++puts}"}`];
      })));
    };
    await putTo(2 * putsAtOnce); // what is learned at the start is learned
    await rest(server.pid);
    const costs = [];
    for (let run = 0; run < runs; ++run) {
      const [first, before] = [puts, cpuOf(server.pid)];
      while (cpuOf(server.pid) - before < cpuOfRun) await putTo(puts + putsAtOnce);
      costs.push(((cpuOf(server.pid) - before) * 1e6) / (puts - first));
    }
    return costs;
  } finally {
    for (const one of clients) await one.close();
    await server.end();
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const lines = [];
for (const { name, of, at, written = usual.written } of series) {
  const points = [];
  for (const exponent of at) {
    const costs = await measure({ ...usual, written, [of]: 10 ** exponent });
    points.push({ x: 10 ** exponent, y: median(costs) });
    console.log(`${`${10 ** exponent}`.padStart(9)} ${name.padEnd(33)}${median(costs).toFixed(1).padStart(6)} us a put   (${costs.map((cost) => cost.toFixed(1)).join(', ')})`);
  }
  lines.push({ name, points });
}
writeFileSync(picture, draw(lines, usual));
for (const { name, points } of lines) {
  const costs = points.map(({ y }) => y);
  const ratio = Math.max(...costs) / Math.min(...costs);
  console.log(`${name}: the dearest point costs ${ratio.toFixed(2)} times the cheapest`);
  if (ratio <= flat) continue;
  console.error(`tests/bench/plot.mjs: the line of ${name} is not flat: more than ${flat} times`);
  process.exitCode = 1;
}
