// Values by the SDK: what one app writes, another one has.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { child, get, increment, onValue, push, ref, remove, serverTimestamp, set, update } from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, Story, values } from './support/apps.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start(after);
after(closeApps);

function two() {
  const namespace = newNamespace();
  return [open(server.port, namespace), open(server.port, namespace)];
}

test('set, update and remove: the other app hears each value once, in order', async () => {
  const [ada, bob] = two();
  const heard = values(ref(bob, 'room'));
  await heard.last(null);
  await set(ref(ada, 'room'), { name: 'Lobby', n: 1 });
  await update(ref(ada, 'room'), { n: 2, 'meta/by': 'ada' });
  await update(ref(ada), { 'room/name': null, elsewhere: 1 });
  await set(ref(ada, 'room/n'), 2);
  await remove(ref(ada, 'room'));
  await caughtUp(ada, bob);
  assert.deepEqual(heard.items, [
    null,
    { name: 'Lobby', n: 1 },
    { name: 'Lobby', n: 2, meta: { by: 'ada' } },
    { n: 2, meta: { by: 'ada' } },
    null,
  ]);
});

test('push: keys are in the order they were made, and no two apps make the same', async () => {
  const [ada, bob] = two();
  const keys = [];
  for (let i = 0; i < 10; ++i) keys.push((await push(ref(ada, 'list'), { i })).key);
  await push(ref(bob, 'others'), 0);
  const list = [];
  (await get(ref(bob, 'list'))).forEach((item) => void list.push([item.key, item.val().i]));
  assert.deepEqual(list, keys.map((key, i) => [key, i]));
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => push(ref(i % 2 ? ada : bob, 'others'), i)));
  assert.equal(new Set(made.map(({ key }) => key)).size, 20);
});

test('get: what is there, what is not, and parts', async () => {
  const [ada, bob] = two();
  await set(ref(ada, 'a'), { b: { c: [1, 2, 3] }, d: 'x' });
  assert.deepEqual((await get(ref(bob, 'a'))).val(), { b: { c: [1, 2, 3] }, d: 'x' });
  assert.equal((await get(ref(bob, 'a/b/c/1'))).val(), 2);
  const absent = await get(ref(bob, 'nowhere'));
  assert.equal(absent.exists(), false);
  assert.equal(absent.val(), null);
});

test('every kind of value comes back as it went', async () => {
  const [ada, bob] = two();
  const table = [
    [true, true],
    [false, false],
    [0, 0],
    [-0, 0],
    [1.5, 1.5],
    [-2147483648, -2147483648],
    [9007199254740991, 9007199254740991],
    [1e21, 1e21],
    [5e-324, 5e-324],
    [1.7976931348623157e308, 1.7976931348623157e308],
    ['', ''],
    ['quote " back \\ slash / line\nend \u0000 \u2028', 'quote " back \\ slash / line\nend \u0000 \u2028'],
    [['a', null, 'c'], ['a', undefined, 'c']],
    [{ 0: 'a', 1: 'b', 2: 'c' }, ['a', 'b', 'c']],
    [{ 0: 'a', 4: 'e' }, { 0: 'a', 4: 'e' }],
    [{ a: {}, b: null, c: [] }, null],
    [{ a: {}, b: 1 }, { b: 1 }],
  ];
  for (const [i, [written, expected]] of table.entries()) {
    await set(ref(ada, `v/${i}`), written);
    const read = (await get(ref(bob, `v/${i}`))).val();
    assert.deepEqual(JSON.stringify(read), JSON.stringify(expected), `case ${i}`);
  }
});

test('serverTimestamp: the server\'s time, one in one update', async () => {
  const [ada, bob] = two();
  const begin = Date.now();
  await update(ref(ada), { one: serverTimestamp(), 'deep/two': serverTimestamp() });
  const all = (await get(ref(bob))).val();
  assert.ok(Math.abs(all.one - begin) < 10_000, `${all.one}`);
  assert.equal(all.deep.two, all.one);

  const offset = new Story();
  onValue(ref(bob, '.info/serverTimeOffset'), (snapshot) => offset.add(snapshot.val()));
  await offset.until((items) => Math.abs(items.at(-1)) < 10_000, 'a small difference of the clocks');
});

test('increment: 100 of two apps at once add up, and what is no number counts as none', async () => {
  const [ada, bob] = two();
  await Promise.all(Array.from({ length: 100 }, (_, i) => set(ref(i % 2 ? ada : bob, 'n'), increment(i % 3))));
  assert.equal((await get(ref(ada, 'n'))).val(), 99);
  await set(ref(ada, 'text'), 'x');
  await update(ref(ada), { text: increment(2), half: increment(-0.5) });
  assert.deepEqual((await get(ref(bob))).val(), { half: -0.5, n: 99, text: 2 });
});

test('a string of 1 MB goes both ways in pieces', async () => {
  const [ada, bob] = two();
  const text = 'ab-é-￿-'.repeat(150_000).slice(0, 1_048_576);
  const heard = values(ref(bob, 'long'));
  await heard.last(null);
  await set(ref(ada, 'long'), text);
  const items = await heard.until((all) => all.length === 2, 'the long string');
  assert.ok(items[1] === text);
  assert.ok((await get(ref(ada, 'long'))).val() === text);
});

// One by one a page has fewer, but in the long run: by long polling each write is two requests.
const singles = globalThis.window && !window.isLong ? 1_000 : 5_000;
test('5,000 children: in one write, many one by one, and in order', async () => {
  const [ada, bob] = two();
  const all = {};
  for (let i = 0; i < 5_000; ++i) all[`k${i}`] = { i };
  await set(ref(ada, 'many'), all);
  const heard = values(ref(bob, 'many'));
  await heard.until((items) => items.length === 1, 'the first value');
  assert.deepEqual(heard.items[0], all);

  await Promise.all(Array.from({ length: singles }, (_, i) => set(ref(ada, `single/${i}`), i)));
  const numbers = [];
  (await get(ref(bob, 'single'))).forEach((item) => void numbers.push(item.val()));
  assert.deepEqual(numbers, Array.from({ length: singles }, (_, i) => i));
});

test('emoji and other keys: kept, and ordered as the SDK orders them', async () => {
  const [ada, bob] = two();
  // db/model/data-model.md §3
  const sorted = ['-2147483648', '-5', '3', '03', '003', '10', '2147483647', ' 1', '+1', '-2147483649', '1_5'];
  sorted.push('2147483648', 'A', 'a b&c=%2F+"\'\\', '~', 'é', '👩‍👩‍👧', '😀', '\uffee');
  for (const key of [...sorted].reverse()) await set(child(ref(ada), key), `value of ${key} 🎉`);
  const keys = [];
  (await get(ref(bob))).forEach((item) => {
    keys.push(item.key);
    assert.equal(item.val(), `value of ${item.key} 🎉`);
  });
  assert.deepEqual(keys, sorted);
});

test('paths of 32 keys: written, heard, and gone with their only leaf', async () => {
  const [ada, bob] = two();
  const path = Array.from({ length: 32 }, (_, i) => `k${i}`).join('/');
  const heard = values(ref(bob, 'k0/k1'));
  await heard.last(null);
  await set(ref(ada, path), 'deep');
  let expected = 'deep';
  for (let i = 31; i >= 2; --i) expected = { [`k${i}`]: expected };
  await heard.last(expected);
  await remove(ref(ada, path));
  await heard.last(null);
  assert.equal((await get(ref(bob))).exists(), false);
});
