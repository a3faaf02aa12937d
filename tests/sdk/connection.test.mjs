// What goes over the wire when connections come and go, and in which order.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, goOffline, goOnline, onValue, ref, set, update } from '@firebase/database';
import { caughtUp, closeApps, events, newNamespace, open, Story, values } from './support/apps.mjs';
import { Proxy } from './support/proxy.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);

// The listen of `path` on that connection of the proxy, its answer, and what was pushed in between.
async function listened(proxy, connection, path) {
  const isListen = ({ from, message }) => from === 'client' && message.d?.a === 'q' && message.d.b.p === path;
  let asked;
  let answered = -1;
  await proxy.log.until(() => {
    const log = proxy.of(connection);
    asked = log.find(isListen)?.message.d;
    answered = log.findIndex(({ from, message }) => from === 'server' && asked && message.d?.r === asked.r);
    return answered >= 0;
  }, `the answer to a listen of ${path} on connection ${connection}`);
  const log = proxy.of(connection).slice(0, answered + 1);
  const pushed = log.filter(({ from, message }) => from === 'server' && ['d', 'm'].includes(message.d?.a));
  return { hash: asked.b.h, answer: log[answered].message.d.b, pushed: pushed.map(({ message }) => message.d.b) };
}

test('a reconnect sends the hash of what it has, and gets only what is new', async (t) => {
  const namespace = newNamespace();
  const proxy = await Proxy.start(t, server.port);
  const ada = open(proxy.port, namespace);
  const bob = open(server.port, namespace);
  const value = { name: 'Lobby 😀', n: 1.5, list: [1, 2, 3], deep: { er: { '.value': 'x', '.priority': 3 } } };
  await set(ref(bob, 'same'), value);
  await set(ref(bob, 'other'), 1);
  const same = values(ref(ada, 'same'));
  const other = values(ref(ada, 'other'));
  await same.until((items) => items.length === 1, 'the first value');
  await other.last(1);
  const first = await listened(proxy, 1, '/same');
  assert.equal(first.hash, '');
  assert.equal(first.pushed.some((push) => push.p === 'same'), true);

  proxy.cut();
  await set(ref(bob, 'other'), 2); // while ada is away
  await other.last(2);
  const again = await listened(proxy, 2, '/same');
  assert.match(again.hash, /^[A-Za-z0-9+/]{27}=$/);
  assert.deepEqual(again.answer, { s: 'ok', d: {} });
  assert.deepEqual(again.pushed.filter((push) => push.p.startsWith('same')), []);
  const changed = await listened(proxy, 2, '/other');
  assert.deepEqual(changed.pushed.filter((push) => push.p === 'other'), [{ p: 'other', d: 2 }]);
  assert.equal(same.items.length, 1);

  await set(ref(bob, 'same/n'), 2); // and it hears what comes after
  await same.until((items) => items.length === 2 && items[1].n === 2, 'a change after the reconnect');
});

test('writes and listens made offline are sent in order when online', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  const heard = values(ref(bob, 'log'));
  await heard.last(null);
  goOffline(ada);
  const writes = [];
  for (let i = 1; i <= 20; ++i) writes.push(set(ref(ada, 'log'), i));
  writes.push(update(ref(ada), { 'a/b': 1, c: 2 }));
  assert.equal(heard.items.length, 1);
  goOnline(ada);
  await Promise.all(writes);
  await heard.last(20);
  assert.deepEqual(heard.items, [null, ...Array.from({ length: 20 }, (_, i) => i + 1)]);
  assert.deepEqual((await get(ref(bob))).val(), { a: { b: 1 }, c: 2, log: 20 });
});

test('a write is answered after its own events, and its value never flashes back', async () => {
  const app = open(server.port, newNamespace());
  const story = new Story();
  onValue(ref(app, 'x'), (snapshot) => story.add(snapshot.val()));
  await story.last(null);
  for (let i = 1; i <= 5; ++i) {
    await set(ref(app, 'x'), i);
    story.add(`answered ${i}`);
  }
  const expected = [1, 2, 3, 4, 5].flatMap((i) => [i, `answered ${i}`]);
  assert.deepEqual(story.items, [null, ...expected]);
});

test('on the wire: value, then ok; push, then ok; a merge is one push; nothing after unlisten', async () => {
  const socket = await Socket.open(server.port, newNamespace());
  await socket.request('p', { p: '/a', d: { x: 1 } });
  await socket.request('q', { p: '/a', h: '' });
  await socket.request('p', { p: '/a/y', d: 2 });
  await socket.request('m', { p: '/a', d: { x: 3, 'z/deep': 4 } });
  await socket.request('p', { p: '/a/y', d: 2 }); // the same value
  await socket.request('p', { p: '/elsewhere', d: 1 });
  await socket.request('p', { p: '/', d: { a: { only: true } } });
  await socket.request('n', { p: '/a' });
  await socket.request('p', { p: '/a', d: null });
  assert.deepEqual(socket.story(), [
    '1 ok',
    'd a {"x":1}',
    '2 ok',
    'd a/y 2',
    '3 ok',
    'm a {"x":3,"z/deep":4}',
    '4 ok',
    '5 ok',
    '6 ok',
    'd a {"only":true}',
    '7 ok',
    '8 ok',
    '9 ok',
  ]);
  await socket.close();
});

test('requests of one connection are pipelined, and answered in the order asked', async () => {
  const socket = await Socket.open(server.port, newNamespace());
  const count = 300;
  for (let i = 1; i <= count; ++i) {
    const body = i % 3 === 0 ? { p: '/n', q: {} } : { p: '/n', d: i };
    socket.sendText(socket.requestText(i % 3 === 0 ? 'g' : 'p', JSON.stringify(body)));
  }
  await socket.answer();
  const answers = socket.heard.items.slice(1).map(({ d }) => [d.r, d.b.s, d.b.d]);
  const expected = Array.from({ length: count }, (_, i) => [i + 1, 'ok', (i + 1) % 3 === 0 ? i : '']);
  assert.deepEqual(answers, expected);
  await socket.close();
});

test('two apps hear of each other, however often connections break', async (t) => {
  const namespace = newNamespace();
  const proxy = await Proxy.start(t, server.port);
  const ada = open(proxy.port, namespace);
  const bob = open(server.port, namespace);
  const [from, to] = [events(ref(bob, 'chat')), events(ref(ada, 'chat'))];
  for (let i = 0; i < 3; ++i) {
    await set(ref(ada, `chat/a${i}`), `from ada ${i}`);
    proxy.cut();
    // What Bob writes he sees at once; what Ada was told is written may still be on its way to him.
    await from.until((items) => items.some((item) => item.startsWith(`added a${i} `)), `a${i} to reach Bob`);
    await set(ref(bob, `chat/b${i}`), `from bob ${i}`);
    await caughtUp(bob, ada);
  }
  await caughtUp(ada, bob);
  const added = (story) => story.items.filter((item) => item.startsWith('added')).map((item) => item.split(' ')[1]);
  assert.deepEqual(added(from), ['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
  assert.deepEqual(added(to).sort(), ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']);
  assert.equal(from.items.at(-1), to.items.at(-1));
});
