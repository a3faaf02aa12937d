// The console's pages that look into the running server, against real clients: activity, people, channels, documents, webhooks,
// charts, what queries want. What they show is markup wherever that can be, and it does nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { closeApps } from './support/apps.mjs';
import { looks, openConsole, owner, startBrowser, violations } from './support/console.mjs';
import { House, houseFlags, houseRules } from './support/console_house.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { closeClients } from './support/supabase.mjs';
import { Receiver } from './support/webhook_receiver.mjs';
import { closeYjs } from './support/yjs.mjs';

const evil = '<img src=x onerror=alert(1)>'; // also a key
const wicked = [
  ...[evil, '</script><script>alert(2)</script>', 'javascript:alert(3)', '" onmouseover="alert(4)', "'-alert(5)-'"],
  ...['{{constructor.constructor("alert(6)")()}}', '\u202etxt.exe', '&lt;b&gt;', '${alert(7)}', '<svg/onload=alert(8)>'],
].join(' ');
const within = '</script><script>alert(2)</script> javascript:alert(3)'; // of it, as any JSON has it

after(closeApps);
after(closeClients);
after(closeYjs);
const receiver = await Receiver.start(after);
const server = await Server.start(after, houseFlags(receiver));
const browser = await startBrowser(after);

async function houseOf(space) {
  const house = new House(server, space);
  await house.ask('PUT', '/.json', { open: { list: { a: { n: 1 }, b: { n: 2 } }, status: 'here' } });
  await house.ask('PUT', '/.settings/rules.json', houseRules);
  return house;
}
const link = (page, name) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true });
// Knocks until the page shows it: what comes before the server has begun to record is not there.
const knockUntil = (house, database, key, line) =>
  expectSoon(async () => {
    await house.knock(database, key);
    return (await line.count()) > 0;
  }, true);
const askedFor = (asked, path) => asked.filter((line) => line.startsWith(`GET ${path}`));

// ---- all of them, in all looks

test('pages of the running server: in all looks without serious faults, and markup is text', async (t) => {
  const house = await houseOf('looks');
  receiver.answer = () => 500;
  const ada = await house.enter(`ada ${evil}`, wicked);
  await house.join(`room ${evil}`, `key ${evil}`, { says: wicked });
  await house.write(`open/doc ${evil}`, wicked);
  const { id } = await house.hook(`${receiver.url}?x=1`, `/open/${evil}`);
  await house.ask('PUT', `/open/${encodeURIComponent(evil)}.json`, wicked);
  await expectSoon(async () => (await house.ask('GET', '/.webhooks.json'))[0].dead, 1);
  await house.ask('GET', '/open/list.json', undefined, 'orderBy="sent"').catch(() => {}); // it has no index

  for (const look of looks) {
    await t.test(look.name, async () => {
      const { page, context, wrongs } = await openConsole(browser, server, '#activity?ns=looks', look);
      const check = async (name) => {
        assert.deepEqual(await violations(page), [], name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
        assert.equal(await page.locator('img, iframe, object, embed, a[href^="javascript:"]').count(), 0, name);
      };
      // The server keeps what a look before this one asked it to record, for half a minute.
      await page.getByText('Waiting for the next request…').or(page.getByRole('row').nth(1)).first().waitFor();
      await check('activity, at first');
      const denied = page.getByRole('row').filter({ hasText: `/secret/${evil}` }).last();
      await knockUntil(house, ada, evil, denied);
      await denied.locator('summary').click();
      await denied.getByText(`ada ${evil}`).waitFor();
      await check('activity');

      await link(page, 'People').click();
      await page.getByRole('cell', { name: `ada ${evil}` }).first().waitFor();
      await page.locator('summary').filter({ hasText: 'when it goes' }).first().click();
      await page.getByRole('list', { name: 'Written when it goes' }).getByText(within).waitFor();
      await check('people');

      await link(page, 'Channels').click();
      await page.getByRole('button', { name: `room ${evil}` }).click();
      await page.getByRole('region', { name: 'Presence' }).getByText(within).waitFor();
      await page.getByRole('rowheader', { name: `key ${evil}` }).waitFor();
      await check('channels');

      await link(page, 'Documents').click();
      await page.getByRole('button', { name: `/open/doc ${evil}` }).click();
      await page.getByLabel('The document as JSON').getByText(within).waitFor();
      await check('documents');

      await page.goto(`${server.url}/.console#webhooks?ns=looks`);
      await page.getByRole('button', { name: `1 dead letters of ${id}` }).click();
      await page.locator('.letters summary').click();
      await page.locator('.letters pre').getByText(within).waitFor();
      await check('webhooks');
      await page.getByRole('button', { name: `Remove ${id}` }).click();
      await page.getByRole('dialog').waitFor();
      await check('a question of webhooks');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });

      await page.goto(`${server.url}/.console#rules?ns=looks`);
      await page.getByRole('region', { name: 'Queries without an index' }).getByText('".indexOn": "sent"').waitFor();
      await check('rules');
      assert.deepEqual(wrongs, []);
      await context.close();
    });
  }
});

