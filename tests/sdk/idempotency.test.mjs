// Idempotency-Key over a server that is killed again and again: what is sent three times is done once.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { newNamespace } from './support/apps.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const isLong = process.env.HEARTH_LONG === '1';
const kRequests = isLong ? 1_000 : 150;
const kKills = isLong ? 60 : 6;
const kAtATime = 12;

const server = await Server.start(after);
const seed = seedOfRun();
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test(`${kRequests} requests, each sent three times over ${kKills} kills, make ${kRequests} children`, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const namespace = newNamespace();
  const count = { sent: 0, lost: 0, doneAndLost: 0, underWay: 0, repeated: 0 };
  let up = Promise.resolve(); // once there is a server
  const names = new Map(); // of each request, as it was answered

  // One sending, to a server that may die meanwhile.
  async function send(number, key) {
    await up;
    ++count.sent;
    let reply;
    try {
      reply = await rest(server, namespace, 'POST', '/list.json', { headers: { 'Idempotency-Key': `"${key}"` }, body: `${number}` });
    } catch {
      return void ++count.lost;
    }
    if (reply.status === 409) return void ++count.underWay;
    assert.equal(reply.status, 200, reply.text);
    const { name } = JSON.parse(reply.text);
    if (names.has(number)) assert.equal(name, names.get(number), `request ${number}`);
    if (reply.headers['idempotency-replayed'] === 'true') ++count[names.has(number) ? 'repeated' : 'doneAndLost'];
    names.set(number, name);
  }

  let next = 0;
  let done = 0;
  const sending = Array.from({ length: kAtATime }, async () => {
    while (next < kRequests) {
      const number = next++;
      const key = randomUUID();
      // Some at the same time, some one after the other, some with a while between.
      const first = send(number, key);
      if (random.below(3) > 0) await first;
      const second = send(number, key);
      await Promise.all([first, second]);
      await wait(random.below(40));
      await send(number, key);
      while (!names.has(number)) {
        await wait(20);
        await send(number, key);
      }
      ++done;
    }
  });
  let kills = 0;
  const killing = (async () => {
    for (; kills < kKills && done < kRequests; ++kills) {
      const at = Math.min(kRequests - 1, Math.floor(((kills + 1) * kRequests) / (kKills + 1)));
      while (done < at) await wait(1);
      await wait(random.below(15));
      let started;
      up = new Promise((resolve) => (started = resolve));
      await server.kill();
      await server.start();
      started();
    }
  })();
  await Promise.all([...sending, killing]);
  const list = JSON.parse((await rest(server, namespace, 'GET', '/list.json')).text);
  t.diagnostic(`${kills} kills; ${JSON.stringify(count)}`);
  assert.equal(Object.keys(list).length, kRequests);
  assert.deepEqual(Object.values(list).sort((a, b) => a - b), Array.from({ length: kRequests }, (_, number) => number));
  for (const [number, name] of names) assert.equal(list[name], number);
  assert.ok(kills === kKills && count.lost > 0 && count.repeated > kRequests);
});

test('increments, merges and removals that are sent again change nothing, and are answered as before', async () => {
  const namespace = newNamespace();
  const all = [
    ['PUT', '/n.json', '{".sv":{"increment":1}}'],
    ['PATCH', '/deep.json', '{"n":{".sv":{"increment":2}},"at":{".sv":"timestamp"},"text":"ä😀"}'],
    ['DELETE', '/gone.json', undefined],
    ['PUT', '/at.json', '{".sv":"timestamp"}'],
  ];
  await rest(server, namespace, 'PUT', '/gone.json', { body: '1' });
  const ask = ([method, path, body], index) => rest(server, namespace, method, path, { headers: { 'Idempotency-Key': `key-${index}` }, body });
  const first = [];
  for (const [index, one] of all.entries()) first.push((await ask(one, index)).text);
  await rest(server, namespace, 'PATCH', '/.json', { body: '{"n":50,"deep/n":60,"gone":"again","at":1}' });
  await server.kill();
  await server.start();
  for (const [index, one] of all.entries()) {
    const again = await ask(one, index);
    assert.equal(again.text, first[index]);
    assert.equal(again.headers['idempotency-replayed'], 'true');
  }
  const { n, deep, gone, at } = JSON.parse((await rest(server, namespace, 'GET', '/.json')).text);
  assert.deepEqual([n, deep.n, gone, at], [50, 60, 'again', 1]);
});

test('a page of another origin may send a key, and sees that an answer is a repeated one', async () => {
  const namespace = newNamespace();
  const origin = { Origin: 'https://app.example.com' };
  const asked = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type,idempotency-key' };
  const preflight = await rest(server, namespace, 'OPTIONS', '/list.json', { headers: { ...origin, ...asked } });
  assert.match(preflight.headers['access-control-allow-headers'], /\bidempotency-key\b/);
  const post = () => rest(server, namespace, 'POST', '/list.json', { headers: { ...origin, 'Idempotency-Key': 'k' }, body: '1' });
  const first = await post();
  const again = await post();
  assert.equal(again.text, first.text);
  assert.match(again.headers['access-control-expose-headers'], /\bIdempotency-Replayed\b/);
});
