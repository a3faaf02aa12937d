// What an operator does to a running server, as the clients that are connected see it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { get, onChildAdded, onChildRemoved, onDisconnect, ref, set, update } from '@firebase/database';
import { Story, closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Server, program } from './support/server.mjs';

after(closeApps);
const folder = mkdtempSync(join(tmpdir(), 'hearth-operator-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const dev = await Server.start(after);
const hearth = (server, token, ...words) =>
  execFileSync(program, [...words, '--url', server.url, '--token', token], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

test('a restore: who listens is told what changed, and goes on', async () => {
  const space = newNamespace();
  const writer = open(dev.port, space);
  await set(ref(writer), { list: { a: 1, b: { n: 2 } }, other: true });
  hearth(dev, 'owner', 'dump', '--ns', space, '--out', 'before.dump');
  const reader = open(dev.port, space);
  const all = values(ref(reader));
  const b = values(ref(reader, 'list/b'));
  const children = new Story();
  onChildAdded(ref(reader, 'list'), (child) => children.add(`added ${child.key}`));
  onChildRemoved(ref(reader, 'list'), (child) => children.add(`removed ${child.key}`));
  await all.last({ list: { a: 1, b: { n: 2 } }, other: true });
  await update(ref(writer), { 'list/c': 3, 'list/a': null, 'list/b/n': 5 });
  await all.last({ list: { b: { n: 5 }, c: 3 }, other: true });

  hearth(dev, 'owner', 'restore', 'before.dump', '--ns', space, '--replace');
  await all.last({ list: { a: 1, b: { n: 2 } }, other: true });
  await b.last({ n: 2 });
  await children.until(
    (items) => items.includes('removed c') && items.lastIndexOf('added a') > items.indexOf('removed a'),
    'the children of before',
  );
  assert.equal(children.items.length, 6); // each once: a, b, then what the update did, then what the restore did
  await set(ref(writer, 'list/d'), 4);
  await all.last({ list: { a: 1, b: { n: 2 }, d: 4 }, other: true });

  // JSON as the console exports it, into one path.
  writeFileSync(join(folder, 'list.json'), JSON.stringify({ x: { '.priority': 1, n: 1 } }));
  hearth(dev, 'owner', 'restore', 'list.json', '--ns', space, '--into', '/list', '--replace');
  await all.last({ list: { x: { n: 1 } }, other: true });
  await b.last(null);
  assert.equal((await get(ref(reader, 'list/x'))).priority, 1);
});

test('a deleted namespace, in development: clients come back by themselves, to an empty one', async () => {
  const space = newNamespace();
  const database = open(dev.port, space);
  const told = values(ref(database, 'rooms'));
  const connected = values(ref(database, '.info/connected'));
  await connected.last(true);
  await set(ref(database, 'rooms'), { tea: 1 });
  await onDisconnect(ref(database, 'rooms/gone')).set(true);
  await told.last({ tea: 1 });
  hearth(dev, 'owner', 'namespace', 'delete', space, '--yes');
  await told.last(null); // and nothing of what was queued for the end
  await connected.until((items) => items.at(-1) === true && items.includes(false, items.indexOf(true)), 'to be back');
  assert.equal(connected.items.filter((is) => is === true).length, 2);
  await set(ref(database, 'rooms/coffee'), 2);
  await told.last({ coffee: 2 });
  // The SDK itself shows what it had queued, until the server says what there is.
  assert.deepEqual(told.items.slice(-4), [{ tea: 1 }, { gone: true, tea: 1 }, null, { coffee: 2 }]);
});

test('a deleted namespace, in production: its clients are out, others go on', async () => {
  const server = await Server.start(after, ['--namespace', 'kept']);
  writeFileSync(join(folder, 'open.json'), '{"rules":{".read":true,".write":true}}');
  for (const space of ['kept', 'gone']) {
    if (space === 'gone') hearth(server, server.secret, 'namespace', 'create', space);
    const response = await fetch(`${server.url}/.settings/rules.json?ns=${space}`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${server.secret}` },
      body: '{"rules":{".read":true,".write":true}}',
    });
    assert.equal(response.status, 200);
  }
  const [kept, gone] = [open(server.port, 'kept'), open(server.port, 'gone')];
  const toldKept = values(ref(kept, 'a'));
  const toldGone = values(ref(gone, 'a'));
  const connected = values(ref(gone, '.info/connected'));
  await set(ref(kept, 'a'), 1);
  await set(ref(gone, 'a'), 1);
  await toldGone.last(1);
  await toldKept.last(1);
  hearth(server, server.secret, 'namespace', 'delete', 'gone', '--yes');
  await connected.last(false);
  const late = await fetch(`${server.url}/a.json?ns=gone`, { method: 'PUT', body: '2' });
  assert.equal(late.status, 404);
  assert.deepEqual(JSON.parse(hearth(server, server.secret, 'namespace', 'list', '--json')), ['kept']);
  await set(ref(kept, 'a'), 2);
  await toldKept.last(2);
  assert.deepEqual(toldGone.items.filter((item) => item !== null), [1]);

  // A new one of that name has no rules, nor anything of the old one.
  hearth(server, server.secret, 'namespace', 'create', 'gone');
  const closed = await fetch(`${server.url}/a.json?ns=gone`);
  assert.equal(closed.status, 401);
  assert.equal(hearth(server, server.secret, 'get', '/', '--ns', 'gone'), 'null\n');
});