// ---- activity

test('activity: what is denied and why, what fails, filtered by text, kind, path and verdict; paused; off when left or hidden', async () => {
  const house = await houseOf('doing');
  const eve = await house.enter('eve', 'gone');
  const { page, wrongs } = await openConsole(browser, server, '#data?ns=doing');
  let underWay = 0; // questions of the page
  const isQuestion = (request) => request.url().includes('activity.json');
  page.on('request', (request) => isQuestion(request) && ++underWay);
  for (const event of ['requestfinished', 'requestfailed']) page.on(event, (request) => isQuestion(request) && --underWay);
  const asks = (count) => expectSoon(() => underWay, count);
  const rows = page.getByRole('region', { name: 'Requests' }).locator('tbody tr');
  const shows = (text) => rows.filter({ hasText: text });
  await link(page, 'Activity').click();
  await page.getByText('Waiting for the next request…').waitFor();
  const denied = shows('/secret/one').last();
  await knockUntil(house, eve, 'one', denied);
  await denied.locator('summary').click();
  await denied.getByText('eve', { exact: true }).waitFor();
  await denied.locator('code.block').getByText('false').waitFor();
  await house.ask('PUT', '/open/free.json', 1);
  await shows('/open/free').first().waitFor();

  // The rules are asked the same, by the same.
  await denied.getByRole('link', { name: 'Ask the rules' }).click();
  await page.getByRole('textbox', { name: 'Rules of doing' }).waitFor();
  const form = page.locator('.side form');
  assert.deepEqual(
    await Promise.all(['User id', 'Does', 'Where'].map((name) => form.getByLabel(name).inputValue())),
    ['eve', 'write', '/secret/one'],
  );
  await link(page, 'Activity').click();
  await shows('/open/free').first().waitFor();

  await page.getByLabel('With this text').fill('EVE');
  await shows('/open/free').first().waitFor({ state: 'detached' });
  await shows('/secret/one').first().waitFor();
  await page.getByLabel('With this text').fill('');
  await page.getByLabel('Verdict').selectOption('denied');
  await shows('/open/free').first().waitFor({ state: 'detached' });
  await shows('/secret/one').first().waitFor();
  await page.getByLabel('Verdict').selectOption('');
  await page.getByLabel('Kind').selectOption('read');
  await shows('/secret/one').first().waitFor({ state: 'detached' });
  await page.getByLabel('Kind').selectOption('');
  // What comes while somebody types leaves what was typed.
  await page.getByLabel('At or below').fill('/open');
  await house.ask('PUT', '/open/meanwhile.json', 1);
  await shows('/open/meanwhile').first().waitFor();
  await page.getByLabel('At or below').press('Enter');
  await expectSoon(() => shows('/secret/one').count(), 0);
  await shows('/open/free').first().waitFor();
  await page.getByLabel('At or below').fill('');
  await page.getByLabel('At or below').press('Enter');
  await shows('/secret/one').first().waitFor();

  // Paused: the question under way is ended, and there is none until one goes on.
  await asks(1);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused: the server is not asked').waitFor();
  await asks(0);
  await house.knock(eve, 'two');
  assert.equal(await shows('/secret/two').count(), 0);
  await page.getByRole('button', { name: 'Go on' }).click();
  await knockUntil(house, eve, 'three', shows('/secret/three').first());

  // Hidden: the same, without a word.
  const seen = async (state) =>
    page.evaluate((it) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, value: it });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await asks(1);
  await seen('hidden');
  await asks(0);
  await seen('visible');
  await knockUntil(house, eve, 'four', shows('/secret/four').first());
  // Left.
  await asks(1);
  await link(page, 'Query').click();
  await asks(0);
  assert.deepEqual(wrongs, []);
});

