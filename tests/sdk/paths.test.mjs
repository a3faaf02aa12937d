// /.settings/paths.json with the published SDK, over long polling, and event streams: children that become too old, and
// listeners that hear at most so often.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, limitToLast, onChildRemoved, onValue, push, query, ref, remove, runTransaction, serverTimestamp, set, update } from '@firebase/database';
import { Story, closeApps, newNamespace, open, values } from './support/apps.mjs';
import { LongPoll } from './support/long_poll.mjs';
import { block } from './support/manual.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { changes, closeClients, connect, joined } from './support/supabase.mjs';

const isLong = process.env.HEARTH_LONG === '1';
after(closeClients);
const server = await Server.start(after);
after(closeApps);

const owner = { Authorization: 'Bearer owner' };
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const putPaths = (namespace, paths) =>
  rest(server, namespace, 'PUT', '/.settings/paths.json', { body: typeof paths === 'string' ? paths : JSON.stringify(paths), headers: owner });

async function setPaths(namespace, paths) {
  const { status, text } = await putPaths(namespace, paths);
  assert.equal(status, 200, text);
}

test('paths.json is checked when it is set, with the place of each mistake, and kept as it was written', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, /'({[^]*})'/.exec(block('paths', 'for one namespace', 'sh'))[1]); // the manual's
  const text = '{\n  // messages stay for a day\n  "rooms": { "$room": { "messages": { ".ttl": 86400 } } }\n}';
  await setPaths(namespace, text);
  assert.equal((await rest(server, namespace, 'GET', '/.settings/paths.json', { headers: owner })).text, text);
  const wrong = await putPaths(namespace, '{"rooms": {\n  ".tll": 5}}');
  assert.equal(wrong.status, 400);
  assert.match(JSON.parse(wrong.text).error, /^2:3: unknown member ".tll"; there are ".ttl", ".ttlBy", ".throttle" and ".ephemeral"/);
  assert.equal((await rest(server, namespace, 'GET', '/.settings/paths.json', { headers: owner })).text, text);
  assert.equal((await rest(server, namespace, 'PUT', '/.settings/paths.json', { body: '{}', headers: { Authorization: 'Bearer x' } })).status, 401);
});

test('children that are too old go, and every kind of listener hears of it', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, { messages: { $room: { '.ttl': 4 } }, seen: { '.ttl': 1, '.ttlBy': 'at' } });
  const writer = open(server.port, namespace);
  const reader = open(server.port, namespace);
  const heard = values(ref(reader, 'messages'));
  const removed = new Story();
  onChildRemoved(ref(reader, 'messages/a'), (child) => removed.add(`${child.key}=${child.val()}`));
  const poll = await LongPoll.open(server.port, namespace);
  await poll.request('q', { p: '/messages/a', h: '' });
  const events = await stream(server, namespace, '/messages/a.json');
  await set(ref(writer, 'messages/a'), { m1: 'one', m2: 'two' });
  await set(ref(writer, 'seen'), { ada: { at: serverTimestamp() }, bob: { name: 'no age' }, eve: { at: Date.now() + 1e7 } });
  await heard.until((items) => items.at(-1)?.a.m2 === 'two', 'what was written');
  // One is written again and again, and stays meanwhile.
  for (let i = 0; !removed.items.includes('m1=one'); ++i) {
    assert.ok(i < 200);
    await set(ref(writer, 'messages/a/m2'), `again ${i}`);
    await wait(100);
    assert.ok((await get(ref(writer, 'messages/a/m2'))).exists());
  }
  await heard.until((items) => items.at(-1) === null, 'that all are gone');
  await removed.until((items) => items.length === 2, 'both removals');
  // Over the other transports: what they have, put together, is nothing.
  const holds = (item) => JSON.stringify(item).includes('"m2":null') || /m2/.test(item.p ?? item.data?.path ?? '');
  await poll.heard.until((items) => holds(items.at(-1)), 'the removal by long polling');
  await events.events.until((items) => holds(items.at(-1)), 'the removal in the stream');
  events.close();
  const left = values(ref(reader, 'seen'));
  await left.until((items) => items.length > 0 && !('ada' in items.at(-1)), 'that who was seen long ago goes');
  assert.deepEqual(Object.keys(left.items.at(-1)), ['bob', 'eve']);
  poll.isOver = true;
});

