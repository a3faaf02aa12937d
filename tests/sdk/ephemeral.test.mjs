// Ephemeral paths with the published SDKs: cursors that are seen at once, go with their writer, and are never on disk.
import assert from 'node:assert/strict';
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { get, goOffline, onDisconnect, onValue, orderByChild, limitToFirst, query, ref, remove, runTransaction, set, setWithPriority, update } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { LongPoll } from './support/long_poll.mjs';
import { block } from './support/manual.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, program, soon } from './support/server.mjs';
import { changes, closeClients, connect, joined } from './support/supabase.mjs';

after(closeClients);

const server = await Server.start(after, ['--dev', '--max-ephemeral-size', '200kB']);
after(closeApps);
const isLong = process.env.HEARTH_LONG === '1'; // 10,000 in all: db_test writes them always
const owner = { Authorization: 'Bearer owner' };
const cursorProcess = fileURLToPath(new URL('support/cursor.mjs', import.meta.url));

async function setPaths(namespace, paths) {
  const { status, text } = await rest(server, namespace, 'PUT', '/.settings/paths.json', { body: JSON.stringify(paths), headers: owner });
  assert.equal(status, 200, text);
}
const usual = { rooms: { $room: { cursors: { '.ephemeral': true } } }, typing: { '.ephemeral': true } };

async function cursor(namespace, path) {
  const child = fork(cursorProcess, [`${server.port}`, namespace, path]);
  after(() => child.kill('SIGKILL'));
  await soon(once(child, 'message'), 'the cursor to be written');
  return child;
}

function isInFolder(folder, marker) {
  return readdirSync(folder, { recursive: true }).some((name) => {
    const path = join(folder, name);
    return statSync(path).isFile() && readFileSync(path).includes(marker);
  });
}

test('a cursor is seen by others, and gone when its client is killed', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const bob = open(server.port, namespace);
  await set(ref(bob, 'rooms/a/name'), 'A');
  const cursors = values(ref(bob, 'rooms/a/cursors'));
  const above = values(ref(bob, 'rooms'));
  const below = values(ref(bob, 'rooms/a/cursors/ada/x'));
  const poll = await LongPoll.open(server.port, namespace);
  await poll.request('q', { p: '/rooms/a/cursors', h: '' });
  assert.equal((await poll.request('p', { p: '/rooms/a/cursors/eve', d: 1 })).s, 'ok');
  const events = await stream(server, namespace, '/rooms/a.json');
  const ada = await cursor(namespace, 'rooms/a/cursors/ada');
  await cursors.until((items) => items.at(-1)?.ada?.y === 2, 'the cursor');
  await above.until((items) => items.at(-1)?.a?.cursors?.ada?.x === 1, 'the cursor, above');
  await below.until((items) => items.at(-1) === 1, 'a part of it');
  await events.events.until((items) => JSON.stringify(items).includes('cursors/ada'), 'the cursor in a stream');
  await poll.heard.until((items) => JSON.stringify(items).includes('cursors/ada'), 'the cursor by long polling');
  assert.equal((await poll.request('p', { p: '/rooms/a/cursors/eve', d: null })).s, 'ok');
  assert.deepEqual(JSON.parse((await rest(server, namespace, 'GET', '/rooms/a.json')).text), { name: 'A', cursors: { ada: { x: 1, y: 2 } } });
  assert.deepEqual(JSON.parse((await rest(server, namespace, 'GET', '/rooms/a.json', { query: 'shallow=true' })).text), { name: true, cursors: true });
  ada.kill('SIGKILL');
  await cursors.until((items) => items.at(-1) === null, 'that it is gone');
  await above.until((items) => items.at(-1)?.a && !('cursors' in items.at(-1).a), 'that it is gone above');
  await below.until((items) => items.at(-1) === null, 'that the part of it is gone');
  assert.deepEqual((await get(ref(bob, 'rooms'))).val(), { a: { name: 'A' } });
  events.close();
  poll.isOver = true;
});

test('after thousands of writes nothing of them is in the data folder, and after kill -9 of the server they are gone', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  await set(ref(ada, 'rooms/a/name'), 'durablemarker');
  const heard = values(ref(bob, 'rooms/a/cursors'));
  const counts = async () => {
    const { text } = await rest(server, namespace, 'GET', '/.metrics', { headers: owner });
    return text.match(/^hearth_(commits_total|fsync_seconds_count) \d+$/gm);
  };
  const before = await counts();
  assert.equal(before.length, 2);
  for (let i = 0; i < (isLong ? 10_000 : 2_000); i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, k) => set(ref(ada, `rooms/a/cursors/keymarker${k % 10}`), { at: i + k, who: 'valuemarker' })));
  }
  assert.deepEqual(await counts(), before); // no commit, and nothing waited for the disk
  await update(ref(ada), { 'rooms/a/size': 3, 'rooms/a/cursors/keymarker0/at': 'last' }); // both in one
  await heard.until((items) => items.at(-1)?.keymarker0?.at === 'last', 'the last one');
  assert.equal(isInFolder(server.data, 'durablemarker'), true);
  assert.equal(isInFolder(server.data, 'valuemarker'), false);
  assert.equal(isInFolder(server.data, 'keymarker'), false);
  await server.kill();
  await server.start();
  assert.deepEqual(JSON.parse((await rest(server, namespace, 'GET', '/rooms.json')).text), { a: { name: 'durablemarker', size: 3 } });
  await heard.until((items) => items.at(-1) === null, 'that they are gone');
});