// ---- people

test('people: who a connection is, what it listens to with which query, what is written when it goes; and that is written', async () => {
  const house = await houseOf('people');
  await house.enter('ada', 'gone');
  const { page, wrongs } = await openConsole(browser, server, '#people?ns=people');
  const line = page.getByRole('region', { name: 'Connections' }).getByRole('row').filter({ hasText: 'ada' });
  await line.getByRole('cell', { name: '1 write', exact: true }).waitFor();
  await line.getByRole('cell', { name: /^Firebase/ }).waitFor();
  await page.locator('summary').filter({ hasText: 'ada' }).click();
  await page.getByRole('list', { name: 'Written when it goes' }).getByText('/open/status').waitFor();
  await page.getByRole('list', { name: 'Written when it goes' }).getByText('"gone"').waitFor();
  await page.getByRole('list', { name: 'Listens to' }).getByText('orderBy="n"&limitToLast=5').waitFor();
  await page.getByRole('region', { name: 'Listened to' }).getByRole('link', { name: '/open/list' }).waitFor();
  await line.getByRole('button').click();
  await expectSoon(() => house.ask('GET', '/open/status.json'), 'gone');
  assert.deepEqual(wrongs, []);
});

// ---- channels and documents

test('channels: who is in one, and what they say of themselves, as it changes', async () => {
  const house = await houseOf('channels');
  const { page, wrongs } = await openConsole(browser, server, '#channels?ns=channels');
  await page.getByText('No channel is open').waitFor();
  const channel = await house.join('tea', 'ada', { mood: 'good' });
  await page.getByRole('button', { name: /tea/ }).click();
  await page.getByRole('region', { name: 'Presence' }).getByText('"mood":"good"').waitFor();
  await page.getByRole('list', { name: 'Members' }).getByText('Supabase').waitFor();
  await channel.track({ mood: 'tired' });
  await page.getByRole('region', { name: 'Presence' }).getByText('"mood":"tired"').waitFor();
  await page.getByLabel('With this text').fill('coffee');
  await page.getByRole('region', { name: 'List of channels' }).waitFor({ state: 'detached' });
  assert.deepEqual(wrongs, []);
});

test('documents: which there are, and what one says; at a path without one the page says so', async () => {
  const house = await houseOf('documents');
  const { page, wrongs } = await openConsole(browser, server, '#documents?ns=documents');
  await page.getByText('No document is stored here').waitFor();
  const editor = await house.write('open/today', 'tea');
  await page.reload();
  await page.getByRole('button', { name: '/open/today' }).click();
  const shown = page.getByLabel('The document as JSON');
  await shown.getByText('"tea"').waitFor();
  editor.doc.getMap('about').set('title', 'coffee');
  await expectSoon(async () => {
    await page.getByRole('button', { name: 'Read again' }).click();
    return /"coffee"/.test(await shown.textContent());
  }, true);
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  assert.match(readFileSync(await (await coming).path(), 'utf8'), /"coffee"/);
  await page.goto(`${server.url}/.console#documents?ns=documents&path=/nowhere`);
  await page.getByRole('region', { name: 'One document' }).getByRole('alert').waitFor();
  assert.deepEqual(wrongs, []);
});

// ---- webhooks

