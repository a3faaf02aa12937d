// The example tests/examples/tanstack-db: writes are shown before they are answered, and taken back when they are refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';
import { folderOf, startServer } from './support/example.mjs';
import { rest } from './support/rest.mjs';
import { soon } from './support/server.mjs';
import { closeClients, connect } from './support/supabase.mjs';

// The example as npm install leaves it.
const folder = join(mkdtempSync(join(tmpdir(), 'hearth-tanstack-')), 'app');
after(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
cpSync(folderOf('tanstack-db'), folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
symlinkSync(fileURLToPath(new URL('node_modules', import.meta.url)), join(folder, 'node_modules'));
const { isTemporary, temporaryId, todosAt } = await import(join(folder, 'todos.js'));
const { todosOf } = await import(join(folder, 'supabase.js'));
after(closeClients);

const long = 'longer than forty characters, which the rules refuse';
const listOf = (server) => `${server.url}/todos.json?ns=todos`;
const put = async (server, id, value) => {
  const { status } = await rest(server, 'todos', 'PUT', `/todos/${id}.json`, { body: JSON.stringify(value) });
  assert.equal(status, 200);
};

const families = { 'by REST': (server) => todosAt(listOf(server)), 'by Supabase': (server) => todosOf(connect(server, 'todos')) };

// A collection, and the texts that it has shown after each change.
async function open(t, server, family) {
  const todos = families[family](server);
  await soon(todos.preload(), 'the first list');
  const texts = () => todos.toArray.map(({ text, done }) => text + (done ? ' ✓' : '')).sort();
  const shown = [texts()];
  const changes = todos.subscribeChanges(() => shown.push(texts()));
  t.after(() => {
    changes.unsubscribe();
    return todos.cleanup();
  });
  const shows = (wanted) =>
    soon(
      (async () => {
        while (JSON.stringify(texts()) !== JSON.stringify(wanted)) await new Promise((resolve) => setTimeout(resolve, 5));
      })(),
      `${wanted} to be shown`,
    );
  return { todos, texts, shown, shows };
}
const done = (transaction) => soon(transaction.isPersisted.promise, 'the answer');

for (const family of Object.keys(families)) {
  test(`tanstack-db, ${family}: a row has a temporary id until the server has given one, and is never shown twice or not at all`, async (t) => {
    const server = await startServer((end) => t.after(end), 'tanstack-db');
    const { todos, texts, shown } = await open(t, server, family);
    server.pause();
    const inserted = todos.insert({ id: temporaryId(), text: 'tea', done: false });
    assert.deepEqual(texts(), ['tea']);
    assert.ok(isTemporary(todos.toArray[0]));
    server.resume();
    await done(inserted);
    assert.deepEqual(texts(), ['tea']);
    assert.ok(!isTemporary(todos.toArray[0]));
    for (let i = 0; i < 20; ++i) await done(todos.insert({ id: temporaryId(), text: `n${i}`, done: false }));
    assert.equal(todos.size, 21);
    for (const list of shown.slice(2)) {
      assert.equal(new Set(list).size, list.length, `${list}`);
      assert.ok(list.includes('tea'), `${list}`);
    }
    for (let i = 1; i < shown.length; ++i) assert.ok(shown[i].length >= shown[i - 1].length, `${shown[i - 1]} → ${shown[i]}`);
  });

  test(`tanstack-db, ${family}: what is refused is taken back, and what others wrote meanwhile stays`, async (t) => {
    const server = await startServer((end) => t.after(end), 'tanstack-db');
    await put(server, 'a', { text: 'bread', done: false });
    const mine = await open(t, server, family);
    const { todos, texts } = mine;
    const other = await open(t, server, family);
    server.pause();
    const inserted = todos.insert({ id: temporaryId(), text: long, done: false });
    const updated = todos.update('a', (row) => void (row.text = long));
    assert.deepEqual(texts(), [long, long].sort());
    const others = other.todos.update('a', (row) => void (row.done = true));
    server.resume();
    await assert.rejects(done(inserted), family === 'by REST' ? /Permission denied/ : /row-level security|permission denied/i);
    await assert.rejects(done(updated), family === 'by REST' ? /Permission denied/ : /row-level security|permission denied/i);
    await done(others);
    for (const { shows } of [mine, other]) await shows(['bread ✓']);
    assert.equal(inserted.state, 'failed');

    // What is removed is gone at once, and stays away.
    server.pause();
    const removed = todos.delete('a');
    assert.deepEqual(texts(), []);
    server.resume();
    await done(removed);
    await other.shows([]);
    assert.deepEqual(texts(), []);
  });

  test(`tanstack-db, ${family}: a stream that is cut begins anew`, async (t) => {
    const server = await startServer((end) => t.after(end), 'tanstack-db');
    await put(server, 'a', { text: 'bread', done: false });
    const { shows } = await open(t, server, family);
    await server.kill();
    await server.start();
    await put(server, 'b', { text: 'tea', done: true });
    await shows(['bread', 'tea ✓']);
  });
}

test('tanstack-db: its program runs as it is, with the packages that are tested here', async (t) => {
  const server = await startServer((end) => t.after(end), 'tanstack-db');
  const child = spawn(process.execPath, ['main.js'], { cwd: folder, env: { ...process.env, LIST: listOf(server) } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  const [code] = await soon(once(child, 'close'), 'the program to end');
  assert.equal(code, 0, output);
  assert.match(output, /^\[ \] tea …\n\[ \] tea\n\[x\] tea\n(.*\n)*not saved: Permission denied\n(.*\n)*\(empty\)\n$/);
  const versions = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const tested = versions(join(import.meta.dirname, 'package.json')).devDependencies;
  for (const [name, version] of Object.entries(versions(join(folder, 'package.json')).dependencies)) assert.equal(tested[name], version);
});
