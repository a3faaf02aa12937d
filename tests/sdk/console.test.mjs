// The console against the real server, in Chromium: what is served, every page in every look, rules, history, the server, rights.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { adminOf, looks, openConsole, owner, paste, rooms, row, rules, startBrowser, violations } from './support/console.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { now, signedBy } from './support/tokens.mjs';

const sources = fileURLToPath(new URL('../../net/admin/console/', import.meta.url));
const server = await Server.start(after, ['--dev', '--history', '1h,100MB,versions']);
const browser = await startBrowser(after);
const { put, get } = adminOf(server);

// ---- what is served

test('the bundle in the repository is what its sources make', (t) => {
  if (!existsSync(`${sources}node_modules/esbuild`)) return t.skip('npm ci in net/admin/console, as tools/test does');
  execFileSync(process.execPath, [`${sources}build.mjs`, '--check'], { stdio: ['ignore', 'ignore', 'pipe'] });
  return undefined;
});

test('the page is small, its headers are strict, and its files are kept by those who have them', async () => {
  const page = await rest(server, 'x', 'GET', '/.console', { headers: { 'Accept-Encoding': 'gzip' } });
  assert.equal(page.status, 200);
  assert.equal(page.headers['content-encoding'], 'gzip');
  const policy = page.headers['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.equal(page.headers['referrer-policy'], 'no-referrer');
  assert.equal(page.headers['cache-control'], 'no-cache');
  assert.equal(page.headers['access-control-allow-origin'], undefined);
  const html = (await rest(server, 'x', 'GET', '/.console/')).text; // without gzip
  assert.match(html, /^<!doctype html>/);
  assert.match(html, /<main class="loading"/); // the first paint needs no code
  const again = await rest(server, 'x', 'GET', '/.console', { headers: { 'If-None-Match': page.headers.etag } });
  assert.deepEqual([again.status, again.text], [304, '']);
  const names = [...html.matchAll(/"\/\.console\/([\w.-]+)"/g)].map(([, name]) => name);
  assert.ok(names.length >= 2);
  for (const name of names) {
    const file = await rest(server, 'x', 'GET', `/.console/${name}`);
    assert.equal(file.status, 200);
    assert.equal(file.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(file.text, readFileSync(`${sources}built/${name}`, 'utf8'));
  }
  assert.equal((await rest(server, 'x', 'GET', '/.console/../README.md')).status, 404);
  assert.equal((await rest(server, 'x', 'GET', '/.console/nothing.js')).status, 404);
  assert.equal((await rest(server, 'x', 'POST', '/.console', { body: '' })).status, 405);
  assert.equal((await rest(server, 'x', 'GET', '/.consoles')).status, 404);
  const about = JSON.parse((await rest(server, 'x', 'GET', '/.console/about.json')).text);
  assert.equal(about.dev, true);
  assert.match(
    (await rest(server, 'x', 'GET', '/', { headers: { Accept: 'text/html' } })).text,
    /<a href="\/\.console">/,
  );
});

test('with --dev, no name of another machine has the page', async () => {
  for (const [host, status] of [
    ['localhost:1', 200],
    ['10.1.2.3', 200],
    ['evil.example', 403],
  ]) {
    for (const path of ['/.console', '/.console/about.json']) {
      const answer = await rest(server, 'x', 'GET', path, { headers: { Host: host } });
      assert.equal(answer.status, status, `${host} ${path}`);
    }
  }
  assert.match((await rest(server, 'x', 'GET', '/.console', { headers: { Host: 'evil.example' } })).text, /--dev-host/);
});

// ---- all pages, in all looks

for (const look of looks) {
  test(`every page: ${look.name}, without serious faults of accessibility, and nothing that its policy forbids`, async () => {
    await put('looks', '/.json', { rooms, open: { größe: 'ü', '🎉': true, n: 7 } });
    await put('looks', '/.settings/rules.json', rules);
    const { page, context, wrongs } = await openConsole(browser, server, '#data?ns=looks', look);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme ?? ''), look.colorScheme);
    await row(page, '/rooms').waitFor();
    const pages = await page.getByRole('navigation', { name: 'Pages' }).boundingBox();
    assert.ok(look.viewport.width > 700 ? pages.height > 600 : pages.y > 600, 'the list of pages is where it belongs');
    await page.getByRole('tree').press('ArrowDown');
    await page.getByRole('tree').press('ArrowRight');
    await row(page, '/open/größe').waitFor();
    const check = async (name) => {
      assert.deepEqual(await violations(page), [], name);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
    };
    await put('looks', '/open/n.json', Date.now());
    await row(page, '/open/n').locator('.by').waitFor();
    await check('data');
    await page.getByRole('tree').press('m');
    await page.getByRole('menu').waitFor();
    await check('menu');
    await page.keyboard.press('Escape');
    await page.getByRole('tree').press('a');
    await page.getByRole('dialog').waitFor();
    await check('dialog');
    await page.getByRole('dialog').getByLabel('Type').selectOption('JSON');
    await page.locator('.json-field .cm-content').waitFor();
    await check('dialog with JSON');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const links = {
      Query: 'Run',
      Rules: 'Ask',
      History: 'Reload',
      People: 'Sign out',
      Health: 'Measure again',
      Namespaces: 'Make it',
    };
    for (const [name, button] of Object.entries(links)) {
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).click();
      await page.getByRole('button', { name: button, exact: true }).first().waitFor();
      if (name === 'Rules') await page.getByRole('textbox', { name: 'Rules of looks' }).waitFor();
      if (name === 'Health') await page.locator('.chart canvas').nth(3).waitFor();
      await check(name);
    }
    assert.deepEqual(wrongs, []);
    await context.close();
  });
}