test('webhooks: added with a secret that is shown once, tested, paused; dead letters sent again and dropped; removed', async () => {
  const house = await houseOf('hooks');
  const { page, wrongs } = await openConsole(browser, server, '#webhooks?ns=hooks&path=/open');
  const dialog = page.getByRole('dialog');
  const said = page.locator('.sayings');
  await page.getByText('There is none').waitFor();
  await page.getByLabel('Sends to').fill('http://evil.example/');
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.getByRole('alert').getByText('--webhook-host').waitFor();
  await page.getByLabel('Sends to').fill(receiver.url);
  await page.getByRole('button', { name: 'Add it' }).click();
  const secret = await dialog.getByLabel('Secret', { exact: true }).textContent();
  assert.match(secret, /^whsec_/);
  await dialog.getByRole('button', { name: 'I have it' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.ok(!(await page.content()).includes(secret), 'it is shown once');
  const [{ id }] = await house.ask('GET', '/.webhooks.json');
  const state = page.getByRole('region', { name: 'List of webhooks' }).locator('.badge');

  receiver.answer = () => 200;
  await page.getByRole('button', { name: `Test ${id}` }).click();
  await said.getByText('Sent a test: it answered 200').waitFor();
  await page.getByRole('button', { name: `Pause ${id}` }).click();
  await state.getByText('paused', { exact: true }).waitFor();
  await page.getByRole('button', { name: `Resume ${id}` }).click();
  await state.getByText('delivering').waitFor();

  receiver.answer = () => 500;
  for (const value of ['one', 'two', 'three']) await house.ask('PUT', '/open/said.json', value);
  await page.getByRole('button', { name: `3 dead letters of ${id}` }).click();
  const letters = page.getByRole('region', { name: 'Dead letters', exact: true }).locator('tbody tr');
  await expectSoon(() => letters.count(), 3);
  await letters.first().getByRole('button', { name: /^Send again/ }).click();
  await said.getByText('Not taken: it answered 500').waitFor();
  receiver.answer = () => 200;
  await letters.first().getByRole('button', { name: /^Send again/ }).click();
  await expectSoon(() => letters.count(), 2);
  await expectSoon(() => receiver.messages.items.at(-1).body.data.changes, [{ path: '/open/said', value: 'one' }]);
  await letters.first().getByRole('button', { name: /^Drop/ }).click();
  await expectSoon(() => letters.count(), 1);
  await page.getByRole('button', { name: 'Send all again' }).click();
  await said.getByText('All 1 were taken.').waitFor();
  await expectSoon(async () => (await house.ask('GET', '/.webhooks.json'))[0].dead, 0);

  await page.getByRole('button', { name: `New secret for ${id}` }).click();
  assert.notEqual(await dialog.getByLabel('Secret', { exact: true }).textContent(), secret);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: `Remove ${id}` }).click();
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByText('There is none').waitFor();
  assert.deepEqual(wrongs, []);
});

// ---- health, indexes, the past, one namespace

test('health: charts are of the server’s own last minutes, so they are there for who comes late', async () => {
  const { page, wrongs } = await openConsole(browser, server, '#health?ns=looks');
  const points = async () => {
    const answer = await rest(server, 'looks', 'GET', '/.inspect/figures.json', { headers: owner });
    return JSON.parse(answer.text).columns.time.length;
  };
  await expectSoon(async () => (await points()) >= 2, true);
  await page.getByRole('img', { name: /^Commits and writes a second: now commits [\d.]+/ }).waitFor();
  await page.getByRole('img', { name: /^Memory: now [\d.]+ MB/ }).waitFor();
  await expectSoon(() => page.locator('.chart canvas').count(), 9);
  // A second page has all of them with its first question.
  const late = await openConsole(browser, server, '#health?ns=looks');
  await late.page.getByRole('img', { name: /^Memory: now [\d.]+ MB/ }).waitFor();
  assert.equal(askedFor(late.asked, '/.inspect/figures.json').length, 1);
  assert.deepEqual([...wrongs, ...late.wrongs], []);
});

