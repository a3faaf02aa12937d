// The apps of tests/examples, as their READMEs say: the server has the flags that they give, the pages are in Chromium.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rest } from './support/rest.mjs';
import { soon } from './support/server.mjs';
import { Tabs, folderOf, npmStart, say, serveFolder, shows, startServer, texts } from './support/example.mjs';

const tabs = await Tabs.start(after);
const asAdmin = { headers: { Authorization: 'Bearer owner' } };
const get = async (server, namespace, path) => JSON.parse((await rest(server, namespace, 'GET', path, asAdmin)).text);
const write = async (server, namespace, method, path, value) => {
  const { status, text } = await rest(server, namespace, method, path, { ...asAdmin, body: JSON.stringify(value) });
  assert.equal(status, 200, text);
};

test('chat: two tabs exchange messages, the newest last, and what the rules refuse is said', async (t) => {
  const hook = (end) => t.after(end);
  const server = await startServer(hook, 'chat', tabs.port);
  const url = await serveFolder(hook, folderOf('chat'));
  const ada = await tabs.open(hook, `${url}?name=ada`);
  const bob = await tabs.open(hook, `${url}?name=bob`);

  await say(ada, '#text', 'hello');
  await shows(bob, '#messages li', ['ada: hello']);
  await say(bob, '#text', 'how is <b>tea</b>?');
  for (const tab of [ada, bob]) await shows(tab, '#messages li', ['ada: hello', 'bob: how is <b>tea</b>?']);

  await say(ada, '#text', 'x'.repeat(501));
  await shows(ada, '#problem', ['Not sent: PERMISSION_DENIED: Permission denied']);
  for (const tab of [ada, bob]) await shows(tab, '#messages li', ['ada: hello', 'bob: how is <b>tea</b>?']);
  assert.equal(await ada.$eval('#text', ({ value }) => value.length), 501);

  // A window of 50: older messages are not told.
  const line = (i) => ({ by: 'eve', text: `${i}`, sent: i });
  const more = Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`zz${i + 10}`, line(i)]));
  await write(server, 'chat', 'PATCH', '/messages.json', more);
  const shown = ['bob: how is <b>tea</b>?', ...Array.from({ length: 49 }, (_, i) => `eve: ${i}`)];
  for (const tab of [ada, bob]) await shows(tab, '#messages li', shown);
});