// ---- rules

test('rules: errors where they are, nothing in force before it is published, a reason for each verdict, coverage', async () => {
  await put('rules', '/.json', { rooms });
  await put('rules', '/.settings/rules.json', rules);
  const { page, wrongs } = await openConsole(browser, server, '#rules?ns=rules&path=/rooms/tea');
  const editor = page.getByRole('textbox', { name: 'Rules of rules' });
  await editor.waitFor();
  await page.getByLabel('User id').fill('bob');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Denied', { exact: true }).waitFor();
  await page.getByText("data.child('members').child(auth.uid).val() == true", { exact: true }).first().waitFor();
  await page.getByLabel('User id').fill('ada');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Allowed', { exact: true }).waitFor();

  await page.getByLabel('Coverage').check();
  await page.locator('.covered-both').first().waitFor();
  assert.match(await page.locator('.covered-both').first().getAttribute('title'), /1 times true, 1 times false/);

  await editor.click();
  await page.keyboard.press('Control+A');
  await paste(page, '{\n  "rules": {\n    "x": { ".read": "aut != null" }\n  }\n}');
  await page.getByText("Unknown variable 'aut'.").waitFor();
  await page.getByRole('button', { name: '3:22' }).waitFor();
  await page.locator('.cm-lintRange-error').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Publish…' }).isDisabled());
  await editor.click();
  await page.keyboard.press('Control+A');
  await paste(page, '{\n  "rules": {\n    "x": { ".read": "auth != null" }\n  }\n}');
  await page.getByText('changed, and correct').waitFor();
  assert.equal((await rest(server, 'rules', 'GET', '/.settings/rules.json', { headers: owner })).text, rules);
  await page.getByRole('button', { name: 'Publish…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('.cm-deletedChunk, .cm-changedLine').first().waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('The rules are in force.').waitFor();
  assert.match((await rest(server, 'rules', 'GET', '/.settings/rules.json', { headers: owner })).text, /auth != null/);
  await page.getByRole('button', { name: 'Back to the old ones' }).click();
  await expectSoon(
    async () => (await rest(server, 'rules', 'GET', '/.settings/rules.json', { headers: owner })).text,
    rules,
  );
  assert.deepEqual(wrongs, []);
});

test('rules: what is typed is still there after a look at another page, can be tried before it is in force, and is never put over what somebody else published', async () => {
  await put('drafts', '/.json', { rooms });
  await put('drafts', '/.settings/rules.json', rules);
  const inForce = async () => (await rest(server, 'drafts', 'GET', '/.settings/rules.json', { headers: owner })).text;
  const { page, wrongs } = await openConsole(browser, server, '#rules?ns=drafts&path=/rooms/tea');
  const editor = page.getByRole('textbox', { name: 'Rules of drafts' });
  const go = (name) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).click();
  const mine = rules.replace("data.child('members').child(auth.uid).val() == true", "auth.uid == 'bob'");
  await editor.click();
  await page.keyboard.press('Control+A');
  await paste(page, mine);
  await page.getByText('changed, and correct').waitFor();
  await go('Query');
  await page.getByRole('button', { name: 'Run' }).waitFor();
  await go('Rules');
  await editor.getByText('bob').first().waitFor();

  // By those in the editor bob may, by those in force he may not; and neither is another's for having been asked.
  await page.getByLabel('User id').fill('bob');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Allowed', { exact: true }).waitFor();
  await page.getByLabel('By which rules').selectOption('those in force');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Denied', { exact: true }).waitFor();
  assert.equal(await inForce(), rules);

  // Somebody else publishes: the difference is to theirs, and what they did while it was looked at is not overwritten either.
  const theirs = rules.replace('"open"', '"offen"');
  await put('drafts', '/.settings/rules.json', theirs);
  await page.getByRole('button', { name: 'Publish…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Somebody else has published rules since you began').waitFor();
  await dialog.locator('.cm-deletedChunk').getByText('offen').waitFor();
  await put('drafts', '/.settings/rules.json', rules);
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  await dialog.getByRole('alert').getByText('Others were published just now').waitFor();
  assert.equal(await inForce(), rules);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Publish…' }).click();
  await dialog.locator('.cm-deletedChunk').first().waitFor();
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('The rules are in force.').waitFor();
  assert.equal(await inForce(), mine);
  await go('Query');
  await go('Rules');
  await page.getByText('in force', { exact: true }).waitFor(); // nothing is left to publish
  assert.deepEqual(wrongs, []);
});

// ---- history

test('history: the values of a path one after the other, what happens now, and taking a commit back', async () => {
  for (const value of [1, 2, 3]) await put('past', '/n.json', value);
  const { page, wrongs, answered } = await openConsole(browser, server, '#history?ns=past&path=/n');
  await page.getByLabel('Value then').getByText('3').waitFor();
  await page.getByRole('slider').press('ArrowLeft');
  await page.getByLabel('Value then').getByText('2').waitFor();
  await page.getByLabel('Value before').getByText('1').waitFor();
  await page.getByRole('slider').press('End');
  await page.getByRole('button', { name: 'Take this commit back' }).click();
  await expectSoon(() => get('past', '/n.json'), 2);
  await expectSoon(() => answered.some((line) => line.startsWith('200 GET /.changes?ns=past')), true);
  await put('past', '/m.json', '"hello"');
  await page.getByRole('region', { name: 'Commits' }).getByText('"hello"').waitFor();
  await page.getByRole('row', { name: '/m "hello"' }).getByRole('button', { name: 'Undo' }).click();
  await expectSoon(() => get('past', '/m.json'), null);
  assert.deepEqual(wrongs, []);
});

test('history: a namespace in which nothing has happened yet waits for the first commit, and shows it', async () => {
  const { page, wrongs } = await openConsole(browser, server, '#history?ns=untouched');
  const asked = page.waitForResponse((answer) => answer.url().includes('/.changes?'));
  await page.getByText('Waiting for the next commit…').waitFor();
  assert.equal((await asked).status(), 200);
  await put('untouched', '/first.json', '"ü"');
  await page.getByRole('region', { name: 'Commits' }).getByText('"ü"').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  assert.deepEqual(wrongs, []);
});

// ---- the server

test('health draws what the server counts; namespaces are made, dumped, restored and removed; a user is signed out', async () => {
  const { page, wrongs } = await openConsole(browser, server, '#health?ns=house');
  await put('house', '/.json', { a: { b: 1 } });
  await page.getByText('healthy').waitFor();
  const commits = page.getByRole('img', { name: /^Commits and writes a second: now commits [\d.]+/ });
  await commits.waitFor();
  await page.getByRole('button', { name: 'Measure again' }).click();
  await page.getByRole('link', { name: '/a/b' }).waitFor();
  // Of one place, where that is what one was looking at.
  await page.goto(`${server.url}/.console#health?ns=house&path=/a`);
  await page.getByText('at and below /a').waitFor();
  await page.getByRole('region', { name: 'Sizes of paths' }).getByRole('link', { name: '/a', exact: true }).waitFor();
  await page.getByRole('button', { name: 'All of it' }).click();
  await page.getByRole('region', { name: 'Sizes of paths' }).getByRole('link', { name: '/', exact: true }).waitFor();
  // Where the pointer is, the chart says when that was.
  await page.getByRole('img', { name: /^Memory/ }).locator('.u-over').hover();
  await page.getByRole('img', { name: /^Memory/ }).getByText(/^ ?at \d\d:\d\d:\d\d$/).waitFor();

  await page.goto(`${server.url}/.console#spaces?ns=house`);
  await page.getByLabel('A new namespace').fill('made-here');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('button', { name: 'made-here', exact: true }).waitFor();
  const coming = page.waitForEvent('download');
  await page.evaluate(() => {
    window.showSaveFilePicker = undefined;
  });
  await page.getByRole('button', { name: 'Dump house as JSON' }).click();
  const dumped = readFileSync(await (await coming).path(), 'utf8');
  assert.match(dumped, /"b":\s*1/);
  await put('house', '/.json', { other: 1 });
  await page.getByLabel('Replace what is there').check();
  await page
    .getByLabel('A dump, or JSON')
    .setInputFiles({ name: 'house.json', mimeType: 'application/json', buffer: Buffer.from(dumped) });
  await expectSoon(() => get('house', '/a/b.json'), 1);
  await page.getByRole('button', { name: 'Delete made-here' }).click();
  const dialog = page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Delete' }).isDisabled());
  await dialog.getByLabel('Type made-here to go on').fill('made-here');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'made-here', exact: true }).waitFor({ state: 'detached' });

  await page.goto(`${server.url}/.console#people?ns=house`);
  // A stream of somebody's is listed, with what it listens to, and can be cut.
  const stream = await fetch(`${server.url}/a.json?ns=house`, { headers: { ...owner, Accept: 'text/event-stream' } });
  await page.getByRole('link', { name: '/a', exact: true }).waitFor();
  const line = page.getByRole('row').filter({ hasText: 'event stream' }).last(); // the newest
  const cut = page.getByRole('button', {
    name: await line.getByRole('button').getAttribute('aria-label'),
    exact: true,
  });
  await cut.click();
  await assert.rejects(async () => {
    for await (const piece of stream.body) assert.ok(piece);
  });
  await cut.waitFor({ state: 'detached' });

  await page.getByLabel('User id').fill('ada');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('Signed ada out: 0 connections ended.').waitFor();
  assert.deepEqual(wrongs, []);
});

