// Three nodes on a PostgreSQL with two standbys, and the published clients: any node answers for all, and any may die.
//
//   any node      each family of clients at one node hears what is written at others
//   deaths        nodes killed and stopped, the primary killed, a rolling restart: 0 acknowledged writes lost, no gap and no
//                 repeat at listeners, writes again within seconds
//   the end       all nodes' copies have one digest
//
// HEARTH_LONG makes it a campaign: 100 kills, 100 stops, 30 primaries. TEST_SEED says which nodes, and when.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { increment, onDisconnect, ref, set } from '@firebase/database';
import { closeApp, closeApps, open, values } from './support/apps.mjs';
import { Cluster, once } from './support/cluster.mjs';
import { copiesAreOne, witness as watched } from './support/cluster_witness.mjs';
import { LongPoll } from './support/long_poll.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { stream } from './support/rest.mjs';
import { soon } from './support/server.mjs';
import { changes, closeClients, connect, joined, sign } from './support/supabase.mjs';
import { Receiver } from './support/webhook_receiver.mjs';
import { closeYjs, synced, yWebsocket } from './support/yjs.mjs';

const isLong = Boolean(process.env.HEARTH_LONG);
const kills = isLong ? 100 : 3;
const stops = isLong ? 100 : 2;
const primaries = isLong ? 30 : 1;
const seed = seedOfRun();
const random = new Random(seed);
const skip = existsSync('/usr/lib/postgresql/15/bin/initdb') ? false : 'no PostgreSQL 15 here: tools/setup cluster';
const limit = { timeout: isLong ? 7_200_000 : 240_000, skip };

after(closeApps);
after(closeClients);
after(closeYjs);