test('a server that was killed goes on with what it knew of ages', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, { messages: { '.ttl': 2 } });
  const writer = open(server.port, namespace);
  for (let i = 0; i < 5; ++i) await set(ref(writer, `messages/m${i}`), i);
  await server.kill();
  await wait(500);
  await server.start();
  const heard = values(ref(open(server.port, namespace), 'messages'));
  await heard.until((items) => items.at(-1) === null, 'that all are gone');
});

const every = 50;
const atMost = (milliseconds) => Math.floor(milliseconds / every) + 2;
const writers = isLong ? 200 : 25;
const rounds = isLong ? 600 : 90;

test(`${writers} writers at 60 Hz: who listens hears at most 20 times a second, and the last value`, async (t) => {
  const namespace = newNamespace();
  await setPaths(namespace, { rooms: { $room: { cursors: { '.throttle': every } } } });
  const reader = open(server.port, namespace);
  const begin = performance.now();
  const cursors = values(ref(reader, 'rooms/r/cursors'));
  const below = values(ref(reader, 'rooms/r/cursors/w0'));
  const window = values(query(ref(open(server.port, namespace), 'rooms/r/cursors'), limitToLast(3)));
  const above = values(ref(open(server.port, namespace), 'rooms/r'));
  const poll = await LongPoll.open(server.port, namespace);
  await poll.request('q', { p: '/rooms/r/cursors', h: '' });
  const events = await stream(server, namespace, '/rooms/r/cursors.json');
  // Each writer listens too, as in an app; what it has written itself never jumps back.
  const apps = Array.from({ length: writers }, () => open(server.port, namespace));
  const own = apps.map((app, i) => (i < 3 ? values(ref(app, 'rooms/r/cursors')) : null));
  await Promise.all(apps.map((app, i) => set(ref(app, `rooms/r/cursors/w${i}`), 0)));
  let acknowledged = 0;
  for (let round = 1; round <= rounds; ++round) {
    const next = performance.now() + 1000 / 60;
    apps.forEach((app, i) => set(ref(app, `rooms/r/cursors/w${i}`), round).then(() => ++acknowledged));
    await wait(Math.max(1, next - performance.now()));
  }
  const last = Object.fromEntries(apps.map((_, i) => [`w${i}`, rounds]));
  const is = (wanted) => (items) => JSON.stringify(sorted(items.at(-1))) === JSON.stringify(sorted(wanted));
  const sorted = (value) => (typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).sort()) : value);
  await cursors.until(is(last), 'the last of all cursors');
  await below.until(is(rounds), 'the last of one cursor');
  await window.until((items) => Object.values(items.at(-1) ?? {}).every((value) => value === rounds), 'the last of a window');
  await above.until((items) => is(last)([items.at(-1).cursors]), 'all of it above');
  for (const story of own) if (story) await story.until(is(last), "a writer's own view");
  while (acknowledged < writers * rounds) await wait(5);
  const most = atMost(performance.now() - begin); // what comes later is not counted
  const counts = { most, cursors: cursors.items.length, below: below.items.length, window: window.items.length, stream: events.events.items.length, poll: poll.heard.items.length, above: above.items.length };
  t.diagnostic(JSON.stringify(counts));
  for (const name of ['cursors', 'below', 'window', 'stream', 'poll']) assert.ok(counts[name] <= most, `${name} heard too often`);
  assert.ok(counts.above > most, 'above it nothing is withheld');
  // What a client has written never goes back in what it sees.
  own.forEach((story, i) => {
    if (story === null) return;
    let before = 0;
    for (const item of story.items) {
      const now = item?.[`w${i}`] ?? 0;
      assert.ok(now >= before, `w${i} went back from ${before} to ${now}`);
      before = now;
    }
  });
  // The stream and the poll come to the last value too, put together.
  const together = (pieces) => {
    const tree = {};
    for (const [path, data] of pieces) {
      if (path.length === 0) Object.assign(tree, data);
      else tree[path[0]] = data;
    }
    return tree;
  };
  const keys = (path, from = 0) => path.split('/').filter(Boolean).slice(from);
  // (A keep-alive has no data.)
  await events.events.until((items) => is(last)([together(items.filter(({ data }) => data).map(({ data }) => [keys(data.path), data.data]))]), 'the last of the stream');
  await poll.heard.until((items) => is(last)([together(items.map(({ p, d }) => [keys(p, 3), d]))]), 'the last of the poll');
  events.close();
  poll.isOver = true;
});

