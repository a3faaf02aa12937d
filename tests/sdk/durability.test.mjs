// kill -9: what was acknowledged is there again, and clients go on as if nothing had been.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, increment, push, ref, set, setWithPriority, update } from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, values } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const server = await Server.start(after);
after(closeApps);

test('a set that was answered survives SIGKILL, and listeners hear on', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  const heard = values(ref(bob, 'x'));
  await heard.last(null);
  await set(ref(ada, 'x'), 'written');
  await setWithPriority(ref(ada, 'y'), { '😀': 1.5 }, 'p');
  await heard.last('written');
  await server.kill();
  await server.start();
  const read = await rest(server, namespace, 'GET', '/.json', { query: 'format=export' });
  assert.equal(read.text, '{"x":"written","y":{".priority":"p","😀":1.5}}');
  await set(ref(ada, 'x'), 'after');
  await heard.last('after');
  assert.deepEqual(heard.items, [null, 'written', 'after']);
});

test('of writes in the middle of which the server dies, each answered one is there', async () => {
  for (let round = 0; round < 5; ++round) {
    const namespace = newNamespace();
    const apps = [open(server.port, namespace), open(server.port, namespace)];
    await Promise.all(apps.map((app) => get(ref(app))));
    const acknowledged = new Set();
    const writing = apps.flatMap((app, a) =>
      Array.from({ length: 200 }, async (_, i) => {
        // Both places or none; the SDK sends again what was not answered, so `n` may count one twice.
        await update(ref(app), { [`left/${a}-${i}`]: i, [`right/${a}-${i}`]: i, [`n/${a}`]: increment(1) });
        acknowledged.add(`${a}-${i}`);
      }),
    );
    while (acknowledged.size < 20 + 60 * round) await new Promise((resolve) => setImmediate(resolve));
    const answered = [...acknowledged];
    await server.kill();
    await server.start();
    const { left = {}, right = {} } = JSON.parse((await rest(server, namespace, 'GET', '/.json')).text) ?? {};
    assert.deepEqual(left, right);
    for (const key of answered) assert.ok(key in left, `${key} of round ${round}`);
    await Promise.all(writing); // the rest is sent again
    const all = JSON.parse((await rest(server, namespace, 'GET', '/.json')).text);
    assert.equal(Object.keys(all.left).length, 400);
    assert.deepEqual(all.left, all.right);
    assert.ok(all.n[0] >= 200 && all.n[1] >= 200);
    await closeApps();
  }
});

test('a clean stop says 0, and the next start has everything', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const made = [];
  for (let i = 0; i < 50; ++i) made.push((await push(ref(app, 'list'), i)).key);
  assert.equal(await server.stop(), 0);
  await server.start();
  const list = JSON.parse((await rest(server, namespace, 'GET', '/list.json')).text);
  assert.deepEqual(Object.keys(list), made);
  await set(ref(app, 'again'), true); // the same app reconnects
  await caughtUp(app, app);
});

test('a server that is stopped answers what it has taken, so that nothing is done twice', async (t) => {
  const namespace = newNamespace();
  const apps = [open(server.port, namespace), open(server.port, namespace)];
  let asked = 0;
  let going = true;
  const counting = apps.map(async (app) => {
    for (; going; asked += 300) {
      await Promise.all(Array.from({ length: 300 }, () => set(ref(app, 'n'), increment(1))));
    }
  });
  for (let round = 0; round < 3; ++round) {
    const before = asked;
    while (asked < before + 2_000) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await server.stop(), 0);
    await server.start();
  }
  going = false;
  await Promise.all(counting);
  assert.equal((await get(ref(apps[0], 'n'))).val(), asked);
  t.diagnostic(`${asked} increments, 3 restarts`);
});
