// Queries of the published SDK, once and live: the tables of db/model/data-model.md §6 and §7.3, and what crosses the
// wire for them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setLogLevel } from '@firebase/app';
import {
  endAt,
  endBefore,
  equalTo,
  get,
  limitToFirst,
  limitToLast,
  onValue,
  orderByChild,
  orderByKey,
  orderByPriority,
  orderByValue,
  query,
  ref,
  remove,
  set,
  startAfter,
  startAt,
  update,
} from '@firebase/database';
import { caughtUp, closeApps, events, newNamespace, open, values } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);
setLogLevel('error'); // that no rule names an index is known

const keysOf = (snapshot) => {
  const keys = [];
  snapshot.forEach((child) => void keys.push(child.key));
  return keys.join(' ');
};

// Asks each query of a table once and live, each from an app that knows nothing else.
async function ask(data, table) {
  const namespace = newNamespace();
  await set(ref(open(server.port, namespace), 'list'), data);
  for (const [order, constraints, expected] of table) {
    const what = () => query(ref(open(server.port, namespace), 'list'), order, ...constraints);
    const words = `${constraints.map((one) => one.type)}: ${expected}`;
    assert.equal(keysOf(await get(what())), expected, `once, ${words}`);
    const story = events(what());
    await story.until((items) => items.some((item) => item.startsWith('value')), `the value of ${words}`);
    const added = story.items.filter((item) => item.startsWith('added')).map((item) => item.split(' ')[1]);
    assert.equal(added.join(' '), expected, `live, ${words}`);
  }
}

test('queries: order and bounds over numbers (db/model/data-model.md §6, data A)', () => {
  const value = orderByValue();
  const key = orderByKey();
  const priority = orderByPriority();
  return ask({ alex: 60, rob: 56, vassili: 55.5, tony: 52, greg: 52 }, [
    [value, [startAt(52)], 'greg tony vassili rob alex'],
    [value, [startAt(52, 'tony')], 'tony vassili rob alex'],
    [value, [startAfter(52)], 'vassili rob alex'],
    [value, [startAfter(52, 'greg')], 'tony vassili rob alex'],
    [value, [endAt(55.5)], 'greg tony vassili'],
    [value, [endBefore(55.5)], 'greg tony'],
    [value, [endAt(52, 'greg')], 'greg'],
    [value, [endBefore(52, 'tony')], 'greg'],
    [value, [equalTo(52)], 'greg tony'],
    [value, [equalTo(52, 'tony')], 'tony'],
    [value, [limitToFirst(2)], 'greg tony'],
    [value, [limitToLast(2)], 'rob alex'],
    [value, [startAt(53), limitToFirst(2)], 'vassili rob'],
    [value, [endAt(56), limitToLast(2)], 'vassili rob'],
    [value, [endAt(56), limitToFirst(2)], 'greg tony'],
    [value, [startAt(52), limitToLast(2)], 'rob alex'],
    [value, [startAt(true)], 'greg tony vassili rob alex'],
    [value, [startAt('a')], ''],
    [value, [startAt(56), endAt(52)], ''],
    [key, [startAt('g')], 'greg rob tony vassili'],
    [key, [startAfter('greg')], 'rob tony vassili'],
    [key, [endBefore('rob')], 'alex greg'],
    [key, [startAt('r'), endAt('r\uf8ff')], 'rob'],
    [priority, [startAt(null)], 'alex greg rob tony vassili'],
    [priority, [startAfter(null)], ''],
    [priority, [startAt(1)], ''],
  ]);
});