test('a restore says how far it is while it is sent and while it is put in place, on other pages too, and is given up in both', async () => {
  const { page, wrongs, answered } = await openConsole(browser, server, '#spaces?ns=large');
  await put('large', '/.json', { before: 1 });
  const leaves = Array.from({ length: 400_000 }, (_, i) => `"k${(i * 7919) % 400_000}":"${String(i * 31).padStart(30, 'x')}"`);
  const file = { name: 'large.json', mimeType: 'application/json', buffer: Buffer.from(`{${leaves.join(',')}}`) };
  // All that the page says of it, in order.
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => {
      const line = document.querySelector('.transfer p')?.textContent.trim();
      if (line !== undefined && line !== window.seen.at(-1)) window.seen.push(line);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  const choose = () => page.getByLabel('A dump, or JSON').setInputFiles(file);
  const cancel = page.getByRole('button', { name: 'Cancel', exact: true });
  const givenUp = page.getByText('Gave the restore of large.json up; nothing is changed.');
  const dismissed = async () => {
    await givenUp.waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).first().click();
    await givenUp.waitFor({ state: 'detached' });
  };
  await page.getByLabel('Replace what is there').check();

  // While it is sent: the second piece is held up until it is given up.
  await page.route('**/.settings/restore.json?*at=8000000', () => {});
  await choose();
  await page.getByText('1 of 2: sent').waitFor();
  await expectSoon(() => page.evaluate(() => window.seen.some((line) => /^1 of 2: sent \d+ % 8\.0 MB of \d+ MB$/.test(line))), true);
  assert.deepEqual(await violations(page), []);
  await cancel.click();
  await dismissed();
  await page.unrouteAll();
  assert.ok(answered.some((line) => line.startsWith('200 DELETE /.settings/restore.json?upload=')));

  // While it is put in place.
  await choose();
  await page.getByText('2 of 2: restored').waitFor();
  await cancel.click();
  await dismissed();
  assert.deepEqual(await get('large', '/.json'), { before: 1 });

  // To its end, while one looks at another page in between.
  await choose();
  await page.getByText('1 of 2: sent').waitFor();
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Query', exact: true }).click();
  await page.getByRole('button', { name: 'Run' }).waitFor();
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Namespaces', exact: true }).click();
  await page.getByText('Restored large/.').waitFor();
  assert.equal(await page.locator('.transfer').count(), 0);
  assert.equal(await get('large', '/k7919.json'), '31'.padStart(30, 'x'));
  assert.equal(await get('large', '/before.json'), null);
  const parts = (await page.evaluate(() => window.seen)).flatMap((line) => /^2 of 2: restored (\d+) %/.exec(line)?.[1] ?? []);
  assert.ok(parts.length > 0, 'how far the server was, was seen');
  assert.deepEqual(wrongs, []);
});

