// A client that speaks as the Android and iOS SDKs do: it says what it holds of a value by ranges, and is told the rest alone
// (net/wire/protocol.md §13; SDK: CompoundHash.java, RangeMerge.java).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { get, ref, set, update } from '@firebase/database';
import { closeApps, newNamespace, open } from './support/apps.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);

// Paths and strings of a tree of two levels without priorities, whose keys sort as text does.
const leaves = (tree) => Object.entries(tree).flatMap(([a, below]) => Object.entries(below).map(([b, text]) => [`${a}/${b}`, text]));

function textOf(range) {
  const byNode = new Map();
  for (const leaf of range) {
    const key = leaf[0].split('/')[0];
    byNode.set(key, [...(byNode.get(key) ?? []), leaf]);
  }
  const quoted = (text) => `"${text.replace(/["\\]/g, '\\$&')}"`;
  const node = ([key, below]) => `${quoted(key)}:(${below.map(([path, text]) => `${quoted(path.split('/')[1])}:(string:${quoted(text)})`).join()})`;
  return `(${[...byNode].map(node).join()})`;
}

// SDK: CompoundHash.SimpleSizeSplitStrategy, for values of that size.
function compoundHash(tree) {
  const ranges = [[]];
  for (const leaf of leaves(tree)) {
    ranges.at(-1).push(leaf);
    if (ranges.at(-1).reduce((sum, [, text]) => sum + text.length, 0) > 1_600) ranges.push([]);
  }
  if (ranges.at(-1).length === 0) ranges.pop();
  const sha1 = (text) => createHash('sha1').update(text).digest('base64');
  return { hs: [...ranges.map((range) => sha1(textOf(range))), ''], ps: ranges.map((range) => range.at(-1)[0]) };
}

function apply(tree, merges) {
  const inRange = (path, { s, e }) => (s === undefined || path > s) && (e === undefined || path <= e);
  const all = new Map(leaves(tree));
  for (const merge of merges) {
    [...all.keys()].filter((path) => inRange(path, merge)).forEach((path) => all.delete(path));
    for (const [path, text] of leaves(merge.m ?? {})) all.set(path, text);
  }
  const to = {};
  for (const [path, text] of all) {
    const [a, b] = path.split('/');
    (to[a] ??= {})[b] = text;
  }
  return to;
}

test('four changed leaves of 28 kB do not bring 28 kB again', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const held = Object.fromEntries(
    Array.from({ length: 14 }, (_, i) => [
      `room${10 + i}`,
      Object.fromEntries(Array.from({ length: 20 }, (_, j) => [`m${10 + j}`, `${i} "${j}" \\ `.repeat(10)])),
    ]),
  );
  await set(ref(app, 'rooms'), held);
  const socket = await Socket.open(server.port, namespace, { agent: 'Firebase/5/22.0.0/34/Android' });
  const ask = async (ch) => {
    const before = socket.heard.items.length;
    assert.equal((await socket.request('q', { p: 'rooms', h: 'of what it holds', ch })).s, 'ok');
    const pushed = socket.heard.items.slice(before).filter(({ d }) => d.a !== undefined);
    assert.equal(pushed.length, 1);
    return pushed[0].d;
  };
  const whole = await ask(undefined);
  assert.equal(whole.a, 'd');
  assert.deepEqual(whole.b.d, held);

  await update(ref(app, 'rooms'), { 'room12/m11': 'new', 'room12/m15': null, 'room20/m99': 'another', 'room23/m20': 'other' });
  await socket.request('n', { p: 'rooms' });
  const rest = await ask(compoundHash(held));
  assert.equal(rest.a, 'rm');
  assert.deepEqual(apply(held, rest.b.d), (await get(ref(app, 'rooms'))).val());
  const bytes = [whole, rest].map((message) => JSON.stringify(message).length);
  assert.ok(bytes[0] > 28_000 && bytes[1] < bytes[0] / 3, `${bytes[1]} of ${bytes[0]} bytes`);
  await socket.close();
});
