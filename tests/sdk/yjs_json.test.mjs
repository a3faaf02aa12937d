// Yjs documents as JSON in the tree: edited by the published Yjs clients, read by REST, by the Firebase SDK and by rules. What
// stands there is compared with what yjs itself shows.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fb from 'firebase/database';
import * as Y from 'yjs';
import { closeApps, newNamespace, open } from './support/apps.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { closeYjs, hocuspocus, synced, until, yWebsocket } from './support/yjs.mjs';
import { contentOf, declare, history, roots } from './support/yjs_documents.mjs';

const server = await Server.start(after);
after(closeYjs);
after(closeApps);
const admin = { Authorization: 'Bearer owner' };
const seed = seedOfRun();

async function ask(namespace, json, paths = ['/']) {
  const answer = await rest(server, namespace, 'PUT', '/.settings/documents.json', { body: JSON.stringify({ paths, json }), headers: admin });
  assert.equal(answer.status, 200, answer.text);
}
const get = async (namespace, path, of = server) => JSON.parse((await rest(of, namespace, 'GET', `${path}.json`, { headers: admin })).text);

const settled = (namespace, path, expected, of = server) => expectSoon(() => get(namespace, path, of), expected);

// As the tree has it: keys that no child may have are escaped, and what is null or empty is not there.
function asTree(value) {
  if (value === null || value === undefined || typeof value !== 'object') return value ?? null;
  const entries = Array.isArray(value) ? value.map((child, i) => [String(i), child])
    : Object.entries(value).map(([key, child]) => [key === '' ? '%' : key.replace(/[%.#$[\]/\u0000-\u001f\u007f]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`), child]);
  const children = entries.map(([key, child]) => [key, asTree(child)]).filter(([, child]) => child !== null);
  return children.length ? Object.fromEntries(children) : null;
}
// REST shows dense objects as arrays.
const noArrays = (value) => (value && typeof value === 'object'
  ? Object.fromEntries(Object.entries(value).filter(([, child]) => child !== null).map(([key, child]) => [key, noArrays(child)])) : value);

const shown = (doc) => asTree(contentOf(doc));

test('a document is JSON for REST and the Firebase SDK, as it is edited; events say what changed', async () => {
  const namespace = newNamespace();
  await ask(namespace, { '/notes': { title: 'text', body: 'delta', meta: 'map', tags: 'array', page: 'xml' } });
  const db = open(server.port, namespace);
  const values = [];
  fb.onValue(fb.ref(db, 'notes/one/title'), (snapshot) => values.push(snapshot.val()));
  const changed = [];
  fb.onChildChanged(fb.ref(db, 'notes/one/meta'), (snapshot) => changed.push([snapshot.key, snapshot.val()]));
  const editor = hocuspocus(server, namespace, 'notes/one');
  await synced(editor);
  const { doc } = editor;
  doc.transact(() => {
    doc.getText('title').insert(0, 'Tea');
    doc.getText('body').insert(0, 'hot', { bold: true });
    doc.getText('body').insert(3, ' water', { bold: null });
    doc.getMap('meta').set('a.b', 1);
    doc.getMap('meta').set('deep', new Y.Map([['x', true]]));
    doc.getArray('tags').push(['green', { by: 'ada' }]);
    const page = new Y.XmlElement('p');
    page.insert(0, [new Y.XmlText('hi')]);
    doc.getXmlFragment('page').insert(0, [page]);
    doc.getText('unasked').insert(0, 'nobody sees this');
  });
  await settled(namespace, '/notes/one', {
    title: 'Tea',
    body: [{ insert: 'hot', attributes: { bold: true } }, { insert: ' water' }],
    meta: { 'a%2Eb': 1, deep: { x: true } },
    tags: ['green', { by: 'ada' }],
    page: '<p>hi</p>',
  });
  await until(() => values.at(-1) === 'Tea', 'the title at the SDK');
  doc.getMap('meta').get('deep').set('y', 2);
  await until(() => changed.length > 0, 'the change at the SDK');
  assert.deepEqual(changed, [['deep', { x: true, y: 2 }]]);
  doc.getMap('meta').delete('deep');
  doc.getArray('tags').delete(0, 1);
  await settled(namespace, '/notes/one/meta', { 'a%2Eb': 1 });
  await settled(namespace, '/notes/one/tags', [{ by: 'ada' }]);
  // Queries go over it like over all data.
  assert.deepEqual(await get(namespace, '/notes'), { one: await get(namespace, '/notes/one') });
});

test('nobody else writes there; who removes the path removes both', async () => {
  const namespace = newNamespace();
  await ask(namespace, { '/notes': { title: 'text' } });
  const editor = hocuspocus(server, namespace, 'notes/one');
  await synced(editor);
  editor.doc.getText('title').insert(0, 'Tea');
  await settled(namespace, '/notes/one', { title: 'Tea' });
  for (const [method, path, body] of [['PUT', '/notes/one/title', '"x"'], ['DELETE', '/notes/one/title'], ['PUT', '/notes/one', '{"a":1}'],
    ['PATCH', '/notes', '{"one/title": "x"}'], ['PUT', '/notes/one/.priority', '1']]) {
    const answer = await rest(server, namespace, method, `${path}.json`, { body, headers: admin });
    assert.equal(answer.status, 400, `${method} ${path}: ${answer.text}`);
    assert.match(answer.text, /There is a Yjs document at \/notes\/one/);
  }
  assert.deepEqual(await get(namespace, '/notes/one'), { title: 'Tea' });
  const late = yWebsocket(server, namespace, 'notes/one');
  await synced(late);
  assert.equal(late.doc.getText('title').toString(), 'Tea');
  assert.equal((await rest(server, namespace, 'DELETE', '/notes/one.json', { headers: admin })).status, 200);
  assert.equal((await late.closed.until((all) => all.length > 0, 'the end'))[0].code, 4404);
  assert.equal(await get(namespace, '/'), null);
  // The path is free: for data, and after that for a document again.
  assert.equal((await rest(server, namespace, 'PUT', '/notes/one.json', { body: '{"title":"data"}', headers: admin })).status, 200);
  assert.equal((await rest(server, namespace, 'DELETE', '/notes/one.json', { headers: admin })).status, 200);
  const again = yWebsocket(server, namespace, 'notes/one');
  await synced(again);
  again.doc.getText('title').insert(0, 'new');
  await settled(namespace, '/notes/one', { title: 'new' });
});

test('rules read it, of a document and elsewhere', async () => {
  const own = await Server.start(after, ['--namespace', 'docs']);
  const put = async (path, body) => {
    const answer = await rest(own, 'docs', 'PUT', `${path}.json`, { body: JSON.stringify(body), headers: { Authorization: `Bearer ${own.secret}` } });
    assert.equal(answer.status, 200, answer.text);
  };
  await put('/.settings/documents', { paths: ['/notes'], json: { '/notes': { meta: 'map' } } });
  await put('/.settings/rules', {
    rules: {
      notes: { $note: { '.read': true, '.write': "data.child('meta/locked').val() !== true" } },
      comments: { $note: { '.read': true, '.write': "root.child('notes').child($note).child('meta/open').val() === true" } },
    },
  });
  const note = hocuspocus(own, 'docs', 'notes/one', { token: own.secret });
  await synced(note);
  const comment = () => rest(own, 'docs', 'PUT', '/comments/one.json', { body: '"hi"' });
  assert.equal((await comment()).status, 401);
  note.doc.getMap('meta').set('open', true);
  await expectSoon(async () => (await comment()).status, 200);
});

test('documents that were there before the setting, another setting, and none', async () => {
  const namespace = newNamespace();
  const rooms = Array.from({ length: 70 }, (_, i) => `notes/n${i}`);
  for (const room of rooms) {
    const one = hocuspocus(server, namespace, room);
    await synced(one);
    one.doc.getText('title').insert(0, room);
    one.doc.getMap('meta').set('n', 1);
    await until(() => !one.provider.hasUnsyncedChanges, 'the edit');
    one.provider.destroy();
  }
  assert.equal(await get(namespace, '/'), null);
  const all = (value) => Object.fromEntries(rooms.map((room) => [room.slice(6), value(room)]));
  await ask(namespace, { '/notes': { title: 'text' } });
  await settled(namespace, '/notes', all((room) => ({ title: room })));
  await ask(namespace, { '/notes': { meta: 'map' }, '/notes/n3': {} });
  const { n3, ...others } = all(() => ({ meta: { n: 1 } }));
  await settled(namespace, '/notes', others);
  await ask(namespace, {});
  await settled(namespace, '/', null);
});

test('what does not fit into the tree is not there, and comes back when it fits', async () => {
  const namespace = newNamespace();
  await ask(namespace, { '/notes': { meta: 'map' } });
  const editor = hocuspocus(server, namespace, 'notes/one');
  await synced(editor);
  editor.doc.getMap('meta').set('a', 1);
  await settled(namespace, '/notes/one', { meta: { a: 1 } });
  editor.doc.getMap('meta').set('k'.repeat(800), 1);
  await settled(namespace, '/notes/one', null);
  editor.doc.getMap('meta').delete('k'.repeat(800));
  await settled(namespace, '/notes/one', { meta: { a: 1 } });
});

test('children within a document that are too old stay, and the log says so; others go', async () => {
  const own = await Server.start(after);
  const namespace = newNamespace();
  const put = async (path, value) => {
    const answer = await rest(own, namespace, 'PUT', path, { body: JSON.stringify(value), headers: admin });
    assert.equal(answer.status, 200, answer.text);
  };
  await put('/.settings/documents.json', { paths: ['/'], json: { '/notes': { meta: 'map' } } });
  const editor = hocuspocus(own, namespace, 'notes/one');
  await synced(editor);
  editor.doc.getMap('meta').set('a', 1);
  await settled(namespace, '/notes/one', { meta: { a: 1 } }, own);
  // No document, so these are data as any.
  await put('/notes/aaa.json', { x: 1, y: 2 });
  await put('/notes/zzz.json', { x: 1, y: 2 });
  await put('/.settings/paths.json', { notes: { $note: { '.ttl': 1 } } });
  await settled(namespace, '/notes', { one: { meta: { a: 1 } } }, own);
  await until(() => /older than its \.ttl stays.*\/notes\/one\/meta: There is a Yjs document at \/notes\/one/.test(own.errors), 'the log line');
  // Those that come later go too, and the document is as it was.
  await put('/notes/aaa.json', { x: 3 });
  await settled(namespace, '/notes', { one: { meta: { a: 1 } } }, own);
  assert.equal(editor.doc.getMap('meta').get('a'), 1);
});

test('what a killed server left behind is brought up to date by the next one, with nobody there', async () => {
  const own = await Server.start(after);
  const namespace = newNamespace();
  const answer = await rest(own, namespace, 'PUT', '/.settings/documents.json', { body: JSON.stringify({ paths: ['/'], json: { '/d': { title: 'text' } } }), headers: admin });
  assert.equal(answer.status, 200, answer.text);
  const expected = {};
  for (let round = 0; round < 10; round += 1) {
    const editor = hocuspocus(own, namespace, `d/r${round}`);
    await synced(editor);
    // The first edit is brought over; the second one is on disk as the server dies, and its JSON mostly not.
    editor.doc.getText('title').insert(0, 'a');
    await settled(namespace, `/d/r${round}/title`, 'a', own);
    editor.doc.getText('title').insert(1, 'b'.repeat(100_000));
    await until(() => !editor.provider.hasUnsyncedChanges, 'the edit');
    const killed = own.kill();
    editor.provider.destroy();
    await killed;
    await own.start();
    expected[`r${round}`] = { title: `a${'b'.repeat(100_000)}` };
    await settled(namespace, '/d', expected, own);
  }
});

test('random documents over kills and restarts: what stands in the tree is what yjs shows', async () => {
  const own = await Server.start(after);
  const namespace = newNamespace();
  const answer = await rest(own, namespace, 'PUT', '/.settings/documents.json', { body: JSON.stringify({ paths: ['/'], json: { '/d': roots } }), headers: admin });
  assert.equal(answer.status, 200, answer.text);
  const rounds = Number(process.env.HEARTH_STEPS ?? (process.env.HEARTH_LONG ? 60 : 6));
  for (let round = 0; round < rounds; round += 1) {
    const random = new Random(seed + round);
    const { updates } = history(random, { replicas: 1 + random.below(3), steps: 40 });
    const room = `d/r${round}`;
    let editor = hocuspocus(own, namespace, room);
    await synced(editor);
    const kills = new Set([random.below(updates.length + 1), random.below(updates.length + 1)]);
    for (const [i, update] of updates.entries()) {
      Y.applyUpdate(editor.doc, update);
      if (random.below(4) === 0) await until(() => !editor.provider.hasUnsyncedChanges, 'the edits');
      if (kills.has(i)) {
        await own.kill();
        await own.start();
      }
    }
    await until(() => editor.provider.isSynced && !editor.provider.hasUnsyncedChanges, 'all edits');
    const expected = shown(declare(editor.doc));
    try {
      await expectSoon(async () => noArrays(await get(namespace, `/${room}`, own)), noArrays(expected));
    } catch (error) {
      error.message += ` TEST_SEED=${seed + round}`;
      throw error;
    }
    editor.provider.destroy();
  }
});