// ---- rights

test('as somebody else: what the rules hide is not shown, and the page says why', async () => {
  await put('eyes', '/.json', { rooms, open: { n: 1 } });
  await put('eyes', '/.settings/rules.json', rules);
  const { page, wrongs } = await openConsole(browser, server, '#data?ns=eyes&path=/rooms/tea');
  await row(page, '/rooms/tea/seats').waitFor();
  await page.getByRole('button', { name: 'as admin' }).click();
  await page.getByLabel('A user', { exact: true }).check();
  await page.getByLabel('User id').fill('bob');
  await page.getByRole('button', { name: 'See it' }).click();
  await page.getByText('Permission denied: the rules do not let “bob” read this.').waitFor();
  assert.equal(await row(page, '/rooms/tea/seats').count(), 0);
  assert.deepEqual(await violations(page), []);
  await page.getByRole('button', { name: 'Ask the rules why' }).click();
  await page.getByRole('textbox', { name: 'Rules of eyes' }).waitFor();
  assert.equal(await page.getByLabel('User id').inputValue(), 'bob');
  assert.equal(await page.locator('.side').getByLabel('Where').inputValue(), '/rooms/tea');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Denied', { exact: true }).waitFor();
  // A right that goes while one looks takes what it showed along.
  await page.goto(`${server.url}/.console#data?ns=eyes&path=/rooms/coffee`);
  await row(page, '/rooms/coffee/seats').waitFor();
  await put('eyes', '/rooms/coffee/members/bob.json', false);
  await page.getByText('Permission denied: the rules do not let “bob” read this.').waitFor();
  assert.equal(await row(page, '/rooms/coffee/seats').count(), 0);
  await put('eyes', '/rooms/coffee/members/bob.json', true);
  await row(page, '/rooms/coffee/seats').waitFor();

  await page.goto(`${server.url}/.console#data?ns=eyes&path=/rooms/coffee`);
  await row(page, '/rooms/coffee/seats').waitFor();
  await row(page, '/rooms/coffee/seats').locator('.edit').click();
  await page.getByLabel('Value of seats').fill('1');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Permission denied').waitFor();
  assert.equal(await get('eyes', '/rooms/coffee/seats.json'), 9);
  assert.deepEqual(wrongs, []);
});