test('a ttl says how long what REST writes stays', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const bob = open(server.port, namespace);
  const heard = values(ref(bob, 'typing'));
  assert.equal((await rest(server, namespace, 'PUT', '/typing/ada.json', { query: 'ttl=1', body: 'true' })).status, 200);
  assert.equal((await rest(server, namespace, 'PATCH', '/typing.json', { query: 'ttl=60', body: '{"bob": true}' })).status, 200);
  await heard.until((items) => items.at(-1)?.ada && items.at(-1)?.bob, 'both');
  await heard.until((items) => items.at(-1)?.bob && !items.at(-1)?.ada, 'that the first is gone');
  assert.equal((await rest(server, namespace, 'DELETE', '/typing.json')).status, 200);
  await heard.until((items) => items.at(-1) === null, 'that both are gone');
  for (const [target, why, query] of [
    ['/typing/ada.json', /ephemeral.*\?ttl=SECONDS/],
    ['/typing/ada.json', /ttl must be a whole number of seconds, from 1 to 60/, 'ttl=61'],
    ['/typing/ada.json', /ttl must be/, 'ttl=0'],
    ['/rooms/a/name.json', /ttl is for what is written at ephemeral paths/, 'ttl=5'],
  ]) {
    const { status, text } = await rest(server, namespace, 'PUT', target, { query, body: '1' });
    assert.equal(status, 400, text);
    assert.match(JSON.parse(text).error, why);
  }
  const etag = await rest(server, namespace, 'PUT', '/typing/ada.json', { query: 'ttl=5', body: '1', headers: { 'if-match': 'null_etag' } });
  assert.match(etag.text, /conditional/);
});

test('onDisconnect, transactions and priorities are refused there, and a limit holds', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const ada = open(server.port, namespace);
  await assert.rejects(onDisconnect(ref(ada, 'typing/ada')).remove());
  await assert.rejects(runTransaction(ref(ada, 'typing/ada'), () => true));
  await assert.rejects(setWithPriority(ref(ada, 'typing/ada'), true, 1));
  const long = 'x'.repeat(60_000);
  for (let i = 0; i < 3; ++i) await set(ref(ada, `typing/long${i}`), long);
  await assert.rejects(set(ref(ada, 'typing/long3'), long));
  await set(ref(ada, 'typing/long0'), 'short');
  const metrics = await rest(server, namespace, 'GET', '/.metrics', { headers: owner });
  assert.match(metrics.text, /hearth_ephemeral_values [1-9]/);
  await remove(ref(ada, 'typing'));
});

test('what a restore or an import brings to an ephemeral path is refused with that path, and changes nothing', async () => {
  const namespace = newNamespace();
  const folder = mkdtempSync(join(tmpdir(), 'hearth-ephemeral-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name, value) => {
    writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
    return join(folder, name);
  };
  const hearth = (...words) => execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HEARTH_TOKEN: 'owner' } });
  const refusal = (...words) => {
    try {
      hearth(...words);
    } catch ({ status, stderr }) {
      assert.equal(status, 1);
      return stderr;
    }
    return assert.fail(`hearth ${words.join(' ')} is refused`);
  };
  const into = (...words) => ['restore', '--url', server.url, '--ns', namespace, '--replace', ...words];
  await setPaths(namespace, usual);
  const ada = open(server.port, namespace);
  await set(ref(ada, 'rooms/a'), { name: 'A', cursors: { ada: 1 } });
  const before = { rooms: { a: { name: 'A', cursors: { ada: 1 } } } };
  const all = async () => (await get(ref(ada))).val();
  // Above such a place, at one, and below one.
  const isRefused = /data at \/rooms\/a\/cursors, which is ephemeral here, and never on disk/;
  assert.match(refusal(...into('--into', 'rooms', file('above.json', { a: { name: 'B', cursors: { eve: 2 } } }))), isRefused);
  assert.match(refusal(...into('--into', 'rooms/a/cursors', file('at.json', { eve: 2 }))), isRefused);
  assert.match(refusal(...into('--into', 'rooms/a/cursors/eve', file('below.json', '2'))), isRefused);
  assert.deepEqual(await all(), before);
  // A dump of another namespace has such data on disk, and these paths are not ephemeral there.
  const other = newNamespace();
  await set(ref(open(server.port, other), 'rooms/a'), { name: 'C', cursors: { bob: 3 } });
  hearth('dump', '--url', server.url, '--ns', other, '--path', 'rooms', '--out', join(folder, 'rooms.hdump'));
  assert.match(refusal(...into('--into', 'rooms', join(folder, 'rooms.hdump'))), isRefused);
  assert.deepEqual(await all(), before);
  // As a whole it brings its own settings: nothing is ephemeral then.
  hearth('dump', '--url', server.url, '--ns', other, '--out', join(folder, 'other.hdump'));
  const whole = newNamespace();
  await setPaths(whole, usual);
  hearth('restore', '--url', server.url, '--ns', whole, '--replace', join(folder, 'other.hdump'));
  assert.equal((await rest(server, whole, 'GET', '/rooms/a/cursors/bob.json', { headers: owner })).text, '3');
  // By one PUT, as other tools import.
  const put = await rest(server, namespace, 'PUT', '/rooms/a.json', { body: '{"name":"D","cursors":{"eve":4}}', headers: owner });
  assert.equal(put.status, 400, put.text);
  assert.match(put.text, /\/rooms\/a\/cursors/);
  assert.deepEqual(await all(), before);
  // What brings nothing there is taken, and what was in memory below its place is gone.
  hearth(...into('--into', 'rooms', file('fine.json', { a: { name: 'E' } })));
  await expectSoon(all, { rooms: { a: { name: 'E' } } });
});

