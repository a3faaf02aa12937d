// A primary, two standbys and three nodes, by tools/cluster: real processes, which are killed, stopped and started again. And
// writers and listeners that go on over all of that, as witnesses of what was acknowledged and told.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EngineHoles } from './engine_holes.mjs';
import { program, soon } from './server.mjs';

const tool = fileURLToPath(new URL('../../../tools/cluster', import.meta.url));
const run = promisify(execFile);

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

// A row of ports that nobody has: nodes' at 1.., their peers' at 101.., engines' at 201.., and what is before them at 301..
export async function freePorts() {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 12_000);
    const wanted = [1, 2, 3, 101, 102, 103, 201, 202, 203, ...Array.from({ length: 9 }, (_, i) => 301 + i)].map((offset) => base + offset);
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return base;
  }
}

export class Cluster {
  #folder = mkdtempSync(join(tmpdir(), 'hearth-cluster-test-'));
  #base;
  secret;
  holes;
  silent = new Set(); // names of nodes that accept connections, and answer nothing

  // `holes`: something stands between nodes and engines (engine_holes.mjs).
  static async start(after, { flags = [], failover = false, holes = false, shards = 16 } = {}) {
    const cluster = new Cluster();
    chmodSync(cluster.#folder, 0o755); // where tests run as root, engines are another user's
    cluster.#base = await freePorts();
    after(() => cluster.end());
    const through = holes ? ['--through', `${cluster.#base + 301}`] : [];
    if (holes) cluster.holes = await EngineHoles.start(after, { base: cluster.#base + 301, ports: [201, 202, 203].map((offset) => cluster.#base + offset) });
    await cluster.tool('start', '--shards', `${shards}`, ...(failover ? ['--failover'] : []), ...through, '--', '--log-level', 'warn', ...flags);
    cluster.secret = (await cluster.tool('secret')).trim();
    return cluster;
  }

  // What tools/cluster says. An error has its complaints.
  async tool(...words) {
    const env = {
      ...process.env,
      HEARTH_BIN: program,
      HEARTH_CLUSTER_FOLDER: join(this.#folder, 'all'),
      HEARTH_CLUSTER_PORT: `${this.#base}`,
      HEARTH_ENGINE_PORT: `${this.#base + 201}`,
    };
    const { stdout } = await soon(run(tool, words, { env, maxBuffer: 1 << 26 }), `tools/cluster ${words.join(' ')}`, 120_000);
    return stdout;
  }

  // As the other helpers want a server: {port, url}.
  node(number) {
    const port = this.#base + number;
    return { port, url: `http://127.0.0.1:${port}`, isSecure: false };
  }
  get nodes() {
    return [1, 2, 3].map((number) => this.node(number));
  }
  // One of those that a load balancer would send somebody to.
  any() {
    const there = [1, 2, 3].filter((number) => !this.silent.has(`n${number}`));
    return this.node(there[Math.floor(Math.random() * there.length)]);
  }
  data(name) {
    return join(this.#folder, 'all', name, 'data');
  }
  log(name) {
    return readFileSync(join(this.#folder, 'all', `${name}.log`), 'utf8');
  }
  // What everybody says at the end, for who has to find out.
  async story() {
    const status = await this.tool('status').catch((error) => error.message);
    const views = await Promise.all(this.nodes.map(async (node) => (await once(node.port, 'GET', '/.inspect/cluster', undefined, this.admin, 2_000)).text));
    const logs = ['n1', 'n2', 'n3'].map((name) => `${name}:\n${this.log(name).split('\n').slice(-40).join('\n')}`);
    return [status, ...views, ...logs, ...(await Promise.all(['n1', 'n2', 'n3'].map((name) => this.#stacks(name))))].join('\n');
  }
  // Where a node's threads stand, when a debugger is here: who waits for whom is seen nowhere else.
  async #stacks(name) {
    try {
      const pid = readFileSync(join(this.#folder, 'all', `${name}.pid`), 'utf8').trim();
      const { stdout } = await run('gdb', ['-p', pid, '-batch', '-ex', 'thread apply all bt 14'], { maxBuffer: 1 << 26, timeout: 60_000 });
      return `${name} stands at:\n${stdout.split('\n').filter((line) => /^(Thread|#)/.test(line)).join('\n')}`;
    } catch (error) {
      return `${name}: no stacks (${error.message.split('\n')[0]})`;
    }
  }
  get admin() {
    return { Authorization: `Bearer ${this.secret}` };
  }

  // A namespace in which everybody may do everything, once all nodes know of it.
  async makeSpace(name, settings = {}) {
    const put = async (path, body) => {
      const { status, text } = await this.ask(null, 'PUT', `${path}?ns=${name}`, body, { retries: 20 });
      if (status !== 200) throw new Error(`PUT ${path} of ${name}: ${status} ${text}`);
    };
    await put('/.settings/namespace.json');
    await put('/.settings/rules.json', JSON.stringify({ rules: { '.read': true, '.write': true } }));
    for (const [setting, value] of Object.entries(settings)) await put(`/.settings/${setting}.json`, JSON.stringify(value));
  }

  // One request as an admin; `node` null: any, another for each try. 503 is asked again, as its Retry-After says, and so is a
  // node that is not there, and one that says its answer may be old where `isNew`.
  async ask(node, method, target, body, { retries = 0, patience = 15_000, isNew = false } = {}) {
    for (let left = retries; ; --left) {
      const answer = await once((node ?? this.any()).port, method, target, body, this.admin, patience);
      const mustAskAgain = answer.status === 503 || answer.status === 0 || (isNew && 'x-hearth-stale' in answer.headers);
      if (!mustAskAgain || left === 0) return answer;
      await sleep(250);
    }
  }

  // Every node is good and has applied all that the log has: what is asked now, or looked for on its disk, is not old.
  async whole() {
    const isWhole = async (node) => {
      const { status, text } = await once(node.port, 'GET', '/.inspect/cluster', undefined, this.admin, 2_000);
      if (status !== 200) return false;
      const { good, shards } = JSON.parse(text);
      return good && shards.every(({ owner, here, sequence, applied }) => owner !== '' && (here === 'owns' || here === 'follows') && applied >= sequence);
    };
    // Looks at the board may be a quarter of a second old, and what was acknowledged before this is in the next one.
    await sleep(1_000);
    for (const begin = Date.now(); !(await Promise.all(this.nodes.map(isWhole))).every(Boolean); await sleep(100)) {
      if (Date.now() - begin > 60_000) throw new Error(`waited for nodes that have all: ${await this.story()}`);
    }
  }

  // One question to a server of the engine, or several, by its own client: "" where it does not answer.
  async sql(server, statement) {
    const port = this.#base + 201 + ['a', 'b', 'c'].indexOf(server);
    const words = ['-XqAt', '-h', '127.0.0.1', '-p', `${port}`, '-U', 'hearth', '-d', 'postgres', '-c', statement];
    const { stdout } = await run('psql', words, { env: { ...process.env, PGCONNECT_TIMEOUT: '2' }, timeout: 20_000 }).catch(() => ({ stdout: '' }));
    return stdout.trim();
  }
  async primary() {
    for (const one of ['a', 'b', 'c']) if ((await this.sql(one, 'SELECT pg_is_in_recovery()')) === 'f') return one;
    throw new Error('there is no primary');
  }

  async end() {
    await this.tool('stop').catch((error) => console.error(error.message));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

// Status 0: no answer came.
const agent = new Agent({ keepAlive: false });
export function once(port, method, target, body, headers = {}, patience = 15_000) {
  return new Promise((resolve) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const asked = request({ host: '127.0.0.1', port, method, path: target, agent, headers: { ...length, ...headers } }, async (response) => {
      let text = '';
      try {
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        resolve({ status: response.statusCode, headers: response.headers, text });
      } catch {
        resolve({ status: 0, headers: {}, text });
      }
    });
    asked.setTimeout(patience, () => asked.destroy());
    asked.on('error', () => resolve({ status: 0, headers: {}, text: '' }));
    asked.end(body);
  });
}

// Writes one key after the other into /log of a namespace, at any node, and keeps what was acknowledged. A key whose write
// may have been made or not (no answer, or 503) is written again until it was, as a careful client would.
export class Writer {
  acknowledged = [];
  refusals = []; // of writes: {status, headers}
  longest = 0; // milliseconds between two acknowledgements
  #isOver = false;
  #done;
  #last = Date.now();

  // `patience`: with one request. A node that stands still accepts connections, and answers nothing.
  constructor(cluster, space, { pause = 20, patience = 1_500 } = {}) {
    this.#done = this.#run(cluster, space, pause, patience);
  }

  async #run(cluster, space, pause, patience) {
    for (let number = 1; !this.#isOver; ++number) {
      const key = `k${String(number).padStart(6, '0')}`;
      for (;;) {
        const { status, headers, text } = await once(cluster.any().port, 'PUT', `/log/${key}.json?ns=${space}`, `${number}`, {}, patience);
        if (status === 200) break;
        this.refusals.push({ status, headers, text });
        if (this.#isOver) return;
        await sleep(50);
      }
      this.acknowledged.push(key);
      this.longest = Math.max(this.longest, Date.now() - this.#last);
      this.#last = Date.now();
      await sleep(pause);
    }
  }

  // The longest silence since the last call, with the one that goes on now.
  takeSilence() {
    const silence = Math.max(this.longest, Date.now() - this.#last);
    this.longest = 0;
    return silence;
  }
  async until(count, what) {
    for (const begin = Date.now(); this.acknowledged.length < count; await sleep(20)) {
      if (Date.now() - begin > 60_000) throw new Error(`waited for ${what}: ${this.acknowledged.length} of ${count}; ${JSON.stringify(this.refusals.slice(-3))}`);
    }
  }
  async stop() {
    this.#isOver = true;
    await this.#done;
  }
}

// An event stream of /log at any node, which comes back with its Last-Event-ID as EventSource does, and what is wrong with
// what it was told: a key that it had heard of already, or one that stands before the last.
export class Listener {
  heard = [];
  wrong = [];
  comebacks = -1;
  #isOver = false;
  #asked;
  #done;

  constructor(cluster, space) {
    this.#done = this.#run(cluster, space);
  }

  async #run(cluster, space) {
    let id;
    while (!this.#isOver) {
      ++this.comebacks;
      await new Promise((resolve) => {
        const headers = { Accept: 'text/event-stream', ...(id && { 'Last-Event-ID': id }) };
        const path = `/log.json?ns=${space}&eventIds=true`;
        this.#asked = request({ host: '127.0.0.1', port: cluster.any().port, path, headers, agent }, (response) => {
          let text = '';
          const isResumed = id !== undefined;
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
            for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
              const event = Object.fromEntries(text.slice(0, end).split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]));
              if (event.id) id = event.id;
              if (event.event === 'put' || event.event === 'patch') this.#hear(JSON.parse(event.data), isResumed);
            }
          });
          response.once('close', resolve).on('error', () => {});
        });
        this.#asked.on('error', resolve).end();
      });
      if (!this.#isOver) await sleep(100);
    }
  }

  // A value of all of /log replaces what was heard; it is news as far as it has more.
  #hear({ path, data }) {
    const keys = path === '/' ? Object.keys(data ?? {}).sort() : [path.slice(1)];
    const isWhole = path === '/' && keys.length > 0 && keys[0] === this.heard[0];
    if (isWhole) {
      const missing = this.heard.filter((key) => !(key in data));
      if (missing.length > 0) this.wrong.push(`${missing.length} that were told are gone: ${missing.slice(0, 3)}`);
    }
    for (const key of keys) {
      const last = this.heard.at(-1) ?? '';
      if (key > last) this.heard.push(key);
      else if (!isWhole) this.wrong.push(`${key} again, behind ${last}`);
    }
  }

  async until(key) {
    for (const begin = Date.now(); !this.heard.includes(key); await sleep(20)) {
      if (Date.now() - begin > 60_000) throw new Error(`waited to hear of ${key}; the last is ${this.heard.at(-1)}`);
    }
  }
  async stop() {
    this.#isOver = true;
    this.#asked?.destroy();
    await this.#done;
  }
}

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