test('without --dev: a sign-in, by the admin secret or a token, which is in no URL and kept only if asked', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-console-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const secret = 'a secret of the backend that has more than 32 bytes';
  writeFileSync(join(folder, 'auth.json'), JSON.stringify({ issuers: [{ issuer: 'backend', secret }] }));
  writeFileSync(join(folder, 'rules.json'), rules);
  const own = await Server.start(
    (end) => t.after(end),
    ['--namespace', 'shop', '--auth-config', join(folder, 'auth.json'), '--rules', join(folder, 'rules.json')],
  );
  const admin = { Authorization: `Bearer ${own.secret}` };
  await rest(own, 'shop', 'PUT', '/.json', { headers: admin, body: JSON.stringify({ rooms, open: { n: 1 } }) });
  const { page, context, wrongs, asked } = await openConsole(browser, own);
  await page.getByLabel('Admin secret or token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('That is neither the admin secret of this server nor a token.').waitFor();
  assert.deepEqual(await violations(page), []);
  assert.equal(await page.getByRole('tree').count(), 0);
  await page.getByLabel('Admin secret or token').fill(own.secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await row(page, '/rooms').waitFor();
  assert.equal(
    await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])),
    '[{},{},""]',
  );
  await page.reload();
  await page.getByLabel('Keep it until this tab is closed').check();
  await page.getByLabel('Admin secret or token').fill(own.secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await row(page, '/rooms').waitFor();
  await page.reload();
  await row(page, '/rooms').waitFor();
  // What is off is switched on where it is missed, and then is there: also where nothing was written yet.
  await rest(own, 'bare', 'PUT', '/.settings/namespace.json', { headers: admin });
  for (const space of ['shop', 'bare']) {
    await page.goto(`${own.url}/.console#history?ns=${space}`);
    await page.getByRole('button', { name: 'Keep it' }).click();
    await page.getByText('Waiting for the next commit…').waitFor();
    await rest(own, space, 'PUT', '/open/n.json', { headers: admin, body: '2' });
    await page.getByRole('region', { name: 'Commits' }).getByRole('link', { name: '/open/n' }).waitFor();
  }
  await page.goto(`${own.url}/.console#data?ns=shop`);
  await row(page, '/rooms').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);

  // A user: what the rules give, and no administration.
  const token = signedBy(secret, { iss: 'backend', sub: 'ada', iat: now(), exp: now() + 3600 });
  await page.getByLabel('Admin secret or token').fill(token);
  await page.getByLabel('Namespace').fill('shop');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Permission denied: the rules do not let who signed in here read this.').waitFor();
  await page.goto(`${own.url}/.console#data?ns=shop&path=/rooms/tea`);
  await row(page, '/rooms/tea/seats').waitFor();
  for (const [hash, words] of [
    ['rules', 'The page of the rules is for admins'],
    ['health', 'Health is for admins'],
    ['history', 'History is for admins'],
    ['people', 'is for admins'],
    ['spaces', 'is for admins'],
  ]) {
    await page.goto(`${own.url}/.console#${hash}?ns=shop`);
    await page.getByRole('heading', { name: words }).waitFor();
  }
  for (const headers of [{}, { Authorization: `Bearer ${token}` }]) {
    assert.equal((await rest(own, 'shop', 'GET', '/.inspect/connections.json', { headers })).status, 401);
    assert.equal(
      (await rest(own, 'shop', 'POST', '/.settings/cut.json', { headers, body: '{"connection":1}' })).status,
      401,
    );
  }
  for (const line of asked) assert.ok(!line.includes(own.secret) && !line.includes(token), line);
  assert.deepEqual(wrongs, []);
  await context.close();
});

