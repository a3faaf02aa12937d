// Supabase's realtime by its published client: changes of rows, broadcast and presence.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { ref, remove, set, update } from '@firebase/database';
import WebSocket from 'ws';
import { closeApps, newNamespace, open, Story } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { program, Server, soon } from './support/server.mjs';
import { changes, closeClients, connect, disconnect, joined, subscribe } from './support/supabase.mjs';
import { until } from './support/yjs.mjs';

after(closeClients);
const server = await Server.start(after);
after(closeApps);

const is = (count) => (items) => items.length >= count;

test('inserts, updates and deletes of any client are heard, with the whole old row', async () => {
  const namespace = newNamespace();
  const channel = connect(server, namespace).channel('todos');
  const heard = changes(channel, { table: 'todos' });
  await joined(channel);
  const firebase = open(server.port, namespace);
  await set(ref(firebase, 'todos/a'), { text: 'tea', done: false });
  await update(ref(firebase), { 'todos/a/done': true, 'todos/a/n': 1.5, 'todos/b/text': 'milk' });
  assert.equal((await rest(server, namespace, 'DELETE', '/todos/a.json')).status, 200);
  const items = await heard.until(is(4), 'four changes');
  assert.deepEqual(
    items.map(({ eventType, now, old }) => [eventType, now, old]),
    [
      ['INSERT', { id: 'a', text: 'tea', done: false }, {}],
      ['UPDATE', { id: 'a', text: 'tea', done: true, n: 1.5 }, { id: 'a', text: 'tea', done: false }],
      ['INSERT', { id: 'b', text: 'milk' }, {}],
      ['DELETE', {}, { id: 'a', text: 'tea', done: true, n: 1.5 }],
    ],
  );
  assert.equal(items[0].table, 'todos');
  assert.equal(items[0].errors, null);
  assert.ok(Math.abs(Date.parse(items[0].commit_timestamp) - Date.now()) < 60_000);
});

