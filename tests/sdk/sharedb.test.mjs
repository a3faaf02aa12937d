// ShareDB on a Hearth server, by tools/sharedb-hearth: its published test suite, and what that does not ask.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, test } from 'node:test';
import WebSocketStream from '@teamwork/websocket-json-stream';
import { WebSocket, WebSocketServer } from 'ws';
import { rest } from './support/rest.mjs';
import { Server, patience, soon } from './support/server.mjs';
import { installed } from './support/sharedb.mjs';

const require = createRequire(import.meta.url);
const ShareDB = require('sharedb');
const ShareDBClient = require('sharedb/lib/client');
const json0 = require('sharedb/lib/types').defaultType.uri;
const folder = installed(after);
const HearthDB = require(folder);
const server = await Server.start(after);

let places = 0;
// A database in a place of its own, with calls that give promises.
function open(t, options = {}) {
  const db = new HearthDB({ url: server.url, namespace: 'ot', path: `p${++places}`, ...options });
  t.after(() => db.close());
  const call = (name) => promisify(db[name].bind(db));
  return {
    db,
    path: db.path.join('/'),
    commit: (id, op, snapshot) => call('commit')('c', id, op, snapshot, null),
    snapshot: (id, fields = null) => call('getSnapshot')('c', id, fields, null),
    snapshots: (ids) => call('getSnapshotBulk')('c', ids, null, null),
    ops: (id, from = null, to = null) => call('getOps')('c', id, from, to, null),
    opsOf: (from, to) => call('getOpsBulk')('c', from, to, null),
    version: (id, snapshot, op) => call('getCommittedOpVersion')('c', id, snapshot, op, null),
    find: (query) => call('query')('c', query, null, null),
  };
}
const created = (data, more = {}) => [{ v: 0, create: { type: json0, data }, ...more }, { v: 1, type: json0, data }];
const changed = (v, data, more = {}) => [{ v, op: [], ...more }, { v: v + 1, type: json0, data }];
const failure = (message) => (error) => error.code === 'ERR_HEARTH' && error.message.includes(message);

