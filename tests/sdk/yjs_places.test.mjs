// Whatever writes data, at a room's path and below it is refused with a reason; what removes or replaces all above rooms
// takes them along, in the same commit.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { get, onDisconnect, ref, remove, runTransaction, set, update } from '@firebase/database';
import { closeApp, closeApps, newNamespace, open } from './support/apps.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { rest } from './support/rest.mjs';
import { program, Server } from './support/server.mjs';
import { closeClients, connect } from './support/supabase.mjs';
import { closeYjs, synced, until, yWebsocket } from './support/yjs.mjs';

const server = await Server.start(after);
after(closeApps);
after(closeClients);
after(closeYjs);

const reason = /There is a Yjs document at \/docs\/a/;
const tree = async (namespace, path) => JSON.parse((await rest(server, namespace, 'GET', `${path}.json`)).text);
const code = async ({ closed }) => (await closed.until((all) => all.length > 0, 'the close'))[0].code;

// A namespace with the room docs/a, which has something in it.
async function withRoom() {
  const namespace = newNamespace();
  const [a, b] = [yWebsocket(server, namespace, 'docs/a'), yWebsocket(server, namespace, 'docs/a')];
  await Promise.all([synced(a), synced(b)]);
  a.doc.getText('t').insert(0, 'kept');
  await until(() => b.doc.getText('t').toString() === 'kept', 'the edit');
  b.provider.destroy();
  return { namespace, room: a };
}

async function isKept(namespace, room) {
  const late = yWebsocket(server, namespace, 'docs/a');
  await synced(late);
  assert.equal(late.doc.getText('t').toString(), 'kept');
  assert.equal(room.closed.items.length, 0);
}

test('REST: PUT, POST, PATCH of many paths, a write with an ETag, and a priority are refused at a room, and whole', async () => {
  const { namespace, room } = await withRoom();
  const refused = async (method, path, body, headers) => {
    const answer = await rest(server, namespace, method, path, { body: JSON.stringify(body), headers });
    assert.equal(answer.status, 400, `${method} ${path}: ${answer.text}`);
    assert.match(answer.text, reason, `${method} ${path}`);
  };
  await refused('PUT', '/docs/a.json', 1);
  await refused('PUT', '/docs/a/x/y.json', { z: 1 });
  await refused('PUT', '/docs/a.json', { '.sv': 'timestamp' });
  await refused('POST', '/docs/a.json', 1);
  await refused('PATCH', '/docs/a.json', { x: 1 });
  await refused('PATCH', '/docs.json', { a: 1, b: 2 });
  await refused('PATCH', '/.json', { 'other/x': 1, 'docs/a/x': 1 });
  await refused('PATCH', '/.json', { 'other/x': 1, 'docs/a/x': null });
  await refused('PUT', '/docs/a/.priority.json', 3);
  await refused('DELETE', '/docs/a/x.json');
  const { headers } = await rest(server, namespace, 'GET', '/docs/a.json', { headers: { 'X-Firebase-ETag': 'true' } });
  await refused('PUT', '/docs/a.json', 1, { 'if-match': headers.etag ?? headers.get?.('etag') });
  assert.equal(await tree(namespace, '/'), null);
  await isKept(namespace, room);
});

test('the Firebase SDK: set, update, a transaction and a removal below a room are refused, and those beside it not', async () => {
  const { namespace, room } = await withRoom();
  const app = open(server.port, namespace);
  const refused = (done, what) => assert.rejects(done, (error) => { assert.ok(error instanceof Error, what); return true; });
  await refused(set(ref(app, 'docs/a'), 1), 'set');
  await refused(update(ref(app), { 'docs/a/x': 1, 'other/x': 1 }), 'update');
  await refused(remove(ref(app, 'docs/a/x')), 'remove');
  await refused(runTransaction(ref(app, 'docs/a/n'), (n) => (n ?? 0) + 1), 'transaction');
  await refused(runTransaction(ref(app, 'docs/a'), () => ({ x: 1 })), 'transaction at it');
  assert.equal((await get(ref(app))).val(), null);
  const beside = await runTransaction(ref(app, 'docs/b'), (n) => (n ?? 0) + 1);
  assert.equal(beside.committed, true);
  assert.deepEqual(await tree(namespace, '/docs'), { b: 1 });
  await isKept(namespace, room);
});