// With sixteen shards, and most of them in use.
const spaces = Array.from({ length: isLong ? 32 : 12 }, (_, i) => `log-${i}`);
const secret = 'a-secret-of-a-project-that-is-long-enough';
const key = sign(secret, { iss: 'http://127.0.0.1/auth/v1', aud: 'authenticated', role: 'anon', iat: Math.floor(Date.now() / 1_000), exp: Math.floor(Date.now() / 1_000) + 36_000 });
const folder = mkdtempSync(join(tmpdir(), 'hearth-cluster-auth-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'project.secret'), secret);
const config = join(folder, 'auth.json');
writeFileSync(config, JSON.stringify({ issuers: [{ shape: 'supabase', url: 'http://127.0.0.1', secret_file: 'project.secret' }] }));
const receiver = await Receiver.start(after);
const hooks = ['--history', '1h,100MB', '--webhook-host', `127.0.0.1:${receiver.port}`, '--webhook-private', '--webhook-retry', '20ms,100ms'];
const flags = ['--disconnect-grace', '2', '--auth-config', config, ...hooks];
const cluster = skip ? undefined : await Cluster.start(after, { flags });

test('any of three nodes makes namespaces that all have', limit, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  await Promise.all([...spaces, 'all'].map((space) => cluster.makeSpace(space)));
  await cluster.makeSpace('families', { realtime: { public: true }, documents: { paths: ['/notes'] } });
  for (const node of cluster.nodes) {
    const { status, text } = await cluster.ask(node, 'GET', '/.inspect/databases.json');
    assert.equal(status, 200, text);
    assert.equal(new Set(JSON.parse(text).map(({ name }) => name)).size, spaces.length + 2, text);
    assert.equal((await once(node.port, 'GET', '/.health')).status, 200);
  }
});

test('Firebase, event streams and long polling: what one node writes, clients of the others hear', limit, async () => {
  const [n1, n2, n3] = cluster.nodes;
  for (const space of spaces.slice(0, 6)) {
    const apps = [n1, n2, n3].map(({ port }) => open(port, space));
    const heard = apps.map((app) => values(ref(app, 'word')));
    const streams = await Promise.all([n1, n2, n3].map((node) => stream(node, space, '/word.json')));
    for (const [i, app] of apps.entries()) {
      await soon(set(ref(app, 'word'), `of n${i + 1}`), `a write at n${i + 1}`);
      for (const story of heard) await story.until((items) => items.includes(`of n${i + 1}`), `what n${i + 1} wrote`);
      for (const { events } of streams) await events.until((items) => items.some(({ data }) => data?.data === `of n${i + 1}`), `a stream to hear it`);
    }
    streams.forEach((one) => one.close());
    for (const app of apps) await closeApp(app);
  }
  // Each poll at another node than the one before.
  let turn = 0;
  const poll = await LongPoll.open(() => cluster.nodes[turn++ % 3].port, 'all');
  await poll.request('q', { p: '/word', h: '' });
  assert.equal((await once(n2.port, 'PUT', '/word.json?ns=all', '"polled"')).status, 200);
  await poll.heard.until((items) => items.some(({ d }) => d === 'polled'), 'a poll to hear it');
  await poll.request('p', { p: '/said', d: 'by a poll' });
  assert.equal((await once(n3.port, 'GET', '/said.json?ns=all')).text, '"by a poll"');
  assert.equal(poll.isOver, false);
  poll.close();
});

test('Supabase and Yjs: clients of different nodes are of one room', limit, async () => {
  const [n1, n2, n3] = cluster.nodes;
  const writer = yWebsocket(n1, 'families', 'notes/today');
  const reader = yWebsocket(n2, 'families', 'notes/today');
  await synced(writer);
  await synced(reader);
  writer.doc.getText('t').insert(0, 'hello from n1');
  for (const begin = Date.now(); reader.doc.getText('t').toString() !== 'hello from n1'; await sleep(20)) {
    assert.ok(Date.now() - begin < 20_000, 'what n1 typed reaches n2');
  }
  const channels = [n2, n3].map((node) => connect(node, 'families', { key }).channel('todos'));
  const heard = channels.map((channel) => changes(channel, { event: '*', schema: 'public', table: 'todos' }));
  await Promise.all(channels.map((channel) => joined(channel)));
  const { error } = await connect(n1, 'families', { key }).from('todos').insert({ id: 'a', text: 'of n1' });
  assert.equal(error, null);
  for (const story of heard) await story.until((items) => items.some(({ now }) => now?.text === 'of n1'), 'a row of n1');
});

const witness = (t, name, times, break_, more) => watched(t, cluster, spaces, { name, times, break_, ...more });

test(`${kills} nodes are killed: no acknowledged write is lost, no listener has a gap, and writes go on within seconds`, limit, async (t) => {
  await witness(t, 'kill -9 of a node', kills, async () => {
    const name = `n${1 + random.below(3)}`;
    await cluster.tool('kill', name);
    return () => cluster.tool('revive', name);
  });
});

test(`${stops} nodes stand still for a while: the same`, limit, async (t) => {
  await witness(t, 'SIGSTOP of a node', stops, async () => {
    const name = `n${1 + random.below(3)}`;
    await cluster.tool('freeze', name);
    cluster.silent.add(name);
    const thawed = sleep(isLong ? 100 + random.below(9_900) : 4_000).then(async () => {
      await cluster.tool('thaw', name);
      cluster.silent.delete(name);
    });
    return () => thawed;
  });
});

test(`${primaries} primaries are killed, and a standby promoted: the same`, limit, async (t) => {
  await witness(
    t,
    'kill -9 of the primary',
    primaries,
    async () => {
      await cluster.tool('kill', 'primary');
      await cluster.tool('promote');
      return () => cluster.tool('revive');
    },
    { silenceMax: 20_000 },
  );
});

test('a rolling restart fails no REST write but with 503 and Retry-After, and no promise of an SDK', limit, async (t) => {
  const apps = spaces.map((space, i) => open(cluster.node(1 + (i % 3)).port, space));
  const rejected = [];
  let isOver = false;
  const written = apps.map(async (app, i) => {
    for (let n = 0; !isOver; ++n) {
      await set(ref(app, `sdk/${n}`), n).catch((error) => rejected.push(`${spaces[i]}: ${error.message}`));
      await sleep(20);
    }
  });
  const writers = await witness(t, 'restart of a node', 3, (() => {
    let number = 0;
    return async () => {
      const name = `n${++number}`;
      await cluster.tool('leave', name);
      await cluster.tool('revive', name);
    };
  })());
  isOver = true;
  await soon(Promise.all(written), 'the last writes of SDKs');
  assert.deepEqual(rejected, []);
  // A node that is not there refuses the connection: that is the load balancer's to see. What is answered is 503.
  const answers = writers.flatMap(({ refusals }) => refusals).filter(({ status }) => status !== 0);
  for (const { status, headers, text } of answers) {
    assert.equal(status, 503, text);
    assert.ok(headers['retry-after'], text);
  }
  t.diagnostic(`${answers.length} writes were told to come again`);
  for (const app of apps) await closeApp(app);
});

test('onDisconnect of a client whose node dies runs once', limit, async () => {
  for (const number of [1, 2, 3]) {
    const app = open(cluster.node(number).port, 'all');
    await set(ref(app, 'gone'), 0);
    await onDisconnect(ref(app, 'gone')).set(increment(1));
    const other = open(cluster.node(1 + (number % 3)).port, 'all');
    const heard = values(ref(other, 'gone'));
    await heard.last(0);
    await cluster.tool('kill', `n${number}`);
    await closeApp(app);
    await heard.until((items) => items.includes(1), 'what was left', 40_000);
    await cluster.tool('revive', `n${number}`);
    await sleep(3_000);
    assert.equal((await cluster.ask(null, 'GET', '/gone.json?ns=all', undefined, { retries: 40, isNew: true })).text, '1');
    assert.deepEqual(heard.items, [0, 1]);
    await closeApp(other);
  }
});

test('a webhook goes on at the node that has its namespace next', limit, async () => {
  const ask = (method, target, body) => cluster.ask(null, method, target, body, { retries: 40 });
  const added = await ask('POST', '/.webhooks.json?ns=all', JSON.stringify({ url: receiver.url, path: '/hooked' }));
  assert.equal(added.status, 200, added.text);
  const written = [];
  const write = async () => {
    for (let i = 0; i < 5; ++i) {
      written.push(written.length + 1);
      assert.equal((await ask('PUT', '/hooked.json?ns=all', `${written.length}`)).status, 200);
    }
    await receiver.messages.until((items) => items.some(({ body }) => body.data.changes[0].value === written.length), `message ${written.length}`);
  };
  await write();
  for (const number of [1, 2, 3]) {
    await cluster.tool(number === 2 ? 'leave' : 'kill', `n${number}`);
    await write();
    assert.equal(JSON.parse((await ask('GET', '/.webhooks.json?ns=all')).text).length, 1);
    await cluster.tool('revive', `n${number}`);
  }
  // Each at least once, and in order where it came first.
  const seen = new Map(receiver.messages.items.map(({ id, body }) => [id, body.data.changes[0].value]));
  assert.deepEqual([...seen.values()], written);
});

test('at the end all nodes have the same', limit, async (t) => {
  await copiesAreOne(t, cluster, [...spaces, 'all', 'families']);
});