test('indexes: what a query without one wants is named, and is gone from what is wanted once it is there', async () => {
  const house = await houseOf('wanting');
  const { page, wrongs } = await openConsole(browser, server, '#rules?ns=wanting');
  const wanted = page.getByRole('region', { name: 'Queries without an index' });
  await page.getByText('None was asked since the server began.').waitFor();
  await rest(server, 'wanting', 'GET', '/open/list.json', { headers: owner, query: 'orderBy="sent"' });
  await wanted.getByRole('row', { name: /\/open\/list/ }).getByText('".indexOn": "sent"').waitFor();
  await page.getByRole('region', { name: 'Indexes' }).getByRole('row', { name: /\/open\/list n/ }).waitFor();
  await page.getByRole('button', { name: 'Copy what /open/list wants' }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /"\.indexOn": "sent"/);
  assert.deepEqual(wrongs, []);
});

test('indexes: one that is being built says how far it is', async () => {
  await houseOf('building');
  const { page, wrongs } = await openConsole(browser, server, '#data?ns=building');
  const all = [
    { at: '/a', by: 'n', complete: false, built: '/a/größe 7' },
    { at: '/b', by: 'n,m', complete: false, planned: true },
    { at: '/c', by: '.value', complete: true, covers: true },
  ];
  await page.route('**/.inspect/indexes.json?*', (route) => route.fulfill({ json: all })); // a real one is built too soon to be seen
  await link(page, 'Rules').click();
  const lines = page.getByRole('region', { name: 'Indexes' }).locator('tbody tr');
  await expectSoon(() => lines.count(), 3);
  assert.deepEqual(await lines.locator('td:last-child').allTextContents(), [
    'being built, up to /a/größe 7',
    'planned',
    'complete, with copies',
  ]);
  assert.deepEqual(wrongs, []);
});

test('the past: the value at a time, put back, and that undone', async () => {
  const house = await houseOf('then');
  await house.ask('PUT', '/open/n.json', { was: 1 });
  const { page, wrongs } = await openConsole(browser, server, '#history?ns=then&path=/open/n');
  // The field counts in seconds: the next write is in a later one.
  const second = Math.ceil(Date.now() / 1000) * 1000;
  await expectSoon(() => Date.now() > second + 50, true);
  await house.ask('PUT', '/open/n.json', { is: 2 });
  const local = await page.evaluate((it) => {
    const at = new Date(it);
    return new Date(it - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  }, second);
  await page.getByLabel('When', { exact: true }).fill(local);
  await page.getByRole('button', { name: 'Show the value' }).click();
  await page.getByLabel(/^Value at /).getByText('"was": 1').waitFor();
  await page.getByRole('button', { name: 'Put it back…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Put it back' }).click();
  await expectSoon(() => house.ask('GET', '/open/n.json'), { was: 1 });
  await page.getByRole('status').getByRole('button', { name: 'Undo' }).click();
  await expectSoon(() => house.ask('GET', '/open/n.json'), { is: 2 });
  assert.deepEqual(wrongs, []);
});

test('/ns/NAME/.console is the console of that namespace', async () => {
  await houseOf('own');
  await houseOf('other');
  const { page, wrongs, asked } = await openConsole(browser, server, '', looks[0], '/ns/own/.console');
  await page.getByRole('treeitem', { name: /open/ }).waitFor();
  assert.equal(await page.getByLabel('Namespace').inputValue(), 'own');
  assert.ok(asked.some((line) => line.startsWith('GET /.json?ns=own')));
  await page.getByLabel('Namespace').selectOption('other');
  await expectSoon(() => asked.some((line) => line.startsWith('GET /.json?ns=other')), true);
  assert.deepEqual(wrongs, []);
});

// ---- the keyboard

test('all pages are reached and used by the keyboard alone', async () => {
  const house = await houseOf('keys');
  const { page, wrongs } = await openConsole(browser, server, '#data?ns=keys');
  await page.getByRole('treeitem').first().waitFor();
  await link(page, 'Activity').focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('With this text').waitFor();
  await page.getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Go on' }).waitFor();
  await house.enter('ada', 'gone');
  await link(page, 'People').focus();
  await page.keyboard.press('Enter');
  const summary = page.locator('summary').filter({ hasText: 'ada' });
  await summary.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('list', { name: 'Written when it goes' }).waitFor();
  await link(page, 'Webhooks').focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Sends to').fill(receiver.url);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'I have it' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('region', { name: 'List of webhooks' }).waitFor();
  assert.deepEqual(wrongs, []);
});