test('onDisconnect: what was queued at a room is not written, and what was queued beside it is', async () => {
  const { namespace, room } = await withRoom();
  const app = open(server.port, namespace);
  await onDisconnect(ref(app, 'docs/a')).set({ gone: true }).catch(() => {});
  await onDisconnect(ref(app, 'docs/a/x')).set(1).catch(() => {});
  await onDisconnect(ref(app, 'beside')).set('gone');
  await closeApp(app);
  await expectSoon(() => tree(namespace, '/'), { beside: 'gone' });
  await isKept(namespace, room);
});

test('onDisconnect above rooms takes them along, and so does a transaction that replaces all', async () => {
  {
    const { namespace, room } = await withRoom();
    const app = open(server.port, namespace);
    await onDisconnect(ref(app, 'docs')).remove();
    await closeApp(app);
    assert.equal(await code(room), 4404);
  }
  {
    const { namespace, room } = await withRoom();
    const app = open(server.port, namespace);
    await runTransaction(ref(app, 'docs'), () => ({ a: 'data' }));
    assert.equal(await code(room), 4404);
    assert.deepEqual(await tree(namespace, '/docs'), { a: 'data' });
    assert.equal(await code(yWebsocket(server, namespace, 'docs/a')), 4403);
  }
  {
    const { namespace, room } = await withRoom();
    const app = open(server.port, namespace);
    await update(ref(app), { docs: null, other: 1 });
    assert.equal(await code(room), 4404);
    assert.deepEqual(await tree(namespace, '/'), { other: 1 });
  }
  {
    const { namespace, room } = await withRoom();
    await remove(ref(open(server.port, namespace), 'docs/a'));
    assert.equal(await code(room), 4404);
  }
});

test('Supabase: a row where a room is is refused with the reason, however it is written, and those with it', async () => {
  const { namespace, room } = await withRoom();
  const client = connect(server, namespace);
  const from = (table) => client.from(table);
  for (const [what, asked] of Object.entries({
    insert: from('docs').insert({ id: 'a', title: 'x' }),
    bulk: from('docs').insert([{ id: 'b', title: 'y' }, { id: 'a', title: 'x' }]),
    upsert: from('docs').upsert({ id: 'a', title: 'x' }),
  })) {
    const { error, status } = await asked;
    assert.equal(status, 400, what);
    assert.match(error.message, reason, what);
  }
  assert.equal((await from('docs').update({ title: 'z' }).eq('id', 'a')).error, null); // there is no such row
  assert.equal((await from('docs').delete().eq('id', 'a')).error, null);
  assert.equal(await tree(namespace, '/'), null);
  assert.equal((await from('docs').insert({ id: 'b', title: 'y' })).error, null);
  await isKept(namespace, room);
});

test('a room is refused where data lies at its path, above or below, and while it is open it ends with 4403 at its first edit', async () => {
  const namespace = newNamespace();
  await rest(server, namespace, 'PUT', '/data/x.json', { body: '1' });
  for (const place of ['data', 'data/x', 'data/x/y/z']) assert.equal(await code(yWebsocket(server, namespace, place)), 4403, place);
  const empty = yWebsocket(server, namespace, 'later');
  await synced(empty);
  assert.equal((await rest(server, namespace, 'PUT', '/later.json', { body: '1' })).status, 200);
  empty.doc.getText('t').insert(0, 'x');
  assert.equal(await code(empty), 4403);
  assert.equal(await tree(namespace, '/later'), 1);
});

test('a restore of data below a room is refused with the reason, and of data in its place too, unless it is to replace it', async () => {
  const { namespace, room } = await withRoom();
  const folder = mkdtempSync(join(tmpdir(), 'hearth-places-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'data.json');
  writeFileSync(file, '{"x":1}');
  const restore = (into, ...flags) => promisify(execFile)(program, ['restore', '--url', server.url, '--token', 'owner', '--ns', namespace, '--into', into, ...flags, file]);
  for (const [into, ...flags] of [['/docs/a/below'], ['/docs/a/below', '--replace'], ['/docs/a'], ['/docs']]) {
    await assert.rejects(restore(into, ...flags), ({ stderr }) => /Yjs document at \/docs/.test(stderr), `${into} ${flags}`);
  }
  assert.equal(await tree(namespace, '/'), null);
  await isKept(namespace, room);
  await restore('/docs/a', '--replace');
  assert.equal(await code(room), 4404);
  assert.deepEqual(await tree(namespace, '/'), { docs: { a: { x: 1 } } });
});