test('queries: a child of any type orders (db/model/data-model.md §6, data B)', () => {
  const data = { a: { s: 1 }, b: { t: 1 }, c: { t: 2 }, d: { s: 'x' }, e: { s: true }, f: { s: { k: 1 } }, g: 'leaf' };
  data.h = { s: false };
  const s = orderByChild('s');
  return ask(data, [
    [s, [], 'b c g h e a d f'],
    [s, [startAt(null)], 'b c g h e a d f'],
    [s, [startAt(false)], 'h e a d f'],
    [s, [endAt(1)], 'b c g h e a'],
    [s, [equalTo(null)], 'b c g'],
    [s, [equalTo(null, 'b')], 'b'],
    [s, [startAfter(null)], 'h e a d f'],
    [s, [startAt('')], 'd f'],
    [s, [startAt(null, 'c'), limitToFirst(2)], 'c g'],
    [orderByChild('s/k'), [startAt(1)], 'f'],
  ]);
});

test('queries: integer keys come first and sort as numbers (db/model/data-model.md §6, data C)', () => {
  const key = orderByKey();
  return ask({ '-5': 1, 2: 1, '03': 1, 10: 1, 2147483648: 1, x: 1 }, [
    [key, [], '-5 2 03 10 2147483648 x'],
    [key, [startAt('3')], '03 10 2147483648 x'],
    [key, [startAfter('9')], '10 2147483648 x'],
    [key, [startAt('-1'), endAt('a')], '2 03 10 2147483648'],
    [key, [startAt('')], '2147483648 x'],
  ]);
});

test('queries: a leaf is there for an order, and not for a bound or a limit', async () => {
  const namespace = newNamespace();
  await set(ref(open(server.port, namespace), 'list'), 7);
  const asked = (...parts) => get(query(ref(open(server.port, namespace), 'list'), ...parts)).then((s) => s.val());
  assert.equal(await asked(orderByChild('s')), 7);
  assert.equal(await asked(orderByChild('s'), limitToFirst(1)), null);
  assert.equal(await asked(orderByKey(), startAt('a')), null);
});

// Plays `steps` ([what, write, events]) on a room, heard live through `order` by an app that does not write.
async function play(start, order, steps) {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  const reader = open(server.port, namespace);
  await set(ref(writer, 'room'), start);
  const story = events(query(ref(reader, 'room'), ...order));
  for (const [what, write, expected] of steps) {
    await write(ref(writer, 'room'), (path) => ref(writer, `room/${path}`));
    await caughtUp(writer, reader);
    const items = story.items.filter((item) => !item.startsWith('value'));
    assert.deepEqual(items, expected, what);
    story.items = [];
  }
}

// db/model/data-model.md §7.3, third table. Values are not compared again: the events of children say all.
test('windows: the first two of an order follow every write', () =>
  play({ a: { s: 1 }, b: { s: 2 }, c: { s: 3 }, d: { s: 4 } }, [orderByChild('s'), limitToFirst(2)], [
    ['listen', () => {}, ['added a {"s":1} [null]', 'added b {"s":2} [a]']],
    ['within', (room, at) => set(at('a/s'), 2.5), ['moved a [b]', 'changed a {"s":2.5} [b]']],
    ['out', (room, at) => set(at('a/s'), 10), ['removed a {"s":2.5}', 'added c {"s":3} [b]']],
    ['in', (room, at) => set(at('e'), { s: 0 }), ['removed c {"s":3}', 'added e {"s":0} [null]']],
    ['gone', (room, at) => remove(at('e')), ['removed e {"s":0}', 'added c {"s":3} [b]']],
    ['a tie', (room, at) => set(at('b/s'), 3), ['moved b [null]', 'changed b {"s":3} [null]']],
    ['from below', (room, at) => set(at('d/s'), -1), ['removed c {"s":3}', 'added d {"s":-1} [null]']],
    ['beside', (room, at) => set(at('z'), { s: 99 }), []],
    [
      'two leave at once',
      (room) => update(room, { d: null, 'b/s': 100 }),
      ['removed d {"s":-1}', 'removed b {"s":3}', 'added c {"s":3} [null]', 'added a {"s":10} [c]'],
    ],
    [
      'all replaced',
      (room) => set(room, { p: { s: 1 }, q: { s: 2 }, r: { s: 3 } }),
      ['removed c {"s":3}', 'removed a {"s":10}', 'added p {"s":1} [null]', 'added q {"s":2} [p]'],
    ],
    ['a leaf', (room) => set(room, 'leaf'), ['removed p {"s":1}', 'removed q {"s":2}']],
  ]));