test('chat: nobody speaks in the name of another, changes what was said, or reads without a name', async (t) => {
  const server = await startServer((end) => t.after(end), 'chat');
  const token = (uid) => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part({ alg: 'none' })}.${part({ sub: uid, iat: 1 })}.`; // as connectDatabaseEmulator makes one
  };
  const as = async (uid, method, path, value) => {
    const headers = uid ? { Authorization: `Bearer ${token(uid)}` } : {};
    return (await rest(server, 'chat', method, path, { headers, body: value && JSON.stringify(value) })).status;
  };
  const message = { by: 'ada', text: 'hello', sent: { '.sv': 'timestamp' } };
  assert.equal(await as('bob', 'PUT', '/messages/m1.json', message), 401);
  assert.equal(await as('ada', 'PUT', '/messages/m1.json', { ...message, sent: 5 }), 401);
  assert.equal(await as('ada', 'PUT', '/messages/m1.json', { ...message, more: 1 }), 401);
  assert.equal(await as('ada', 'PUT', '/messages/m1.json', message), 200);
  assert.equal(await as('ada', 'PUT', '/messages/m1/text.json', 'other'), 401);
  assert.equal(await as('ada', 'DELETE', '/messages/m1.json'), 401);
  assert.equal(await as('bob', 'GET', '/messages.json'), 200);
  assert.equal(await as(undefined, 'GET', '/messages.json'), 401);
});

test('presence: a tab that is closed is seen to go, and who has another one stays', async (t) => {
  const hook = (end) => t.after(end);
  const server = await startServer(hook, 'presence', tabs.port);
  const url = await serveFolder(hook, folderOf('presence'));
  const bob = await tabs.open(hook, `${url}?name=bob`);
  await shows(bob, '.online', ['bob']);
  const first = await tabs.open(hook, `${url}?name=J.%20Ada`);
  await shows(bob, '.online', ['J. Ada', 'bob']);
  const second = await tabs.open(hook, `${url}?name=J.%20Ada`);
  const connections = async (uid) =>
    Object.keys((await get(server, 'presence', `/people/${uid}/connections.json`)) ?? {});
  const until = async (uid, holds) => {
    while (!holds(await connections(uid))) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const isAnother = (old) => (keys) => keys.length === 1 && keys[0] !== old;
  const ada = 'J%252E%2520Ada'; // the key J%2E%20Ada in a URL
  await soon(until(ada, ({ length }) => length === 2), 'two connections');

  await first.close();
  await soon(until(ada, ({ length }) => length === 1), 'one connection');
  await shows(bob, '.online', ['J. Ada', 'bob']);
  await second.close();
  await shows(bob, '.online', ['bob']);
  assert.match((await texts(bob, '.offline')).join(), /^J\. Ada, last seen \d/);

  // After a crash of the server the old connection is gone, and a new one is there.
  const [old] = await connections('bob');
  await server.kill();
  await server.start();
  await soon(until('bob', isAnother(old)), 'the new connection of bob');
  await shows(bob, '#state', ['you are bob']);
  await shows(bob, '.online', ['bob']);
});

test('react-list: an item is shown before the server has answered, and one that is refused is taken back', async (t) => {
  const hook = (end) => t.after(end);
  const server = await startServer(hook, 'react-list', tabs.port);
  const url = await npmStart(hook, 'react-list');
  const [mine, other] = [await tabs.open(hook, url), await tabs.open(hook, url)];
  const long = 'longer than forty characters, which the rules refuse';
  await say(other, 'input', 'bread');
  for (const tab of [mine, other]) await shows(tab, 'li:not(.sending) span', ['bread']);

  // Nothing is answered, and both are shown.
  server.pause();
  await say(mine, 'input', 'tea');
  await say(mine, 'input', long);
  await shows(mine, 'li span', ['bread', 'tea', long]);
  await shows(mine, 'li.sending span', ['tea', long]);
  await shows(other, 'li span', ['bread']);
  server.resume();
  await shows(mine, '[role=alert]', [`“${long}” was not saved: permission_denied`]);
  for (const tab of [mine, other]) await shows(tab, 'li:not(.sending) span', ['bread', 'tea']);
  await shows(mine, 'li.sending', []);

  // What is removed is gone at once, and what another one wrote meanwhile is kept when a write is refused.
  server.pause();
  await mine.locator('li button').click();
  await shows(mine, 'li span', ['tea']);
  await say(other, 'input', 'milk');
  await say(mine, 'input', long);
  server.resume();
  for (const tab of [mine, other]) await shows(tab, 'li:not(.sending) span', ['tea', 'milk']);
  await shows(mine, 'li.sending', []);
  assert.deepEqual(Object.values(await get(server, 'list', '/items.json')), [{ text: 'tea' }, { text: 'milk' }]);
});

test('three-clients: one tree, by Firebase, Supabase and Yjs in one page, and one write that removes all of it', async (t) => {
  const hook = (end) => t.after(end);
  const server = await startServer(hook, 'three-clients', tabs.port);
  const url = await npmStart(hook, 'three-clients');
  const [mine, other] = [await tabs.open(hook, url), await tabs.open(hook, url)];
  const notes = (tab, wanted) =>
    tab.waitForFunction((text) => document.querySelector('#notes').value === text, {}, wanted);
  for (const tab of [mine, other]) {
    await shows(tab, '#supabase', ['SUBSCRIBED']);
    await shows(tab, '#yjs', ['synced']);
  }

  // By Firebase in one tab, and by curl: both are in all lists, and told to Supabase in all tabs.
  await say(mine, '#text', 'tea');
  for (const tab of [mine, other]) await shows(tab, '#todos li', ['tea']);
  await write(server, 'three', 'PUT', '/todos/a.json', { text: 'from curl' });
  await write(server, 'three', 'PATCH', '/todos/a.json', { text: 'again' });
  for (const tab of [mine, other]) {
    await shows(tab, '#todos li', ['tea', 'again']);
    await shows(tab, '#changes li', ['INSERT tea', 'INSERT from curl', 'UPDATE again']);
  }

  // One set of rules: what they refuse is told to nobody.
  await say(other, '#text', 'longer than forty characters, which the rules refuse');
  await shows(other, '#problem', ['Not written: PERMISSION_DENIED: Permission denied']);
  await shows(other, '#todos li', ['tea', 'again']);

  // Both write the notes.
  await mine.type('#notes', 'hé😀 one');
  await notes(other, 'hé😀 one');
  await other.focus('#notes');
  await other.keyboard.press('Home');
  await other.keyboard.type('two ');
  for (const tab of [mine, other]) await notes(tab, 'two hé😀 one');

  // One write, and it is gone for all three; notes begin anew.
  await other.click('#clear');
  for (const tab of [mine, other]) {
    await shows(tab, '#todos li', []);
    await tab.waitForFunction(() => document.querySelectorAll('#changes li').length === 5);
    assert.deepEqual((await texts(tab, '#changes li')).slice(3).sort(), ['DELETE again', 'DELETE tea']);
    await notes(tab, '');
    await shows(tab, '#yjs', ['synced']);
  }
  await mine.type('#notes', 'anew');
  await notes(other, 'anew');
});

test('react-list, three-clients: their packages are those that are tested here', () => {
  const versions = (folder) => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return { ...dependencies, ...devDependencies };
  };
  const tested = versions(import.meta.dirname);
  for (const name of ['react-list', 'three-clients']) {
    for (const [one, version] of Object.entries(versions(folderOf(name)))) assert.equal(tested[one], version, one);
  }
});

test('admin-script: old messages are removed in batches and counted, and new ones stay', async (t) => {
  const server = await startServer((end) => t.after(end), 'admin-script');
  const run = async (environment, ...words) => {
    const child = spawn(process.execPath, [join(folderOf('admin-script'), 'prune.mjs'), ...words], {
      env: { ...process.env, HEARTH_URL: server.url, ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
    const [code] = await once(child, 'close');
    return { code, output };
  };
  const day = 24 * 60 * 60 * 1000;
  const sent = (days) => ({ by: 'ada', text: `${days} days ago`, sent: Date.now() - days * day });
  const old = Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`old${i}`, sent(31 + i)]));
  await write(server, 'chat', 'PUT', '/messages.json', { ...old, recent: sent(29), now: sent(0) });

  assert.deepEqual(await run({}), { code: 0, output: 'removed 1100 messages; 1100 so far\n' });
  assert.deepEqual(Object.keys(await get(server, 'chat', '/messages.json')), ['now', 'recent']);
  assert.deepEqual(await run({}, '20'), { code: 0, output: 'removed 1 messages; 1101 so far\n' });
  assert.equal(await get(server, 'chat', '/pruned.json'), 1101);

  const refused = await run({ HEARTH_TOKEN: 'nobody' }, '0');
  assert.equal(refused.code, 1);
  assert.match(refused.output, /GET \/messages: /);
  assert.match((await run({}, 'soon')).output, /usage: node prune\.mjs \[DAYS\]/);
  assert.deepEqual(Object.keys(await get(server, 'chat', '/messages.json')), ['now']);
});
