// A backup of Yjs documents, as an operator makes it: edited by the published clients, dumped, restored into another
// server and over the old one, and read by clients that were never there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { newNamespace } from './support/apps.mjs';
import { program, Server } from './support/server.mjs';
import { closeYjs, hocuspocus, synced, until, yWebsocket } from './support/yjs.mjs';

const server = await Server.start(after);
const other = await Server.start(after);
const folder = mkdtempSync(join(tmpdir(), 'hearth-dump-'));
after(closeYjs);
after(() => rmSync(folder, { recursive: true, force: true }));

const text = ({ doc }) => doc.getText('t').toString();

async function hearth(of, ...words) {
  const { stdout } = await promisify(execFile)(program, [...words, '--url', of.url, '--token', 'owner']);
  return stdout;
}

// A document of more than one update, some of which take something away again.
async function edited(namespace, room) {
  const [a, h] = [yWebsocket(server, namespace, room), hocuspocus(server, namespace, room)];
  await Promise.all([synced(a), synced(h)]);
  a.doc.getText('t').insert(0, 'hello 😀 world');
  await until(() => text(h) === 'hello 😀 world', 'the text');
  h.doc.getText('t').delete(0, 6);
  h.doc.getMap('m').set('k', { deep: [1, null, 'x'] });
  await until(() => text(a) === '😀 world' && !h.provider.hasUnsyncedChanges, 'the edits');
  return a;
}

test('a dump of documents fills another server, and a fresh client there reads and edits them', async () => {
  const namespace = newNamespace();
  const old = await edited(namespace, 'docs/a');
  await edited(namespace, 'docs/deep/b');
  const file = join(folder, 'one');
  const dumped = await hearth(server, 'dump', '--ns', namespace, '--out', file);
  assert.match(dumped, /: 0 leaves, 2 Yjs documents, sha256 /);
  const digest = /sha256 \w+/.exec(dumped)[0];
  assert.ok((await hearth(other, 'restore', '--ns', 'copy', file)).includes(digest));
  for (const room of ['docs/a', 'docs/deep/b']) {
    const fresh = yWebsocket(other, 'copy', room);
    await synced(fresh);
    assert.equal(text(fresh), text(old));
    assert.deepEqual(fresh.doc.getMap('m').toJSON(), { k: { deep: [1, null, 'x'] } });
  }
  // What is edited there is kept behind what was restored, also over a kill.
  const editor = hocuspocus(other, 'copy', 'docs/a');
  await synced(editor);
  editor.doc.getText('t').insert(0, 'new ');
  await until(() => !editor.provider.hasUnsyncedChanges, 'the edit to be stored');
  await other.kill();
  await other.start();
  const late = yWebsocket(other, 'copy', 'docs/a');
  await synced(late);
  assert.equal(text(late), 'new 😀 world');
});

test('who has a document open that a restore replaces hears 4404, and what it edited since stays out', async () => {
  const namespace = newNamespace();
  const a = await edited(namespace, 'docs/a');
  const h = hocuspocus(server, namespace, 'docs/a');
  const beside = yWebsocket(server, namespace, 'beside');
  await Promise.all([synced(h), synced(beside)]);
  const file = join(folder, 'two');
  await hearth(server, 'dump', '--ns', namespace, '--path', 'docs', '--out', file);
  h.doc.getText('t').insert(0, 'later ');
  await until(() => text(a) === 'later 😀 world' && !h.provider.hasUnsyncedChanges, 'the edit');
  await hearth(server, 'restore', '--ns', namespace, '--replace', file);
  assert.equal((await a.closed.until((all) => all.length > 0, 'the close'))[0].code, 4404);
  await h.closes.until((all) => all.length > 0, 'the close');
  const fresh = yWebsocket(server, namespace, 'docs/a');
  await synced(fresh);
  assert.equal(text(fresh), '😀 world');
  // The document beside it goes on.
  beside.doc.getText('t').insert(0, 'x');
  const second = yWebsocket(server, namespace, 'beside');
  await until(() => text(second) === 'x', 'the edit beside it');
});