test('windows: the last two of the default order follow every write', () =>
  play({ a: 1, b: 2, c: 3 }, [limitToLast(2)], [
    ['listen', () => {}, ['added b 2 [null]', 'added c 3 [b]']],
    ['at the end', (room, at) => set(at('d'), 4), ['removed b 2', 'added d 4 [c]']],
    ['before the window', (room, at) => set(at('a0'), 4), []],
    ['gone', (room, at) => remove(at('d')), ['removed d 4', 'added b 2 [null]']],
    ['changed', (room, at) => set(at('c'), 33), ['changed c 33 [b]']],
  ]));

test('windows: a range of values follows every write', () =>
  play({ a: 1, b: 3, c: 5, d: 7 }, [orderByValue(), startAt(3), endAt(5)], [
    ['listen', () => {}, ['added b 3 [null]', 'added c 5 [b]']],
    ['in', (room, at) => set(at('a'), 4), ['added a 4 [b]']],
    ['out', (room, at) => set(at('c'), 9), ['removed c 5']],
    ['moved', (room, at) => set(at('b'), 4.5), ['moved b [a]', 'changed b 4.5 [a]']],
    ['in at the end', (room, at) => set(at('d'), 5), ['added d 5 [b]']],
  ]));

test('windows: one message takes the child that left and brings the one that came', async () => {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  await set(ref(writer, 'room'), { a: { s: 1, text: 'x' }, b: { s: 2, text: 'x' }, c: { s: 3, text: 'x' } });
  const socket = await Socket.open(server.port, namespace);
  const listen = { p: '/room', q: { i: 's', l: 2, vf: 'r' }, t: 5, h: '' };
  assert.equal((await socket.request('q', listen)).s, 'ok');
  const before = socket.heard.items.length;
  await set(ref(writer, 'room/a/text'), 'beside the window');
  await set(ref(writer, 'room/d'), { s: 4 });
  await set(ref(writer, 'room/c/text'), 'y');
  await socket.heard.until((items) => items.length >= before + 2, 'two pushes');
  assert.deepEqual(
    socket.heard.items.slice(before).map(({ d }) => [d.a, d.b]),
    [
      ['m', { p: 'room', d: { b: null, d: { s: 4 } }, t: 5 }],
      ['d', { p: 'room/c/text', d: 'y', t: 5 }],
    ],
  );
  await socket.close();
});

test('windows: what a writer holds only in part is completed by the server', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  await set(ref(app, 'room'), { a: 1, b: 2, c: 3, d: 4 });
  const story = values(query(ref(app, 'room'), limitToFirst(2)));
  await story.last({ a: 1, b: 2 });
  await remove(ref(app, 'room/a'));
  await story.last({ b: 2, c: 3 });
  await set(ref(app, 'room/A'), 0);
  await story.last({ A: 0, b: 2 });
});

test('windows: a listener that comes back with what it has is told nothing twice', async () => {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  await set(ref(writer, 'room'), { a: { s: 1 }, b: { s: 2 }, c: { s: 3 } });
  const first = await Socket.open(server.port, namespace);
  await first.request('q', { p: '/room', q: { i: 's', l: 2, vf: 'r' }, t: 1, h: '' });
  const [{ d }] = first.heard.items.filter((message) => message.d?.a === 'd');
  assert.deepEqual(d.b, { p: 'room', d: { b: { s: 2 }, c: { s: 3 } }, t: 1 });
  // The node hash of the window {b: {s: 2}, c: {s: 3}}, as the SDK computes it (db/model/data-model.md §9).
  const { createHash } = await import('node:crypto');
  const sha1 = (text) => createHash('sha1').update(text).digest('base64');
  const leaf = (bits) => sha1(`number:${bits}`);
  const b = sha1(`:s:${leaf('4000000000000000')}`);
  const c = sha1(`:s:${leaf('4008000000000000')}`);
  const second = await Socket.open(server.port, namespace);
  const before = second.heard.items.length;
  const answer = await second.request('q', { p: '/room', q: { i: 's', l: 2, vf: 'r' }, t: 1, h: sha1(`:b:${b}:c:${c}`) });
  assert.equal(answer.s, 'ok');
  assert.deepEqual(second.heard.items.slice(before).filter((message) => message.d?.a), []);
  await first.close();
  await second.close();
});

