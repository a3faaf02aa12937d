// The console's page of a cluster, on three real nodes: what it shows is so, and what is asked for there is done.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { onValue, ref } from '@firebase/database';
import { closeApps, open as openDatabase } from './support/apps.mjs';
import { Cluster } from './support/cluster.mjs';
import { looks, openConsole, startBrowser, violations } from './support/console.mjs';
import { expectSoon } from './support/expect_soon.mjs';

after(closeApps);
const skip = existsSync('/usr/lib/postgresql/15/bin/initdb') ? false : 'no PostgreSQL 15 here: tools/setup cluster';
const cluster = skip ? null : await Cluster.start(after);
const browser = await startBrowser(after);
await cluster?.makeSpace('shop');

// The page of that node, by whoever has the admin secret.
async function open(node) {
  const opened = await openConsole(browser, cluster.node(node), '#cluster?ns=shop', looks[0]);
  await opened.page.getByLabel('Admin secret or token').fill(cluster.secret);
  await opened.page.getByRole('button', { name: 'Sign in' }).click();
  await opened.page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Cluster', exact: true }).waitFor();
  const line = (label, name) =>
    opened.page
      .getByRole('region', { name: label })
      .getByRole('row')
      .filter({ has: opened.page.getByRole('rowheader', { name, exact: true }) });
  return { ...opened, node: (name) => line('Nodes', name), shard: (number) => line('Shards', `${number}`) };
}
const confirm = (page, name) => page.getByRole('dialog').getByRole('button', { name }).click();
const told = async () => JSON.parse((await cluster.ask(cluster.node(1), 'GET', '/.inspect/cluster')).text);

test('a cluster is seen as it is; a shard is moved, a node is drained and undrained, and one that dies is named', { skip }, async () => {
  const { page, wrongs, node, shard } = await open(1);
  await page.getByRole('rowheader', { name: 'n1 this one' }).waitFor();
  for (const name of ['n2', 'n3']) await node(name).getByText('up', { exact: true }).waitFor();
  await page.getByText('3 of 3').waitFor();
  const before = await told();
  assert.equal(await page.getByRole('region', { name: 'Shards' }).getByRole('row').count(), before.shards.length + 1);
  await page.getByText(`${before.shards.length} of ${before.shards.length}`).waitFor();
  await page.getByText(before.engine.durability, { exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);

  // From the node of the page or to it: a node tells of what it has taken and given up itself. Between two that stay as even as they
  // are: a cluster that has just begun deals its shards out, and would give this one to somebody else again.
  const owns = async () => {
    const { shards } = await told();
    const count = (name) => shards.filter(({ owner }) => owner === name).length;
    return { shards, counts: ['n1', 'n2', 'n3'].map((name) => [name, count(name)]).sort(([, x], [, y]) => y - x) };
  };
  await expectSoon(async () => {
    const { shards, counts } = await owns();
    return counts[0][1] - counts[2][1] === 1 && shards.every(({ owner, wish }) => owner !== '' && wish === '');
  }, true, 60_000);
  const { shards, counts } = await owns();
  const isFull = counts[0][0] === 'n1'; // 16 shards: one node has 6, the others have 5
  const [owner, to] = isFull ? ['n1', 'n2'] : [counts[0][0], 'n1'];
  const moved = shards.find((one) => one.owner === owner).shard;
  await page.getByRole('button', { name: `Move shard ${moved}`, exact: true }).click();
  await page.getByRole('dialog').getByLabel('To').selectOption(to);
  await confirm(page, 'Move it');
  await shard(moved).getByRole('cell', { name: to, exact: true }).waitFor();
  assert.equal((await told()).shards[moved].owner, to);
  await page.getByRole('region', { name: 'Changes' }).getByRole('row').filter({ hasText: 'n1' }).first().waitFor();

  await page.getByRole('button', { name: 'Drain n2' }).click();
  await confirm(page, 'Drain it');
  await node('n2').getByText('drained', { exact: true }).waitFor();
  await node('n2').getByText('0 shards').waitFor();
  assert.ok((await told()).shards.every((one) => one.owner !== 'n2' && one.owner !== ''));
  await page.getByRole('button', { name: 'Undrain n2' }).click();
  await node('n2').getByText('up', { exact: true }).waitFor();

  await cluster.tool('kill', 'n3');
  await node('n3').getByText('not heard of for').waitFor();
  await page.getByText('2 of 3').waitFor();
  await page.getByText(`${before.shards.length} of ${before.shards.length}`).waitFor(); // others have taken its shards
  await cluster.tool('revive', 'n3');
  await node('n3').getByText('up', { exact: true }).waitFor();
  assert.deepEqual(wrongs, []);
});

test('people: whoever came by way of another node is listed with the others, and cut, at whichever node that is asked', { skip }, async () => {
  for (const number of [1, 2, 3]) {
    const heard = [];
    onValue(ref(openDatabase(cluster.node(number).port, 'shop'), `at/${number}`), (value) => heard.push(value.val()));
    await expectSoon(() => heard.length > 0, true);
  }
  for (const number of [1, 2, 3]) {
    const { page, context, wrongs } = await open(number);
    await page.goto(`${cluster.node(number).url}/.console#people?ns=shop`);
    const lines = page.getByRole('region', { name: 'Connections' }).locator('tbody tr').filter({ hasText: 'Firebase, WebSocket' });
    await expectSoon(() => lines.count(), 3);
    assert.equal(await lines.filter({ hasText: 'by another node' }).count(), 2); // one node owns the namespace
    const listed = async () => (await lines.locator('th').allTextContents()).sort();
    const before = await listed();
    const line = lines.nth(number - 1);
    const [cut] = (await line.locator('th').textContent()).match(/^\d+/);
    await line.getByRole('button').click();
    await page.getByText(`Cut connection ${cut}.`).waitFor();
    // That one alone is gone, and its client comes again under another number. (When its shard is moved meanwhile, all do.)
    await expectSoon(async () => {
      const now = await listed();
      return now.length === 3 && !now.includes(cut);
    }, true);
    const now = await listed();
    const stayed = before.filter((one) => one !== cut && now.includes(one)).length;
    assert.ok(stayed === 2 || stayed === 0, `${cut} of ${before} was cut, and there are ${now}`);
    assert.deepEqual(wrongs, []);
    await context.close();
  }
});

test('who is no admin sees no cluster', { skip }, async () => {
  for (const [method, body] of [['GET'], ['POST', '{"drain":"n1"}']]) {
    const answer = await fetch(`${cluster.node(2).url}/.inspect/cluster`, { method, body });
    assert.equal(answer.status, 401);
  }
  assert.ok((await told()).nodes.every((one) => !one.drained));
});
