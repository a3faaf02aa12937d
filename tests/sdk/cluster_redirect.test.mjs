// SDKs in a cluster whose nodes say how clients reach them directly (--redirect-host s-NAME): they go to the owner, follow it
// when it changes, and come back from a dead one by the address that the app has.
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ref, set } from '@firebase/database';
import { closeApp, closeApps, open, values } from './support/apps.mjs';
import { Cluster } from './support/cluster.mjs';
import { soon } from './support/server.mjs';

const skip = existsSync('/usr/lib/postgresql/15/bin/initdb') ? false : 'no PostgreSQL 15 here: tools/setup cluster';
const limit = { timeout: 240_000, skip };

// The nodes' names, as a resolver would have them.
const lookUp = dns.lookup;
const asked = [];
dns.lookup = (name, ...rest) => {
  const node = /^s-(n\d)\.nodes\.test$/.exec(name)?.[1];
  if (node) asked.push(node);
  return lookUp(node ? '127.0.0.1' : name, ...rest);
};

after(closeApps);
const flags = ['--disconnect-grace', '2', '--redirect-host', 's-{node}.nodes.test:{port}'];
const cluster = skip ? undefined : await Cluster.start(after, { flags, shards: 1 });

const figure = async (node, name) => {
  const { text } = await cluster.ask(node, 'GET', '/.metrics');
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ').at(-1));
};
const sockets = (node) => figure(node, 'hearth_transports{transport="websocket"}');
const numberOf = (name) => Number(name.slice(1));

// The only shard's, as the nodes see it that are there.
async function owner(besides) {
  for (const begin = Date.now(); ; await sleep(50)) {
    const { text } = await cluster.ask(null, 'GET', '/.inspect/cluster', undefined, { retries: 20 });
    const name = JSON.parse(text).shards[0].owner;
    if (name && name !== besides) return name;
    assert.ok(Date.now() - begin < 30_000, `an owner but ${besides}: ${text}`);
  }
}

test('an SDK goes to the owner, follows it, and comes back from the dead', limit, async () => {
  await cluster.makeSpace('all');
  const first = await owner();
  const [home, other] = ['n1', 'n2', 'n3'].filter((name) => name !== first);
  const at = cluster.node(numberOf(home));
  const app = open(at.port, 'all');
  const heard = values(ref(app, 'word'));
  await soon(set(ref(app, 'word'), 'first'), 'a write');
  assert.deepEqual(asked, [first], 'by the name that its node has');
  assert.equal(await figure(at, 'hearth_relay_redirected_total'), 1);
  assert.equal(await sockets(at), 0, 'nothing of it stays where it came first');
  assert.equal(await sockets(cluster.node(numberOf(first))), 1);

  // Somebody who is at the owner from the start is told nothing.
  const direct = open(cluster.node(numberOf(first)).port, 'all');
  await soon(set(ref(direct, 'word'), 'second'), 'a write at the owner');
  await heard.last('second');
  assert.deepEqual(asked, [first]);
  await closeApp(direct);

  // The owner changes, and lives: its clients are told by it where to go.
  const moved = await cluster.ask(at, 'POST', '/.inspect/cluster', JSON.stringify({ move: 0, to: other }));
  assert.equal(moved.status, 200, moved.text);
  assert.equal(await owner(first), other);
  await soon(set(ref(app, 'word'), 'third'), 'a write after the move');
  await heard.last('third');
  assert.equal(asked.at(-1), other, `${asked}`);

  // It dies. What was not acknowledged is sent again to whoever is the owner then.
  await cluster.tool('kill', other);
  cluster.silent.add(other);
  await soon(set(ref(app, 'word'), 'fourth'), 'a write after the death', 30_000);
  await heard.last('fourth');
  const last = await owner(other);
  assert.equal(await sockets(cluster.node(numberOf(last))), 1);
  await cluster.tool('revive', other);
  cluster.silent.delete(other);
  assert.deepEqual(heard.items, [...new Set(heard.items)], 'no value twice');
});