test('queries: REST answers what the SDK answers', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const rules = { rules: { '.read': true, '.write': true, list: { '.indexOn': ['s'] } } };
  const headers = { Authorization: 'Bearer owner' };
  const stored = await rest(server, namespace, 'PUT', '/.settings/rules.json', { headers, body: JSON.stringify(rules) });
  assert.equal(stored.status, 200, stored.text);
  await set(ref(app, 'list'), { a: { s: 3 }, b: { s: 1 }, c: { s: 2 } });
  for (const [asked, parts, expected] of [
    ['limitToLast=2', [limitToLast(2)], { a: { s: 3 }, c: { s: 2 } }],
    ['equalTo=1', [equalTo(1)], { b: { s: 1 } }],
    ['startAt=2&endAt=2', [startAt(2), endAt(2)], { c: { s: 2 } }],
  ]) {
    const answer = await rest(server, namespace, 'GET', '/list.json', { query: `orderBy="s"&${asked}` });
    assert.deepEqual(JSON.parse(answer.text), expected, asked);
    const snapshot = await get(query(ref(app, 'list'), orderByChild('s'), ...parts));
    assert.deepEqual(snapshot.val(), expected, asked);
  }
});

test('windows: a large collection without an index is followed too', async () => {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  const reader = open(server.port, namespace);
  const players = {};
  for (let i = 0; i < 3000; ++i) players[`p${1000 + i}`] = { score: (i * 7919) % 3000 };
  await set(ref(writer, 'players'), players);
  const story = values(query(ref(reader, 'players'), orderByChild('score'), limitToLast(2)));
  const top = (count) =>
    Object.fromEntries(
      Object.entries(players)
        .sort(([, a], [, b]) => b.score - a.score)
        .slice(0, count),
    );
  const settles = () =>
    story.until((items) => {
      const last = items.at(-1);
      const wanted = top(2);
      return last && Object.keys(last).length === 2 && Object.keys(wanted).every((key) => last[key]?.score === wanted[key].score);
    }, 'the best two');
  await settles();
  // More of them go than the server keeps behind the window's edge.
  for (const key of Object.keys(top(100))) {
    delete players[key];
    await remove(ref(writer, `players/${key}`));
  }
  await settles();
  players.new = { score: 5000 };
  await set(ref(writer, 'players/new'), players.new);
  await settles();
});

test('a listener whose query is too large is cancelled with a reason, and all others go on', async () => {
  const app = open(server.port, newNamespace());
  await set(ref(app, 'list'), { a: 'x' });
  const from = (length) => query(ref(app, 'list'), orderByValue(), startAt('x'.repeat(length)));
  const others = values(from(1));
  await others.until((items) => items.length === 1, 'the first value');
  const error = await new Promise((resolve) => void onValue(from(70_000), () => resolve(), resolve));
  assert.equal(error?.code, 'TOO_BIG');
  const large = values(from(60_000));
  await large.until((items) => items.length === 1, 'the value of one that is not');
  await set(ref(app, 'list/b'), 'y');
  await caughtUp(app, app);
  assert.deepEqual(others.items, [{ a: 'x' }, { a: 'x', b: 'y' }]);
  assert.deepEqual(large.items, [null, { b: 'y' }]);
});