test('a restore is heard as the rows that it changed', async () => {
  const namespace = newNamespace();
  const folder = mkdtempSync(join(tmpdir(), 'hearth-rows-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'dump');
  const hearth = (...words) => promisify(execFile)(program, [...words, '--url', server.url, '--token', 'owner', '--ns', namespace]);
  const put = async (path, value) => assert.equal((await rest(server, namespace, 'PUT', path, { body: JSON.stringify(value) })).status, 200);
  await put('/t.json', { kept: { n: 1 }, changed: { n: 1 }, gone: { n: 1 } });
  await hearth('dump', '--out', file);
  await put('/t/changed.json', { n: 2 });
  await put('/t/gone.json', null);
  await put('/t/new.json', { n: 2 });
  const channel = connect(server, namespace).channel('restored');
  const heard = changes(channel, { table: 't' });
  await joined(channel);
  await hearth('restore', '--replace', file);
  const items = await heard.until(is(3), 'three changes');
  assert.deepEqual(
    items.map(({ eventType, now, old }) => [eventType, now, old]).sort(),
    [
      ['DELETE', {}, { id: 'new', n: 2 }],
      ['INSERT', { id: 'gone', n: 1 }, {}],
      ['UPDATE', { id: 'changed', n: 1 }, { id: 'changed', n: 2 }],
    ],
  );
});

test('filters and kinds choose; bindings of one channel are told apart', async () => {
  const namespace = newNamespace();
  const channel = connect(server, namespace).channel('several');
  const ofOne = changes(channel, { table: 't', filter: 'user=eq.u1' });
  const deletes = changes(channel, { table: 't', event: 'DELETE' });
  const large = changes(channel, { table: 't', filter: 'n=gt.5,user=in.(u1,u2)' });
  const all = changes(channel, { table: '*' });
  await joined(channel);
  const firebase = open(server.port, namespace);
  await set(ref(firebase, 't/1'), { user: 'u1', n: 1 });
  await set(ref(firebase, 't/2'), { user: 'u2', n: 9 });
  await set(ref(firebase, 't/1/user'), 'u3');
  await remove(ref(firebase, 't/2'));
  await set(ref(firebase, 'other/x'), { y: 1 });
  await all.until(is(5), 'all changes');
  assert.deepEqual(ofOne.items.map(({ eventType, now }) => [eventType, now.id]), [['INSERT', '1']]);
  assert.deepEqual(deletes.items.map(({ old }) => old), [{ id: '2', user: 'u2', n: 9 }]);
  assert.deepEqual(large.items.map(({ eventType }) => eventType), ['INSERT', 'DELETE']);
  assert.deepEqual(all.items.map(({ table, eventType }) => `${table} ${eventType}`), ['t INSERT', 't INSERT', 't UPDATE', 't DELETE', 'other INSERT']);
});

test('a table that lies elsewhere has the name that the operator gave it', async () => {
  const namespace = newNamespace();
  const settings = await fetch(`${server.url}/.settings/tables.json?ns=${namespace}`, { method: 'PUT', headers: { Authorization: 'Bearer owner' }, body: JSON.stringify({ orders: '/shop/orders' }) });
  assert.equal(settings.status, 200);
  const channel = connect(server, namespace).channel('aliases');
  const orders = changes(channel, { table: 'orders' });
  const all = changes(channel, { table: '*' });
  await joined(channel);
  await set(ref(open(server.port, namespace), 'shop/orders/o1'), { n: 1 });
  await all.until(is(2), 'both names');
  assert.deepEqual(orders.items.map(({ table, now }) => [table, now]), [['orders', { id: 'o1', n: 1 }]]);
  assert.deepEqual(all.items.map(({ table }) => table).sort(), ['orders', 'shop']);
});

test('a filter that cannot be read is told, and the channel lives', async () => {
  const namespace = newNamespace();
  const client = connect(server, namespace);
  const channel = client.channel('bad');
  const heard = changes(channel, { table: 't', filter: 'nonsense' });
  const system = new Story();
  channel.on('system', {}, (message) => system.add(message));
  await joined(channel);
  const [message] = await system.until(is(1), 'the system message');
  assert.equal(message.status, 'error');
  assert.match(message.message, /^Error parsing `filter` params: /);
  assert.equal(heard.items.length, 0);
  assert.equal(channel.state, 'joined');
});

test('broadcast: to others, to oneself when asked, acknowledged, JSON and bytes, on several channels', async () => {
  const namespace = newNamespace();
  const [ada, ben] = [connect(server, namespace), connect(server, namespace)];
  const mine = ada.channel('room:1', { config: { broadcast: { ack: true, self: true } } });
  const theirs = ben.channel('room:1');
  const other = ben.channel('room:2');
  const [own, heard, elsewhere] = [new Story(), new Story(), new Story()];
  mine.on('broadcast', { event: '*' }, (message) => own.add(message));
  theirs.on('broadcast', { event: 'cursor' }, ({ payload }) => heard.add(payload));
  other.on('broadcast', { event: '*' }, (message) => elsewhere.add(message));
  await Promise.all([joined(mine), joined(theirs), joined(other)]);
  assert.equal(await mine.send({ type: 'broadcast', event: 'cursor', payload: { x: 1, text: 'ü😀' } }), 'ok');
  assert.equal(await mine.send({ type: 'broadcast', event: 'cursor', payload: new Uint8Array([0, 1, 255]).buffer }), 'ok');
  const [first, second] = await heard.until(is(2), 'two broadcasts');
  assert.deepEqual(first, { x: 1, text: 'ü😀' });
  assert.deepEqual([...new Uint8Array(second)], [0, 1, 255]);
  assert.equal((await own.until(is(2), 'its own'))[0].event, 'cursor');
  await theirs.send({ type: 'broadcast', event: 'reply', payload: { y: 2 } });
  await own.until(is(3), 'the reply');
  assert.deepEqual(own.items[2].payload, { y: 2 });
  assert.equal(heard.items.length, 2); // it does not hear itself
  assert.equal(elsewhere.items.length, 0);
});

test('broadcast by HTTP, and by a channel that is not joined', async () => {
  const namespace = newNamespace();
  const [ada, ben] = [connect(server, namespace), connect(server, namespace)];
  const channel = ada.channel('by http/ü');
  const heard = new Story();
  channel.on('broadcast', { event: '*' }, (message) => heard.add(message));
  await joined(channel);
  const outside = ben.channel('by http/ü');
  await outside.httpSend('news', { n: 1 });
  await outside.httpSend('bytes', new Uint8Array([7]).buffer);
  assert.equal(await outside.send({ type: 'broadcast', event: 'late', payload: { n: 2 } }), 'ok');
  const items = await heard.until(is(3), 'three broadcasts');
  assert.deepEqual(items.map(({ event }) => event), ['news', 'bytes', 'late']);
  assert.deepEqual(items[0].payload, { n: 1 });
  assert.deepEqual([...new Uint8Array(items[1].payload)], [7]);
  assert.deepEqual(items[2].payload, { n: 2 });
});

test('presence: sync, join and leave, a change of what one says, and a client that is gone', async () => {
  const namespace = newNamespace();
  const [ada, ben] = [connect(server, namespace), connect(server, namespace)];
  const at = (client, key) => {
    const channel = client.channel('room', { config: { presence: { key } } });
    const story = new Story();
    for (const event of ['sync', 'join', 'leave']) {
      channel.on('presence', { event }, ({ key: who, newPresences, leftPresences }) => {
        story.add(event === 'sync' ? 'sync' : `${event} ${who} ${(newPresences ?? leftPresences).map(({ mood }) => mood)}`);
      });
    }
    return { channel, story };
  };
  const one = at(ada, 'ada');
  await joined(one.channel);
  await one.story.until(is(1), 'the empty state');
  assert.equal(await one.channel.track({ mood: 'good' }), 'ok');
  await one.story.until((all) => all.includes('join ada good'), 'its own join');
  const two = at(ben, 'ben');
  await joined(two.channel);
  await two.story.until((all) => all.includes('sync'), 'the state');
  assert.deepEqual(Object.keys(two.channel.presenceState()), ['ada']);
  await two.channel.track({ mood: 'fine' });
  await one.story.until((all) => all.includes('join ben fine'), 'the join of ben');
  await two.channel.track({ mood: 'tired' });
  await one.story.until((all) => all.includes('leave ben fine'), 'what ben said before');
  assert.deepEqual(one.channel.presenceState().ben.map(({ mood }) => mood), ['tired']);
  await two.channel.untrack();
  await one.story.until((all) => all.includes('leave ben tired'), 'ben to go');
  await two.channel.track({ mood: 'back' });
  await one.story.until((all) => all.includes('join ben back'), 'ben to come back');
  disconnect(ben);
  await one.story.until((all) => all.includes('leave ben back'), 'ben to be gone');
  // One that is killed says nothing.
  const { socket, say } = await raw(namespace);
  say(['1', '1', 'realtime:room', 'phx_join', { config: { presence: { key: 'cy', enabled: true } } }]);
  say(['1', '2', 'realtime:room', 'presence', { type: 'presence', event: 'track', payload: { mood: 'short' } }]);
  await one.story.until((all) => all.includes('join cy short'), 'the third to come');
  socket.terminate();
  await one.story.until((all) => all.includes('leave cy short'), 'the third to be gone');
});

test('who tracks without having asked for presence is seen, and sees the others from then on', async () => {
  const namespace = newNamespace();
  const [ada, ben] = [connect(server, namespace), connect(server, namespace)];
  const a = ada.channel('room', { config: { presence: { key: 'ada' } } }).on('presence', { event: 'sync' }, () => {});
  const b = ben.channel('room', { config: { presence: { key: 'ben', enabled: false } } });
  await Promise.all([joined(a), joined(b)]);
  const present = (channel) => Object.keys(channel.presenceState()).sort().join();
  assert.equal(await a.track({ at: 1 }), 'ok');
  assert.equal(present(b), '');
  assert.equal(await b.track({ at: 2 }), 'ok');
  await until(() => present(a) === 'ada,ben', 'ben to be seen');
  assert.equal(present(b), 'ada,ben'); // by the time that the answer is there
  await a.untrack();
  await until(() => present(b) === 'ben', 'ada to go');
});

test('removeChannel frees the channel on the server; leaving is told to those who stay', async () => {
  const namespace = newNamespace();
  const client = connect(server, namespace);
  const channel = client.channel('gone');
  const heard = changes(channel, { table: 't' });
  await joined(channel);
  const members = async () => Number(/^hearth_topic_members (\d+)/m.exec(await (await fetch(`${server.url}/.metrics`, { headers: { Authorization: 'Bearer owner' } })).text())[1]);
  const before = await members();
  assert.equal(await client.removeChannel(channel), 'ok');
  await soon((async () => {
    while ((await members()) >= before) await new Promise((resolve) => setTimeout(resolve, 20));
  })(), 'the server to let go');
  await set(ref(open(server.port, namespace), 't/x'), 1);
  assert.equal(heard.items.length, 0);
});

test('a restart: channels rejoin, presence comes anew, and nothing is missed by who reads at SUBSCRIBED', async () => {
  const namespace = newNamespace();
  const own = await Server.start(after);
  const client = connect(own, namespace);
  const channel = client.channel('t', { config: { presence: { key: 'a' } } });
  const heard = changes(channel, { table: 't' });
  const states = new Story();
  channel.on('presence', { event: 'sync' }, () => states.add(Object.keys(channel.presenceState())));
  const statuses = subscribe(channel);
  const times = (count) => (all) => all.filter((status) => status === 'SUBSCRIBED').length >= count;
  await statuses.until(times(1), 'SUBSCRIBED');
  await states.until(is(1), 'a state');
  const write = (key, n) => fetch(`${own.url}/t/${key}.json?ns=${namespace}`, { method: 'PUT', body: JSON.stringify({ n }) });
  await write('a', 1);
  await heard.until(is(1), 'a change');
  await own.kill();
  await own.start();
  await write('b', 2); // while nobody listens
  await statuses.until(times(2), 'SUBSCRIBED again');
  await write('c', 3);
  await heard.until((all) => all.some(({ now }) => now.id === 'c'), 'a change after the restart');
  assert.deepEqual(heard.items.map(({ now }) => now.id), ['a', 'c']);
  await states.until(is(2), 'a state anew');
});

test('version 1.0.0 of the protocol: text, and no bytes', async () => {
  const namespace = newNamespace();
  const old = connect(server, namespace, { realtime: { vsn: '1.0.0' } });
  const now = connect(server, namespace);
  const [one, two] = [old.channel('r', { config: { presence: { key: 'old' } } }), now.channel('r', { config: { broadcast: { ack: true } } })];
  const heard = new Story(), back = new Story(), rows = changes(one, { table: 't' }), syncs = new Story();
  one.on('broadcast', { event: '*' }, (message) => heard.add(message));
  one.on('presence', { event: 'sync' }, () => syncs.add(one.presenceState()));
  two.on('broadcast', { event: '*' }, (message) => back.add(message));
  await Promise.all([joined(one), joined(two)]);
  await two.send({ type: 'broadcast', event: 'raw', payload: new Uint8Array([1]).buffer });
  await two.send({ type: 'broadcast', event: 'hi', payload: { n: 1 } });
  assert.deepEqual((await heard.until(is(1), 'the text'))[0].payload, { n: 1 });
  await one.send({ type: 'broadcast', event: 'yo', payload: { n: 2 } });
  assert.deepEqual((await back.until(is(1), 'the answer'))[0].payload, { n: 2 });
  await one.track({ a: 1 });
  await syncs.until((all) => all.at(-1)?.old?.[0].a === 1, 'presence');
  await set(ref(open(server.port, namespace), 't/x'), { y: 1 });
  await rows.until(is(1), 'a change');
});

// A socket that speaks by itself.
async function raw(namespace, vsn = '2.0.0') {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ns/${namespace}/realtime/v1/websocket?apikey=k&vsn=${vsn}`);
  const heard = new Story();
  socket.on('message', (data, isBinary) => heard.add(isBinary ? data : JSON.parse(data)));
  const closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  await soon(new Promise((resolve) => socket.on('open', resolve)), 'the socket to open');
  return { socket, heard, closed, say: (message) => socket.send(JSON.stringify(message)) };
}

test('what a client may not mean is refused, and the socket lives; nonsense without end closes it', async () => {
  const namespace = newNamespace();
  const { socket, heard, closed, say } = await raw(namespace);
  say([null, '1', 'phoenix', 'heartbeat', {}]);
  assert.deepEqual((await heard.until(is(1), 'a reply'))[0], [null, '1', 'phoenix', 'phx_reply', { status: 'ok', response: {} }]);
  say(['2', '2', 'realtime:', 'phx_join', {}]);
  say([null, '3', 'realtime:nowhere', 'broadcast', { event: 'x' }]);
  say(['4', '4', 'realtime:p', 'phx_join', { config: { presence: { key: 'ids', enabled: true } } }]);
  say(['5', '5', 'realtime:q', 'phx_join', { config: { private: true } }]);
  const replies = (await heard.until(is(5), 'refusals')).slice(1).map(([, ref, , , { status, response }]) => [ref, status, response.reason]);
  assert.ok(replies.every(([, status]) => status === 'error'));
  assert.equal(replies.find(([ref]) => ref === '3')[2], 'unmatched topic');
  assert.match(replies.find(([ref]) => ref === '5')[2], /^Unauthorized: You do not have permissions to read from this Channel topic: q/);
  for (let i = 0; i < 101; ++i) say([`j${i}`, `j${i}`, `realtime:c${i}`, 'phx_join', {}]);
  const all = await heard.until((items) => items.filter(([, ref, , event]) => event === 'phx_reply' && ref?.startsWith('j')).length === 101, '101 answers');
  assert.equal(all.filter(([, ref, , , payload]) => ref?.startsWith('j') && payload.status === 'error').length, 1);
  // Joined again on the same topic: the old one is closed.
  say(['again', 'again', 'realtime:c1', 'phx_join', {}]);
  const close = (await heard.until((items) => items.some(([, , , event]) => event === 'phx_close'), 'the close')).find(([, , , event]) => event === 'phx_close');
  assert.deepEqual(close, ['j1', 'j1', 'realtime:c1', 'phx_close', {}]);
  for (let i = 0; i < 10; ++i) socket.send(i % 2 ? '[1,2' : Buffer.from([3, 255, 1, 1, 1, 0, 1]));
  assert.equal(await soon(closed, 'the socket to be closed'), 1007);
});

test('a commit of more rows than are told: the channel errs, and joins again', async () => {
  const namespace = newNamespace();
  const channel = connect(server, namespace).channel('many');
  changes(channel, { table: 't' });
  const statuses = await joined(channel);
  const rows = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, 1]));
  assert.equal((await rest(server, namespace, 'PUT', '/t.json', { body: JSON.stringify(rows) })).status, 200);
  await statuses.until((all) => all.filter((status) => status === 'SUBSCRIBED').length === 2, 'SUBSCRIBED again');
});
