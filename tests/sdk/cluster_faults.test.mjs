// What may happen to a cluster beside the death of a node (cluster.test.mjs), with the same witnesses: 0 acknowledged
// writes lost, no gap and no repeat at listeners, writes again within seconds.
//
//   holes         the network between a node and the engine goes silent, one way or both, for a node that runs or
//                 stands still; what was said comes late, or never
//   away          the same for all nodes: nobody's shards go to another
//   power         all servers of the engine are gone at once, and come back with what they have
//   cancelled     a wait for the standby is ended by somebody: that is no acknowledgement
//   settings      what a write's survival rests on is taken away while nodes run (HEARTH_LONG alone)
//
// HEARTH_LONG makes it a campaign. TEST_SEED says which nodes, which ways, and for how long.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, once } from './support/cluster.mjs';
import { copiesAreOne, witness } from './support/cluster_witness.mjs';
import { Random } from './support/random.mjs';

const isLong = Boolean(process.env.HEARTH_LONG);
const times = isLong ? { holes: 60, away: 10, power: 20, cancelled: 50 } : { holes: 1, away: 1, power: 1, cancelled: 1 };
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = new Random(seed);
const skip = existsSync('/usr/lib/postgresql/15/bin/initdb') ? false : 'no PostgreSQL 15 here: tools/setup cluster';
const limit = { timeout: isLong ? 7_200_000 : 240_000, skip };

const spaces = Array.from({ length: isLong ? 32 : 8 }, (_, i) => `log-${i}`);
const cluster = skip ? undefined : await Cluster.start(after, { flags: ['--history', '1h,100MB'], holes: true });
const nodes = ['n1', 'n2', 'n3'];

const owners = async () => JSON.parse((await cluster.ask(null, 'GET', '/.inspect/cluster', undefined, { retries: 40 })).text).shards.map(({ owner }) => owner);
async function until(what, isSo, patience = 60_000) {
  for (const begin = Date.now(); !(await isSo()); await sleep(100)) assert.ok(Date.now() - begin < patience, `waited for ${what}`);
}
const allOwned = () => until('an owner of each shard', async () => (await owners()).every((owner) => owner !== ''));
const standbys = async () => {
  const primary = await cluster.primary();
  return ['a', 'b', 'c'].filter((one) => one !== primary);
};
const bothStream = () =>
  until('both standbys', async () => (await cluster.sql(await cluster.primary(), "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'")) === '2');

test('namespaces are made', limit, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  await Promise.all(spaces.map((space) => cluster.makeSpace(space)));
});

test(`${times.away} times no node reaches the engine: nobody's shards go to another`, limit, async (t) => {
  // Those who have many give to those who have few, now and then one.
  await until('shards that are shared out evenly', async () => {
    const all = await owners();
    const counts = nodes.map((node) => all.filter((owner) => owner === node).length);
    return Math.max(...counts) - Math.min(...counts) <= 1 && all.every((owner) => owner !== '');
  });
  await witness(t, cluster, spaces, {
    name: 'the engine away for all',
    times: times.away,
    silenceMax: 20_000,
    break_: async () => {
      const before = await owners();
      const hole = { way: random.pick(['both', 'to', 'from']), isLate: random.below(2) === 1 };
      nodes.forEach((node) => cluster.holes.dig(node, hole));
      await sleep(isLong ? 500 + random.below(9_000) : 3_000);
      nodes.forEach((node) => cluster.holes.mend(node));
      return async () => assert.deepEqual(await owners(), before);
    },
  });
});