test("Supabase's rows are told as seldom, one message for each row that changed, and the last of each", async (t) => {
  const namespace = newNamespace();
  await setPaths(namespace, { cursors: { '.throttle': every } });
  const channel = connect(server, namespace).channel('cursors');
  const begin = performance.now();
  const heard = changes(channel, { table: 'cursors' });
  await joined(channel);
  const app = open(server.port, namespace);
  const rows = 5;
  const updates = isLong ? 600 : 90;
  for (let n = 1; n <= updates; ++n) {
    const next = performance.now() + 1000 / 60;
    await update(ref(app, 'cursors'), Object.fromEntries(Array.from({ length: rows }, (_, row) => [`r${row}/n`, n])));
    await wait(Math.max(1, next - performance.now()));
  }
  await remove(ref(app, 'cursors/r0'));
  const of = (items, row) => items.filter(({ now, old }) => (now.id ?? old.id) === `r${row}`);
  await heard.until((items) => of(items, 0).at(-1)?.eventType === 'DELETE', 'the removal');
  await heard.until((items) => Array.from({ length: rows - 1 }, (_, row) => of(items, row + 1).at(-1)?.now.n === updates).every(Boolean), 'the last of each row');
  const most = atMost(performance.now() - begin);
  for (let row = 0; row < rows; ++row) {
    const told = of(heard.items, row);
    assert.ok(told.length <= most, `r${row} was told ${told.length} times, and not ${most}`);
    // Each goes on from the one before: no change is between two of them.
    for (let i = 1; i < told.length; ++i) {
      if (told[i].eventType !== 'DELETE') assert.deepEqual(told[i].old, told[i - 1].now);
    }
  }
  t.diagnostic(`${updates} updates of ${rows} rows, ${heard.items.length} messages, at most ${most} of each`);
});

test('transactions, removals and updates of several paths come out right under a throttle', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, { board: { '.throttle': 100 } });
  const apps = Array.from({ length: 4 }, () => open(server.port, namespace));
  const stories = apps.map((app) => values(ref(app, 'board')));
  await Promise.all(apps.map((app) => Promise.all(Array.from({ length: 5 }, () => runTransaction(ref(app, 'board/count'), (count) => (count ?? 0) + 1)))));
  // Not by get(): an SDK that listens there answers with what it has heard so far.
  assert.equal((await rest(server, namespace, 'GET', '/board/count.json')).text, '20');
  await update(ref(apps[1]), { 'board/a': 1, 'board/b': 2, 'elsewhere/c': 3 });
  await remove(ref(apps[2], 'board/a'));
  await update(ref(apps[3], 'board'), { b: 3, 'deep/er': 4 });
  for (const story of stories) await story.last({ b: 3, count: 20, deep: { er: 4 } });
  // A setting that goes lets what was withheld be heard all the same.
  await set(ref(apps[0], 'board/b'), 4);
  await set(ref(apps[1], 'board/b'), 5);
  await setPaths(namespace, {});
  for (const story of stories) await story.last({ b: 5, count: 20, deep: { er: 4 } });
});

test('who loses the right to read hears nothing of what was withheld', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, { secret: { '.throttle': 2000 } });
  const rules = (body) => rest(server, namespace, 'PUT', '/.settings/rules.json', { body: JSON.stringify({ rules: body }), headers: owner });
  await rules({ '.read': "root.child('open').val() === true", '.write': true });
  const writer = open(server.port, namespace);
  await set(ref(writer, 'open'), true);
  const heard = values(ref(open(server.port, namespace), 'secret'));
  await heard.until((items) => items.length === 1, 'the first value');
  await set(ref(writer, 'secret'), 'told at once');
  await heard.until((items) => items.length === 2, 'the first change');
  await set(ref(writer, 'secret'), 'withheld');
  await set(ref(writer, 'open'), false);
  await heard.until((items) => /^cancelled/.test(items.at(-1)), 'the end');
  await wait(2200);
  assert.deepEqual(heard.items.slice(0, 2), [null, 'told at once']);
  assert.equal(heard.items.length, 3);
});