test('rules judge ephemeral writes and reads as any others', async () => {
  const own = await Server.start(after, ['--namespace', 'default']);
  const admin = { Authorization: `Bearer ${own.secret}` };
  const put = async (path, body) => {
    const { status, text } = await rest(own, 'default', 'PUT', path, { body: JSON.stringify(body), headers: admin });
    assert.equal(status, 200, text);
  };
  await put('/.settings/rules.json', { rules: { typing: { '.read': true, $who: { '.write': "$who !== 'eve'", '.validate': 'newData.isBoolean()' } } } });
  await put('/.settings/paths.json', { typing: { '.ephemeral': true } });
  const ada = open(own.port, 'default');
  await set(ref(ada, 'typing/ada'), true);
  await assert.rejects(set(ref(ada, 'typing/eve'), true), /PERMISSION_DENIED/);
  await assert.rejects(set(ref(ada, 'typing/ada'), 'yes'), /PERMISSION_DENIED/);
  await assert.rejects(set(ref(ada, 'other'), 1), /PERMISSION_DENIED/);
  assert.deepEqual((await get(ref(ada, 'typing'))).val(), { ada: true });
});

test('a query finds what is in memory alone', async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const ada = open(server.port, namespace);
  await update(ref(ada, 'typing'), { a: { n: 3 }, b: { n: 1 }, c: { n: 2 } });
  const first = query(ref(ada, 'typing'), orderByChild('n'), limitToFirst(2));
  const bob = open(server.port, namespace);
  const heard = [];
  onValue(query(ref(bob, 'typing'), orderByChild('n'), limitToFirst(2)), (rows) => heard.push(Object.keys(rows.val() ?? {}).join()));
  assert.deepEqual(Object.keys((await get(first)).val()), ['b', 'c']);
  await expectSoon(() => heard.at(-1), 'b,c');
  await remove(ref(ada, 'typing/b'));
  await expectSoon(() => heard.at(-1), 'a,c');
});

test("Supabase's rows at an ephemeral path are heard, and written by a connection or a ttl alone", async () => {
  const namespace = newNamespace();
  await setPaths(namespace, usual);
  const supabase = connect(server, namespace);
  const channel = supabase.channel('typing');
  const heard = changes(channel, { event: '*', schema: 'public', table: 'typing' });
  await joined(channel);
  const ada = open(server.port, namespace);
  await set(ref(ada, 'typing/ada'), { on: true });
  await heard.until((items) => items.length === 1, 'the row');
  goOffline(ada);
  await heard.until((items) => items.length === 2, 'that it is gone');
  const answer = await supabase.from('typing').insert({ id: 'bob', on: true });
  assert.match(answer.error?.message ?? 'taken', /ephemeral/);
});

test('the first lines of the manual about it work as they are', async () => {
  const namespace = newNamespace();
  const text = /'({[^]*})'/.exec(block('paths', '## .ephemeral', 'sh'))[1];
  await setPaths(namespace, JSON.parse(text));
  const ada = open(server.port, namespace);
  await set(ref(ada, 'rooms/lobby/cursors/ada'), { x: 3, y: 4 });
  assert.equal((await get(ref(ada, 'rooms/lobby/cursors/ada/x'))).val(), 3);
});
