// The console's page of a cluster: what it shows of what a node says, in all looks, and what it asks for. The answers here are made
// up, so that each state of a node and a shard is seen, markup too.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { adminOf, looks, openConsole, row, startBrowser, violations } from './support/console.mjs';
import { Server } from './support/server.mjs';

const evil = '<img src=x onerror=alert(1)>';
const server = await Server.start(after, ['--dev']);
const browser = await startBrowser(after);
const { put } = adminOf(server);
await put('home', '/.json', { a: 1 });

const node = (name, more) => ({
  ...{ name, peer: '10.0.0.1:9100', client: '', alive: true, self: false, drained: false, formats: 1, beat: 812 },
  ...{ unmoved_ms: 230, owns: 2, behind: 0, bus: 'up', ...more },
});
const shard = (number, more) => ({
  ...{ shard: number, owner: 'n1', epoch: 7, sequence: 812, cut: 0, wish: '', here: 'owns', applied: 812, why: '' },
  ...{ durable: { n1: 812, n2: 812, n3: 812 }, ...more },
});
const calm = {
  ...{ id: '0f3a', node: 'n1', good: true, stale_ms: 0, format: 1 },
  engine: { durability: 'verified', timeline: 3, wrong: [], warnings: [], checked_ms: 3000 },
  nodes: [node('n1', { self: true, bus: 'self' }), node('n2', { peer: '10.0.0.2:9100', client: 'b.example:9000' })],
  shards: [shard(0), shard(1, { owner: 'n2', here: 'follows' })],
  changes: [],
};
const troubled = {
  ...{ ...calm, good: false, stale_ms: 4200 },
  engine: {
    ...{ durability: 'attested', timeline: 12, checked_ms: 3000 },
    wrong: [`fsync is off at the engine ${evil}`],
    warnings: ['no standby is synchronous: what is committed lies on one disk'],
  },
  nodes: [
    node('n1', { self: true, bus: 'self', owns: 1 }),
    node('n2', { alive: false, unmoved_ms: 12_400, owns: 0, behind: 12, client: evil }),
    node('n3', { drained: true, owns: 1, behind: 1 }),
    node('n4', { bus: 'down' }),
  ],
  shards: [
    shard(0, { durable: { n1: 812, n2: 800, n3: 811 }, cut: 100 }),
    shard(1, { owner: '', here: 'stopped', why: `batch 7 does not follow on what is here ${evil}` }),
    shard(2, { owner: 'n3', wish: 'n4', here: 'taking' }),
  ],
  changes: [
    { ago_ms: 12_000, shard: 1, from: 'n2', to: '', why: `n2 was not heard of for 2.0 s ${evil}`, took_ms: 84 },
    { ago_ms: 95_000, shard: 0, from: '', to: 'n1', why: 'nobody had it', took_ms: 12 },
  ],
};

// A page of a server that says `told.now` of its cluster; what is asked for is in `posted`. What `refusal` says, it refuses.
async function openAs(told, look, hash = '#cluster?ns=home') {
  const opened = await openConsole(browser, server, '', look, '/.health'); // so that nothing is asked before the route is there
  const posted = [];
  await opened.page.route('**/.inspect/cluster', (route) => {
    if (route.request().method() === 'GET') return route.fulfill({ json: told.now });
    posted.push(route.request().postDataJSON());
    return told.refusal === undefined
      ? route.fulfill({ json: { asked: true } })
      : route.fulfill({ status: 400, json: { error: told.refusal } });
  });
  await opened.page.goto(`${server.url}/.console${hash}`);
  return { ...opened, posted };
}
const link = (page) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Cluster', exact: true });

test('a server by itself has no such page in its menu, and says so', async () => {
  const { page, context, wrongs } = await openConsole(browser, server, '#data?ns=home');
  await row(page, '/a').waitFor();
  assert.equal(await link(page).count(), 0);
  await page.goto(`${server.url}/.console#cluster?ns=home`);
  await page.getByRole('heading', { name: 'This server is by itself' }).waitFor();
  assert.deepEqual(wrongs, []);
  await context.close();
});

for (const look of looks) {
  test(`nodes, shards, engine and changes: ${look.name}, without serious faults of accessibility, and markup is text`, async () => {
    const told = { now: troubled };
    const { page, context, wrongs } = await openAs(told, look, '#data?ns=home');
    await link(page).click();
    const nodes = page.getByRole('region', { name: 'Nodes' });
    await nodes.getByText('not heard of for 12.4 s').waitFor();
    await nodes.getByText('draining').waitFor();
    await nodes.getByText('cannot be reached from here').waitFor();
    await nodes.getByText('12 batches').waitFor();
    await page.getByText('n1 does not hear from the engine, or its beat stands still: for 4.2 s.').waitFor();
    await page.getByText('fsync is off at the engine').waitFor();
    await page.getByText('no standby is synchronous').waitFor();
    const shards = page.getByRole('region', { name: 'Shards' });
    await shards.getByText('n2 by 12, n3 by 1').waitFor();
    await shards.getByText('batch 7 does not follow on what is here').waitFor();
    await shards.getByText('n3 → n4').waitFor();
    await page.getByRole('region', { name: 'Changes' }).getByText('given up').waitFor();
    assert.deepEqual(await violations(page), []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
    assert.equal(await page.locator('main img').count(), 0);
    told.now = calm;
    await page.getByText('Nothing is wrong with it.').waitFor();
    assert.deepEqual(wrongs, []);
    await context.close();
  });
}

test('a shard is moved, a node drained and undrained, forgotten, taken anew; a refusal is said where it was asked', async () => {
  const told = { now: troubled };
  const { page, context, wrongs, posted } = await openAs(told, looks[0]);
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Move shard 0' }).click();
  // Neither its owner, nor who is not there, nor who is drained.
  assert.deepEqual(await dialog.getByLabel('To').locator('option').allTextContents(), ['n4']);
  assert.deepEqual(await violations(page), []);
  told.refusal = 'there is no shard 0';
  await dialog.getByRole('button', { name: 'Move it' }).click();
  await dialog.getByText('there is no shard 0').waitFor();
  told.refusal = undefined;
  await dialog.getByRole('button', { name: 'Move it' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('Asked for: shard 0 goes to n4.').waitFor();
  for (const [button, confirm] of [
    ['Drain n1', 'Drain it'],
    ['Undrain n3'],
    ['Forget n2', 'Forget it'],
    ['Reseed n1', 'Take them anew'],
  ]) {
    await page.getByRole('button', { name: button, exact: true }).click();
    if (confirm === undefined) {
      await page.getByText('Asked for: n3 may own shards again.').waitFor();
      continue;
    }
    await dialog.getByRole('button', { name: confirm }).click();
    await dialog.waitFor({ state: 'detached' });
  }
  const move = { move: 0, to: 'n4' };
  assert.deepEqual(posted, [move, move, { drain: 'n1' }, { undrain: 'n3' }, { forget: 'n2' }, { reseed: true }]);
  // Only who is not there can be forgotten, and only this node can take its shards anew.
  assert.equal(await page.getByRole('button', { name: /^Forget / }).count(), 1);
  assert.equal(await page.getByRole('button', { name: /^Reseed / }).count(), 1);
  assert.deepEqual(wrongs, []);
  await context.close();
});