// Passes requests on to the server. `rule(method)` says of each: nothing, 'lose' (it does not arrive), 'cut' (it is done, and
// nobody hears so), or 'late' (nobody hears of it, and it is done just before the next one of its method).
async function proxy(t, rule) {
  const seen = { requests: 0, connections: 0, most: 0 };
  const late = [];
  const front = createServer(async (from, to) => {
    ++seen.requests;
    const fate = rule?.(from.method);
    if (fate === 'lose') return from.socket.destroy();
    const body = Buffer.concat(await from.toArray());
    const pass = async () => {
      const asked = request({ host: '127.0.0.1', port: server.port, method: from.method, path: from.url, headers: from.headers });
      asked.end(body);
      const [answer] = await once(asked, 'response');
      return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(await answer.toArray()) };
    };
    if (fate === 'late') {
      late.push(pass);
      return from.socket.destroy();
    }
    if (from.method === 'PATCH') for (const earlier of late.splice(0)) await earlier();
    const answer = await pass();
    if (fate === 'cut') return from.socket.destroy();
    to.writeHead(answer.status, answer.headers).end(answer.body);
  });
  front.on('connection', (socket) => {
    seen.most = Math.max(seen.most, ++seen.connections);
    socket.on('close', () => --seen.connections);
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(() => front.close());
  return { url: `http://127.0.0.1:${front.address().port}`, seen };
}

test('the adapter passes the tests that ShareDB publishes for databases', async () => {
  const mocha = fileURLToPath(new URL('node_modules/mocha/bin/mocha.js', import.meta.url));
  const suite = fileURLToPath(new URL('support/sharedb_suite.cjs', import.meta.url));
  // Some of the tests take it for granted that a query is answered before a document is there that was created behind it:
  // they are given a second chance.
  const child = spawn(process.execPath, [mocha, '--reporter', 'json', '--timeout', '8000', '--retries', '4', suite], {
    env: { ...process.env, HEARTH_URL: server.url, SHAREDB_HEARTH: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
  await once(child, 'close');
  const { stats, failures } = JSON.parse(text.slice(text.indexOf('{\n')));
  assert.deepEqual(failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message}`), []);
  assert.ok(stats.passes >= 200, `${stats.passes} tests`);
});

test('what JSON can say comes back as it was, whatever its names are', async (t) => {
  const { db, commit, snapshot, ops, find } = open(t);
  const data = JSON.parse(
    '{"nothing":null,"list":[],"object":{},"nested":[[],{},null,[null]],"":"","a.b/c#$[]":1,"__proto__":{"x":1},"5":"five",' +
      '"n":[0,-1,1e300,0.1,9007199254740991],"t":"\\u0000\\ud83d\\ude00 \\ud800"}',
  );
  const ids = ['', '%', '%2F', 'a/b', '.', '..', '$#[]', '5', '-7', '4000000000', 'v1', '__proto__', 'é😀', ' ', '\u0000\u007f', '"', 'a?b&c=d'];
  for (const id of ids) {
    assert.equal(await commit(id, ...created({ id, data })), true, id);
    const found = await snapshot(id);
    assert.deepEqual({ ...found }, { id, v: 1, type: json0, data: { id, data }, m: null });
    assert.deepEqual(await ops(id), [created({ id, data })[0]]);
  }
  assert.deepEqual((await find({})).map(({ id }) => id).sort(), [...ids].sort());
  for (const id of ['\ud800', 'x'.repeat(769)]) await assert.rejects(snapshot(id), RangeError);
  await assert.rejects(promisify(db.getSnapshot.bind(db))('c', 5, null, null), TypeError);
});

test('of commits to one version one is written, whoever sends them', async (t) => {
  const one = open(t);
  const two = open(t, { path: one.path });
  for (let v = 0; v < 10; ++v) {
    const told = await Promise.all([one, two, one, two].map(({ commit }, i) => commit('d', ...(v ? changed(v, i) : created(i)))));
    assert.equal(told.filter(Boolean).length, 1);
    const winner = told.indexOf(true);
    assert.deepEqual({ ...(await one.snapshot('d')) }, { id: 'd', v: v + 1, type: json0, data: winner, m: null });
  }
  assert.equal((await two.ops('d')).length, 10);
  // From a version that is past, and from one that is not there yet; also with a snapshot that was read.
  const old = await one.snapshot('d', { $submit: true });
  assert.equal(await two.commit('d', ...changed(10, 'new')), true);
  assert.equal(await one.commit('d', changed(10)[0], Object.assign(old, { v: 11, data: 'old' })), false);
  for (const v of [3, 10, 12]) assert.equal(await one.commit('d', ...changed(v, 'x')), false);
  assert.equal((await one.snapshot('d')).data, 'new');
  assert.equal((await one.ops('d')).length, 11);
});

test('a commit whose answer is lost is found again, and is written once', async (t) => {
  for (const fate of ['cut', 'lose', 'late']) {
    let left = 0;
    const { url } = await proxy(t, (method) => (method === 'PATCH' && left-- > 0 ? fate : undefined));
    const { commit, ops, path } = open(t, { url });
    const other = open(t, { path });
    assert.equal(await commit('d', ...created(0)), true);
    for (const v of [1, 2]) {
      left = fate === 'lose' ? v : 1;
      assert.equal(await commit('d', ...changed(v, v)), true, `${fate} ${v}`);
    }
    assert.equal((await ops('d')).length, 3);
    // The same op of somebody else is not ours.
    const [op, snapshot] = changed(3, 'same');
    left = 1;
    const told = await Promise.all([commit('d', op, snapshot), other.commit('d', op, { ...snapshot })]);
    assert.equal(told.filter(Boolean).length, 1, `${fate}: ${told}`);
    assert.equal((await ops('d')).length, 4);
  }
  const { url, seen } = await proxy(t, () => 'lose');
  await assert.rejects(open(t, { url, retries: 2 }).snapshot('d'), failure('socket hang up'));
  assert.equal(seen.requests, 3);
});

test('many ops come in pages, and one that is missing is missed', async (t) => {
  const { commit, ops, opsOf, version, snapshot, path } = open(t);
  for (let v = 0; v < 600; ++v) await commit('d', ...(v ? changed(v, v, { src: 's', seq: v }) : created(0)));
  assert.deepEqual((await ops('d')).map(({ v }) => v), Array.from({ length: 600 }, (_, v) => v));
  assert.deepEqual((await ops('d', 249, 502)).map(({ v }) => v), Array.from({ length: 253 }, (_, i) => 249 + i));
  assert.deepEqual(await ops('d', 600), []);
  assert.deepEqual(await ops('d', 5, 5), []);
  assert.equal((await opsOf({ d: 590, e: 0 }, { d: 595 })).d.length, 5);
  const last = await snapshot('d');
  assert.equal(await version('d', last, { src: 's', seq: 7 }), 7);
  assert.equal(await version('d', last, { src: 's', seq: 600 }), undefined);
  await assert.rejects(ops('d', 590, 601), failure('Missing ops'));
  const { status } = await rest(server, 'ot', 'DELETE', `/${path}/c/ops/d/v0000000300.json`);
  assert.equal(status, 200);
  await assert.rejects(ops('d', 10), failure('c/d has no op of version 300'));
  assert.equal((await ops('d', 301)).length, 299);
});

test('many documents are read in pages and some at a time; a query has a bound', async (t) => {
  const { url, seen } = await proxy(t);
  const { commit, snapshots, find, path } = open(t, { url, connections: 4 });
  const ids = Array.from({ length: 450 }, (_, i) => `${i}`);
  await Promise.all(ids.map((id) => commit(id, ...created({ n: Number(id), odd: id % 2 }))));
  const all = await snapshots([...ids, ...ids]);
  assert.deepEqual(Object.keys(all).length, 450);
  for (const id of ids) assert.equal(all[id].data.n, Number(id));
  assert.ok(seen.most <= 4, `${seen.most} connections`);
  const odd = await find({ filter: { odd: 1 }, sort: [['n', -1]] });
  assert.deepEqual(odd.map(({ data }) => data.n), Array.from({ length: 225 }, (_, i) => 449 - 2 * i));
  await assert.rejects(open(t, { path, scanMax: 449 }).find({}), failure('at most 449 documents'));
  assert.equal((await open(t, { path, scanMax: 450 }).find({})).length, 450);
});

test('a closed server is for those who have the secret, or a right to the path', async (t) => {
  const closed = await Server.start((end) => t.after(end), ['--namespace', 'ot']);
  const at = { url: closed.url, namespace: 'ot' };
  await assert.rejects(open(t, at).snapshot('d'), failure('401'));
  await assert.rejects(open(t, at).commit('d', ...created(1)), failure('401'));
  await assert.rejects(open(t, { ...at, secret: 'wrong' }).snapshot('d'), failure('401'));
  const { commit, snapshot } = open(t, { ...at, token: async () => closed.secret });
  assert.equal(await commit('d', ...created(1)), true);
  assert.equal((await snapshot('d')).data, 1);
  assert.equal((await open(t, { ...at, secret: closed.secret, namespace: undefined }).snapshot('d')).v, 0); // another place
});

test('three clients of two ShareDB servers agree, over a kill of the Hearth server', { timeout: 120_000 }, async (t) => {
  const hearth = await Server.start((end) => t.after(end));
  const backends = [];
  const clients = [];
  for (let i = 0; i < 2; ++i) {
    const db = new HearthDB({ url: hearth.url, namespace: 'ot', retries: 12 });
    const backend = new ShareDB({ db });
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    sockets.on('connection', (socket) => backend.listen(new WebSocketStream(socket)));
    await once(sockets, 'listening');
    t.after(() => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      backend.close();
    });
    backends.push({ backend, url: `ws://127.0.0.1:${sockets.address().port}` });
  }
  for (const [name, at] of [['a', 0], ['b', 0], ['c', 1]]) {
    const socket = new WebSocket(backends[at].url);
    t.after(() => socket.terminate());
    const connection = new ShareDBClient.Connection(socket);
    clients.push({ name, doc: connection.get('notes', 'shared/1'), sent: [] });
  }
  const call = (doc, method, ...parameters) => soon(promisify(doc[method].bind(doc))(...parameters), `${method}`, patience * 3);
  await call(clients[0].doc, 'create', { n: 0, list: [], empty: {} });
  for (const { doc } of clients) await call(doc, 'subscribe');

  const each = 60;
  const write = async ({ name, doc, sent }) => {
    for (let i = 0; i < each; ++i) {
      const item = `${name}${i}`;
      await call(doc, 'submitOp', [{ p: ['n'], na: 1 }, { p: ['list', i % (doc.data.list.length + 1)], li: item }]);
      sent.push(item);
    }
  };
  const writing = Promise.all(clients.map(write));
  while (clients[0].sent.length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  await hearth.kill();
  await hearth.start();
  await writing;

  // What the other server wrote is heard by those who ask.
  for (const { doc } of clients) await call(doc, 'fetch');
  const sent = clients.flatMap((client) => client.sent).sort();
  assert.equal(sent.length, 3 * each);
  for (const { name, doc } of clients) {
    assert.equal(doc.data.n, 3 * each, name);
    assert.deepEqual([...doc.data.list].sort(), sent, name);
    assert.deepEqual(doc.data, clients[0].doc.data, name);
    assert.equal(doc.version, 3 * each + 1, name);
  }
  // The op log leads to the snapshot.
  const connection = backends[1].backend.connect();
  const rebuilt = await promisify(connection.fetchSnapshot.bind(connection))('notes', 'shared/1', 3 * each + 1);
  assert.deepEqual(rebuilt.data, clients[0].doc.data);
});