test(`${times.holes} holes between a node and the engine: others have its shards, and it comes back`, limit, async (t) => {
  await witness(t, cluster, spaces, {
    name: 'a hole',
    times: times.holes,
    break_: async (i) => {
      const node = random.pick(nodes);
      const hole = { way: isLong || i > 0 ? random.pick(['both', 'to', 'from']) : 'both', isLate: random.below(2) === 1 };
      const isFrozen = random.below(3) === 0;
      const time = isLong ? 500 + random.below(12_000) : 3_500;
      if (isFrozen) {
        await cluster.tool('freeze', node);
        cluster.silent.add(node);
      }
      cluster.holes.dig(node, hole);
      const whole = sleep(time).then(async () => {
        // It goes on in the hole: what it had said before is not all that it says there.
        if (isFrozen) await cluster.tool('thaw', node);
        if (isFrozen) await sleep(500);
        cluster.silent.delete(node);
        cluster.holes.mend(node);
      });
      return () => whole;
    },
  });
  await allOwned();
});

test(`${times.power} power cuts of all servers of the engine: the same`, limit, async (t) => {
  await witness(t, cluster, spaces, {
    name: 'power cut of the engine',
    times: times.power,
    silenceMax: 30_000,
    break_: async (i) => {
      if (i % 2 === 0) {
        await cluster.tool('kill', 'engines');
      } else {
        const [one] = await standbys();
        await Promise.all([cluster.tool('kill', 'primary'), cluster.tool('kill', one)]);
      }
      await sleep(random.below(1_000));
      await cluster.tool('power');
      return bothStream;
    },
  });
});

test(`${times.cancelled} waits for a standby are cancelled: no acknowledgement that the log has not`, limit, async (t) => {
  let cancelled = 0;
  await witness(t, cluster, spaces, {
    name: 'a cancelled wait',
    times: times.cancelled,
    silenceMax: 30_000,
    break_: async (i) => {
      const primary = await cluster.primary();
      const others = await standbys();
      for (const one of others) await cluster.tool('freeze', one);
      await sleep(200);
      const how = random.below(2) === 0 ? 'pg_cancel_backend' : 'pg_terminate_backend';
      cancelled += Number(await cluster.sql(primary, `SELECT count(${how}(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'hearth:n%'`));
      await sleep(random.below(500));
      // The primary has what was cancelled. In each other round it is gone for good before a standby goes on.
      const isLost = isLong && i % 2 === 1;
      if (isLost) await cluster.tool('kill', primary); // by its name: who stands still is not asked
      for (const one of others) await cluster.tool('thaw', one);
      if (isLost) await cluster.tool('promote');
      return async () => {
        if (isLost) await cluster.tool('revive');
        await bothStream();
      };
    },
  });
  t.diagnostic(`${cancelled} waits were cancelled`);
  assert.ok(cancelled >= times.cancelled, `${cancelled}`);
});

test('what a write survives by is taken away: nodes stop writing, say why, and go on when it is back', { ...limit, skip: skip || !isLong }, async () => {
  const write = (node) => once(node.port, 'PUT', `/setting.json?ns=${spaces[0]}`, '1', {}, 3_000);
  for (const [setting, wrong] of [['fsync', 'off'], ['full_page_writes', 'off'], ['synchronous_standby_names', '']]) {
    const primary = await cluster.primary();
    const before = await owners();
    await cluster.sql(primary, `ALTER SYSTEM SET ${setting} = '${wrong}'`);
    await cluster.sql(primary, 'SELECT pg_reload_conf()');
    await until(`no write with ${setting} = '${wrong}'`, async () => (await Promise.all(cluster.nodes.map(write))).every(({ status }) => status !== 200));
    await until(`the reason to be said`, async () => {
      const { text } = await once(cluster.nodes[0].port, 'GET', '/.inspect/cluster', undefined, cluster.admin);
      return JSON.parse(text).engine.wrong.some((sentence) => sentence.includes(setting));
    });
    await cluster.sql(primary, `ALTER SYSTEM RESET ${setting}`);
    await cluster.sql(primary, 'SELECT pg_reload_conf()');
    await until(`writes without ${setting} = '${wrong}'`, async () => (await Promise.all(cluster.nodes.map(write))).every(({ status }) => status === 200));
    assert.deepEqual(await owners(), before);
  }
});

test('at the end all nodes have the same', limit, async (t) => {
  await copiesAreOne(t, cluster, spaces);
});
