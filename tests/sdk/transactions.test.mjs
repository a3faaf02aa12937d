// runTransaction: compare-and-put by the node hash.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, ref, runTransaction, set } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const server = await Server.start(after);
after(closeApps);

test('2 apps × 50 increments make 100, and each value is heard in order', async () => {
  const namespace = newNamespace();
  const apps = [open(server.port, namespace), open(server.port, namespace)];
  const watcher = values(ref(open(server.port, namespace), 'n'));
  await watcher.last(null);
  const fifty = async (app) => {
    for (let i = 0; i < 50; ++i) {
      const result = await runTransaction(ref(app, 'n'), (n) => (n ?? 0) + 1);
      assert.equal(result.committed, true);
    }
  };
  await Promise.all(apps.map(fifty));
  assert.equal((await get(ref(apps[0], 'n'))).val(), 100);
  await watcher.last(100);
  assert.deepEqual(watcher.items.slice(1), Array.from({ length: 100 }, (_, i) => i + 1));
});

test('a transaction that gives up writes nothing, one on nothing makes it', async () => {
  const app = open(server.port, newNamespace());
  await set(ref(app, 'seats'), 0);
  await get(ref(app, 'seats'));
  const refused = await runTransaction(ref(app, 'seats'), (left) => (left === null ? left : left > 0 ? left - 1 : undefined));
  assert.equal(refused.committed, false);
  assert.equal(refused.snapshot.val(), 0);
  const made = await runTransaction(ref(app, 'new/place'), (value) => (value === null ? { made: true } : undefined));
  assert.equal(made.committed, true);
  assert.deepEqual((await get(ref(app))).val(), { seats: 0, new: { place: { made: true } } });
});

// A hash that differs from the SDK's would be told as stale 25 times, and end in `maxretry`.
test('the hash of every kind of value is the one that the SDK computes', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const table = [
    '41',
    '-1.5',
    '0.1',
    '1e21',
    '1.862645149230957e-9', // 2^-29: the SDK's own idea of its exponent is wrong (net/wire/protocol.md §7.2)
    '7.999999999999999',
    '281474976710655',
    '9007199254740993', // more than a double holds
    'true',
    '"é😀\\u0001\\"\\\\"',
    '""',
    '{"9":1,"10":1,"a":1,"-1":1,"01":1}',
    '{"ü":1,"～":2,"😀":3}',
    '{"x":{".value":1,".priority":2},"y":{".value":1,".priority":1},"z":5}',
    '{".priority":"p","k":{"deep":{"er":false}}}',
    '{".priority":0,"k":1}',
    '{".value":"v",".priority":3}',
  ];
  for (const [i, text] of table.entries()) {
    const put = await rest(server, namespace, 'PUT', `/h/${i}.json`, { body: text });
    assert.equal(put.status, 200, text);
    let runs = 0;
    const result = await runTransaction(ref(app, `h/${i}`), (value) => {
      ++runs;
      return { was: value };
    });
    assert.equal(result.committed, true, text);
    assert.ok(runs <= 2, `${text}: run ${runs} times`); // once on nothing, once on the value
    assert.deepEqual(result.snapshot.val().was, JSON.parse((await rest(server, namespace, 'GET', `/h/${i}.json`)).text).was);
  }
});

test('the newer value comes before datastale, the own value before ok', async () => {
  const namespace = newNamespace();
  const socket = await Socket.open(server.port, namespace);
  await socket.request('q', { p: '/n', h: '' });
  const other = open(server.port, namespace);
  await set(ref(other, 'n'), 41);
  await socket.request('p', { p: '/n', d: 1, h: '' });
  await socket.request('p', { p: '/n', d: 42, h: 'FKQEQrg9eSmOibuEATBfMSlup8g=' });
  assert.deepEqual(socket.story().slice(-4), ['d n 41', '2 datastale', 'd n 42', '3 ok']);
  await socket.close();
});