test('who leaves takes all along: no connection, no session, no question is left at the server', async () => {
  const own = await Server.start(after, ['--dev', '--history', '1h,100MB,versions']);
  const { put: write } = adminOf(own);
  await write('left', '/.json', { a: 1 });
  const figure = async (name) => {
    const page = (await rest(own, 'left', 'GET', '/.metrics', { headers: owner })).text;
    return [...page.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'gm'))].reduce((sum, [, one]) => sum + Number(one), 0);
  };
  const before = await figure('hearth_connections');
  const { page, context, answered } = await openConsole(browser, own, '#data?ns=left');
  await row(page, '/a').waitFor();
  await expectSoon(() => answered.some((line) => line.startsWith('200 GET /.changes?ns=left')), true);
  for (const name of ['Activity', 'People', 'Health', 'History'])
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).click();
  assert.ok((await figure('hearth_connections')) > before);
  await context.close();
  await expectSoon(() => figure('hearth_connections'), before);
  assert.equal(await figure('hearth_listeners'), 0);
  const requests = await figure('hearth_requests_total');
  const again = await figure('hearth_requests_total');
  assert.ok(again - requests <= 1, 'nothing is asked but by this test');
});

test('a page that nobody looks at asks nothing', async () => {
  await put('quiet', '/a.json', 1);
  const { page, asked } = await openConsole(browser, server, '#data?ns=quiet');
  await row(page, '/a').waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
  });
  await page.waitForTimeout(1_200); // what was on its way
  asked.length = 0;
  await page.waitForTimeout(2_500);
  assert.deepEqual(asked, []);
});
