// Webhooks: each change of a path comes to a receiver, signed, in order, at least once; whoever dies, and wherever it may not go.
import './support/certificates.mjs';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { closeApps } from './support/apps.mjs';
import { authority, issue, strangeAuthority } from './support/certificates.mjs';
import { Desk, block } from './support/manual.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { Server, program } from './support/server.mjs';
import { Receiver, ReceiverProcess } from './support/webhook_receiver.mjs';

after(closeApps);
const isLong = Boolean(process.env.HEARTH_LONG);
const folder = mkdtempSync(join(tmpdir(), 'hearth-hooks-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const quick = ['--webhook-retry', '20ms,100ms'];
const flagsFor = (port, more = []) => ['--dev', '--history', '24h,1GB', '--webhook-host', `127.0.0.1:${port}`, '--webhook-private', ...quick, ...more];

async function put(server, path, value, ns = '') {
  const reply = await fetch(`${server.url}${path}.json?auth=owner${ns && `&ns=${ns}`}`, { method: 'PUT', body: JSON.stringify(value) });
  assert.equal(reply.status, 200, await reply.text());
}
async function ask(server, action, body, query = '') {
  const reply = await fetch(`${server.url}/.webhooks${action}.json?auth=owner${query}`, body && { method: 'POST', body: JSON.stringify(body) });
  return { status: reply.status, body: await reply.json() };
}
async function add(server, url, path, more = {}) {
  const added = await ask(server, '', { url, path, ...more });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  return added.body;
}
const list = async (server, query) => (await ask(server, '', undefined, query)).body;
async function until(holds, what) {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 2_000, what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
function hearth(...words) {
  return new Promise((resolve) => execFile(program, words, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
}
const metrics = async (server) => (await fetch(`${server.url}/.metrics`)).text();
const figure = async (server, name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(await metrics(server))[1]);

test('a receiver verifies what it gets: changes at, below and above the path, in order, and nothing else', async () => {
  const receiver = await Receiver.start(after);
  const server = await Server.start(after, flagsFor(receiver.port));
  await put(server, '/orders/0', 'before the webhook');
  const { id, secret } = await add(server, receiver.url, '/orders');
  assert.match(secret, /^whsec_/);
  await put(server, '/orders/1', { item: 'tea' });
  await put(server, '/users/ada', true);
  await fetch(`${server.url}/.json?auth=owner`, { method: 'PATCH', body: '{"orders/1/count": 2, "users/bob": 1}' });
  await put(server, '/', { orders: { 2: 'milk' }, users: {} });
  const messages = await receiver.messages.until((items) => items.length >= 3 && items, 'three messages');
  assert.deepEqual(messages.map((one) => one.body.data.changes), [
    [{ path: '/orders/1', value: { item: 'tea' } }],
    [{ path: '/orders/1/count', value: 2 }],
    [{ path: '/orders', value: { 2: 'milk' } }],
  ]);
  const changes = (await (await fetch(`${server.url}/.changes?auth=owner&since=0&path=/orders`)).text()).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  for (const [i, message] of messages.entries()) {
    assert.deepEqual(new Webhook(secret).verify(message.text, message.headers), message.body);
    assert.throws(() => new Webhook(secret).verify(`${message.text} `, message.headers));
    assert.deepEqual(message.body.data, changes[i + 1], 'as the change feed has it');
    assert.equal(message.id, `${id}:${changes[i + 1].id}`);
    assert.equal(message.body.type, 'change');
    assert.equal(message.body.namespace, 'default');
    assert.equal(Date.parse(message.body.timestamp), message.body.data.time);
    assert.equal(message.headers['content-type'], 'application/json');
    assert.equal(message.url, '/hook');
  }
  await until(async () => (await list(server))[0].delivered === 3, 'three are delivered');
  const [one] = await list(server);
  assert.equal(one.cursor, changes.at(-1).next);
  assert.equal(one.state, 'delivering');
  assert.equal(one.status, '200');
  assert.ok(!JSON.stringify(one).includes(secret.slice(6)), 'a list has no secrets');
  assert.equal(await figure(server, 'hearth_webhook_delivered_total'), 3);
  await until(async () => (await figure(server, 'hearth_webhook_lag_seconds')) === 0, 'nothing waits');
});

test('a webhook is refused with what to do: no flag, another host, no https, no history, no right', async () => {
  const off = await Server.start(after, ['--dev', '--history', '24h,1GB']);
  await put(off, '/a', 1);
  const refused = async (server, url, status, what, more = {}) => {
    const { status: got, body } = await ask(server, '', { url, path: '/a', ...more });
    assert.equal(got, status, JSON.stringify(body));
    assert.match(body.error, what);
  };
  await refused(off, 'https://example.com/x', 400, /--webhook-host example.com/);
  const server = await Server.start(after, ['--dev', '--webhook-host', 'example.com', '--webhook-host', '127.0.0.1:9']);
  await put(server, '/a', 1);
  await refused(server, 'https://example.org/x', 400, /--webhook-host example.org/);
  await refused(server, 'https://example.com:8443/x', 400, /--webhook-host example.com:8443/);
  await refused(server, 'http://127.0.0.1:9/x', 400, /https/);
  await refused(server, 'ftp://example.com/x', 400, /https/);
  await refused(server, 'https://ada:tea@example.com/x', 400, /user or password/);
  await refused(server, 'https://example.com/x', 400, /--history 24h,1GB/);
  await refused(server, 'https://example.com/x', 400, /Expected/, { surprise: 1 });
  await fetch(`${server.url}/.settings/history.json?auth=owner`, { method: 'PUT', body: '{"age": "1h", "size": "10MB"}' });
  await put(server, '/a', 2);
  await refused(server, 'https://example.com/x', 400, /versions/, { before: true });
  await refused(server, 'https://example.com/x', 404, /not known/, { since: '0123456789abcdef:1' });
  assert.equal((await ask(server, '/pause', { id: 'wh_000000000000' })).status, 404);
  for (const method of ['GET', 'POST']) assert.equal((await fetch(`${server.url}/.webhooks.json`, { method })).status, 401);
  assert.equal((await fetch(`${server.url}/.webhooks/nothing.json?auth=owner`, { method: 'POST' })).status, 404);
  for (let i = 0; i < 20; i++) await add(server, 'https://example.com/x', '/a');
  await refused(server, 'https://example.com/x', 400, /at most 20/);
});

test('what fails is tried again with the same id, and given up after so many attempts; then it can be sent again', async () => {
  const receiver = await Receiver.start(after);
  const server = await Server.start(after, flagsFor(receiver.port, ['--webhook-attempts', '3', '--webhook-time', '1', '--max-webhook-dead', '3']));
  await put(server, '/a', 0);
  const { id } = await add(server, receiver.url, '/a');
  const statuses = [500, 503, 200, [302, { location: '/elsewhere' }], 200, 'silence', 200];
  receiver.answer = (_, i) => statuses[i] ?? 200;
  for (const value of [1, 2, 3]) await put(server, '/a', value);
  await receiver.messages.until((items) => items.length >= 7, 'seven attempts');
  assert.deepEqual(receiver.values, [1, 1, 1, 2, 2, 3, 3]);
  assert.equal(new Set(receiver.messages.items.map((one) => one.id)).size, 3);
  assert.ok(receiver.messages.items.every((one) => one.url === '/hook'), 'no redirect was followed');

  receiver.answer = (message) => (message.body.data.changes[0].value % 2 ? 200 : 400);
  for (const value of [4, 5, 6, 8, 10]) await put(server, '/a', value);
  await until(async () => (await list(server))[0].dropped === 1, 'four are given up, and three are kept');
  const [one] = await list(server);
  assert.equal(one.dead, 3);
  assert.equal(one.status, '400');
  assert.equal(await figure(server, 'hearth_webhook_dead_total'), 4);
  const dead = async () => (await ask(server, '/dead', undefined, `&id=${id}`)).body;
  assert.deepEqual((await dead()).letters.map((letter) => [letter.body.data.changes[0].value, letter.attempts, letter.why]), [[6, 3, '400'], [8, 3, '400'], [10, 3, '400']]);
  assert.ok(receiver.values.includes(5), 'what came behind one that was given up');

  const first = (await dead()).letters[0].message;
  assert.deepEqual((await ask(server, '/retry', { id })).body.taken, false);
  receiver.answer = () => 200;
  const retried = (await ask(server, '/retry', { id })).body;
  assert.deepEqual([retried.taken, retried.left, retried.message], [true, 2, first]);
  assert.equal(receiver.messages.items.at(-1).id, first);
  const all = await hearth('webhook', 'retry', id, '--url', server.url);
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual((await dead()).letters, []);
  assert.equal((await ask(server, '/retry', { id })).status, 404);
});

test('410 Gone pauses a webhook, a longer answer than is read does no harm, and a pause loses nothing', async () => {
  const receiver = await Receiver.start(after);
  const server = await Server.start(after, flagsFor(receiver.port, ['--max-webhook-answer-size', '1kB']));
  await put(server, '/a', 0);
  const { id } = await add(server, receiver.url, '/a');
  receiver.answer = () => [200, {}, 'x'.repeat(1_000_000)];
  await put(server, '/a', 1);
  await until(async () => (await list(server))[0].delivered === 1, 'a long answer counts as one');
  const told = (await ask(server, '/test', { id })).body;
  assert.deepEqual([told.status, told.taken, told.body.length], [200, true, 1_024]);
  receiver.answer = () => 410;
  await put(server, '/a', 2);
  await until(async () => (await list(server))[0].state === 'paused', 'it is paused');
  assert.match((await list(server))[0].why, /410 Gone/);
  receiver.answer = () => 200;
  await put(server, '/a', 3);
  const test = await hearth('webhook', 'test', id, '--url', server.url);
  assert.equal(test.code, 0, test.stderr);
  assert.match(test.stdout, /^200 after \d+ ms\n/);
  assert.equal(receiver.messages.items.at(-1).body.type, 'test');
  assert.deepEqual(receiver.values, [1, 2]);
  await server.kill();
  await server.start();
  assert.equal((await list(server))[0].state, 'paused');
  await ask(server, '/resume', { id });
  await receiver.messages.until(() => receiver.values.length === 4, 'what came meanwhile');
  assert.deepEqual(receiver.values, [1, 2, 2, 3]);
});

test('a receiver that is silent or dead delays no other webhook', async () => {
  const [good, silent, dead] = [await Receiver.start(after), await Receiver.start(after), await Receiver.start(after)];
  const server = await Server.start(after, [...flagsFor(good.port), '--webhook-host', `127.0.0.1:${silent.port}`, '--webhook-host', `127.0.0.1:${dead.port}`]);
  silent.answer = () => 'silence';
  await put(server, '/a', 0);
  await add(server, silent.url, '/a');
  await add(server, dead.url, '/a');
  await dead.gone();
  await add(server, good.url, '/a');
  for (let value = 1; value <= 50; value++) await put(server, '/a', value);
  await good.messages.until((items) => items.length === 50, 'all of them');
  assert.deepEqual(good.values, Array.from({ length: 50 }, (_, i) => i + 1));
  assert.equal(silent.messages.items.length, 1, 'one at a time');
  assert.ok((await figure(server, 'hearth_webhook_lag_seconds')) > 0);
  await dead.back();
  await dead.messages.until((items) => items.length >= 50, 'what waited');
  assert.deepEqual(dead.values.slice(-50), good.values);
});

test('a private address is not connected to without --webhook-private, whatever the name; TLS is verified', async () => {
  const receiver = await Receiver.start(after, issue());
  const name = ['--dev', '--history', '24h,1GB', '--webhook-host', `localhost:${receiver.port}`, '--webhook-host', `127.0.0.1:${receiver.port}`, ...quick];
  const trusting = ['--webhook-ca', join(authority, 'ca.crt')];
  const told = async (flags, url = receiver.url) => {
    const server = await Server.start(after, [...name, ...flags]);
    await put(server, '/a', 0);
    const { id } = await add(server, url, '/a');
    return (await ask(server, '/test', { id })).body;
  };
  assert.match((await told(trusting)).failure, /(127\.0\.0\.1|::1) is a private address.*--webhook-private/);
  assert.equal(receiver.messages.items.length, 0);
  const proxies = { https_proxy: 'http://127.0.0.1:1', HTTPS_PROXY: 'http://127.0.0.1:1', all_proxy: 'http://127.0.0.1:1' };
  const server = await Server.start(after, [...name, ...trusting, '--webhook-private'], proxies);
  await put(server, '/a', 0);
  const { id } = await add(server, receiver.url, '/a');
  assert.equal((await ask(server, '/test', { id })).body.status, 200);
  assert.match((await told(['--webhook-private'])).failure, /certificate/);
  assert.match((await told(['--webhook-private', '--webhook-ca', join(strangeAuthority(after), 'ca.crt')])).failure, /certificate/);
});

test('changes that the log has lost are told as missed, from where to where, and never left out in silence', async () => {
  const receiver = await Receiver.start(after);
  const server = await Server.start(after, ['--dev', '--history', '24h,20kB', '--webhook-host', `127.0.0.1:${receiver.port}`, '--webhook-private', ...quick, '--webhook-attempts', '10000']);
  await put(server, '/a', { n: 0 });
  const { id } = await add(server, receiver.url, '/a');
  await put(server, '/a', { n: 1 });
  await receiver.messages.until((items) => items.length === 1, 'the first');
  await until(async () => (await list(server))[0].delivered === 1, 'it is delivered');
  const [{ cursor }] = await list(server);
  await receiver.gone();
  const count = 300;
  for (let n = 2; n <= count; n++) await put(server, '/a', { n, text: 'x'.repeat(500) });
  await server.kill();
  await server.start();
  await put(server, '/a', { n: count + 1 });
  await receiver.back();
  await receiver.messages.until(() => receiver.values.at(-1)?.n === count + 1, 'the last');
  const missed = receiver.messages.items.filter((one) => one.body.type === 'missed');
  assert.ok(missed.length >= 1);
  const [first] = missed;
  assert.equal(first.body.data.after, cursor);
  const numbers = receiver.values.map((value) => value.n);
  // From the last that is said to be missed on, each comes, once.
  const begin = Number(missed.at(-1).body.data.before.split(':')[1]);
  const behind = receiver.messages.items.filter((one) => one.body.type === 'change' && Number(one.body.data.id.split(':')[1]) >= begin);
  assert.deepEqual(behind.map((one) => one.body.data.changes[0].value.n), Array.from({ length: behind.length }, (_, i) => count + 2 - behind.length + i));
  assert.equal(Number(behind[0].body.data.id.split(':')[1]), begin, 'the first that is there is the first that comes');
  assert.ok(numbers.length < count, 'some are gone');
  const letters = (await ask(server, '/dead', undefined, `&id=${id}`)).body.letters;
  assert.deepEqual(letters[0].missed, { after: cursor, before: letters[0].missed.before });
  assert.equal(letters.at(-1).missed.before, missed.at(-1).body.data.before);
  assert.equal((await ask(server, '/retry', { id })).status, 400);
  assert.equal((await ask(server, '/clear', { id })).body.cleared, letters.length);
});

test('what stood there before is told where versions are kept; a large change comes without its values', async () => {
  const receiver = await Receiver.start(after);
  const server = await Server.start(after, ['--dev', '--history', '24h,1GB,versions', '--webhook-host', `127.0.0.1:${receiver.port}`, '--webhook-private', ...quick, '--max-webhook-body-size', '4kB']);
  await put(server, '/a', { n: 1, t: 'tea' });
  await until(async () => (await fetch(`${server.url}/a.json?auth=owner&history=true`)).status === 200, 'the past is known');
  await add(server, receiver.url, '/a', { before: true });
  await put(server, '/a/n', 2);
  await put(server, '/a', null);
  await put(server, '/a', 'x'.repeat(10_000));
  await put(server, '/a', 4);
  await receiver.messages.until((items) => items.length === 4, 'four');
  assert.deepEqual(receiver.messages.items.map((one) => one.body.data.changes), [
    [{ path: '/a/n', value: 2, before: 1 }],
    [{ path: '/a', value: null, before: { n: 2, t: 'tea' } }],
    [{ path: '/a', tooLarge: true }],
    [{ path: '/a', tooLarge: true }],
  ]);
});

test('a secret is shown once, and by rotation; it is in no dump, no log and no list; hooks go with their namespace', async () => {
  const receiver = await Receiver.start(after);
  const data = join(folder, 'dumps');
  const server = await Server.start(after, flagsFor(receiver.port));
  await put(server, '/a', 0, 'shop');
  const added = await hearth('webhook', 'add', receiver.url, '--path', '/a', '--ns', 'shop', '--url', server.url);
  assert.equal(added.code, 0, added.stderr);
  const [id, secret] = added.stdout.trim().split('\n');
  await put(server, '/a', 1, 'shop');
  await receiver.messages.until((items) => items.length === 1, 'one');
  const rotated = JSON.parse((await hearth('webhook', 'rotate', id, '--ns', 'shop', '--url', server.url, '--json')).stdout);
  assert.notEqual(rotated.secret, secret);
  await put(server, '/a', 2, 'shop');
  await receiver.messages.until((items) => items.length === 2, 'two');
  for (const [at, by] of [[0, secret], [1, secret], [1, rotated.secret]]) {
    const { text, headers } = receiver.messages.items[at];
    new Webhook(by).verify(text, headers);
  }
  for (const [name, format] of [['native', []], ['json', ['--format', 'json']]]) {
    const out = `${data}-${name}`;
    const dumped = await hearth('dump', '--url', server.url, '--ns', 'shop', '--out', out, ...format);
    if (dumped.code !== 0) assert.fail(dumped.stderr);
    const files = [out].flatMap((path) => {
      try {
        return readdirSync(path).map((one) => readFileSync(join(path, one)));
      } catch {
        return [readFileSync(path)];
      }
    });
    for (const bytes of files) for (const one of [secret, rotated.secret, id]) assert.ok(!bytes.includes(one.replace('whsec_', '')), name);
  }
  const listed = await hearth('webhook', 'list', '--ns', 'shop', '--url', server.url);
  assert.equal(JSON.parse(listed.stdout)[0].id, id);
  for (const text of [listed.stdout, server.errors, JSON.stringify((await ask(server, '/dead', undefined, `&id=${id}&ns=shop`)).body)]) {
    for (const one of [secret, rotated.secret]) assert.ok(!text.includes(one.slice(6)));
  }
  const removed = await fetch(`${server.url}/.settings/namespace.json?auth=owner&ns=shop`, { method: 'DELETE' });
  assert.equal(removed.status, 200, await removed.text());
  await put(server, '/a', 3, 'shop');
  assert.deepEqual(await list(server, '&ns=shop'), []);
  await until(async () => (await figure(server, 'hearth_webhooks')) === 0, 'it is gone with its namespace');
  await server.kill();
  await server.start();
  assert.equal(await figure(server, 'hearth_webhooks'), 0);
  assert.equal(receiver.messages.items.length, 2);
});

test('the receiver of the manual verifies, takes what is signed, and nothing else', async () => {
  const place = await Receiver.start(after);
  const port = place.port; // that is free, soon
  await place.gone();
  const server = await Server.start(after, flagsFor(port));
  await put(server, '/orders/0', 0);
  const { id, secret } = await add(server, `http://127.0.0.1:${port}/`, '/orders');
  const program = block('webhooks', 'In Node, with the package', 'js');
  assert.match(program, /\.listen\(8080\)/);
  const receiver = new Desk(after, port).run('receiver.mjs', `${program.replace('8080', `${port}, () => console.log('here')`)}`, { SECRET: secret });
  await receiver.until(/here/);
  await put(server, '/orders/1', 'tea');
  await receiver.until(/^[0-9a-f]+:\d+ \/orders\/1 tea$/m);
  assert.equal((await ask(server, '/test', { id })).body.status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}', headers: { 'webhook-id': 'a', 'webhook-timestamp': `${Math.floor(Date.now() / 1000)}`, 'webhook-signature': 'v1,AAAA' } })).status, 400);
  receiver.stop();
});

test('each change comes, in order, over kills of the server and of the receiver, while the log is being cut', async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const receiver = new ReceiverProcess(join(folder, 'received'));
  await receiver.start();
  after(() => receiver.kill());
  const server = await Server.start(after, ['--dev', '--history', '24h,40kB', '--webhook-host', `127.0.0.1:${receiver.port}`, '--webhook-private', ...quick, '--webhook-attempts', '10000']);
  await put(server, '/n', 0);
  const { id, secret } = await add(server, `http://127.0.0.1:${receiver.port}/`, '/n');
  await receiver.kill();
  await receiver.start(secret);
  const kills = isLong ? 200 : 10;
  const written = [];
  const text = 'x'.repeat(400);
  const received = () => new Set(receiver.lines.filter((one) => one.type === 'change').map((one) => one.id)).size;
  for (let kill = 0; kill < kills; kill++) {
    for (let more = 1 + random.below(30); more > 0; more--) {
      written.push(written.length + 1);
      await put(server, `/n/k${random.below(4)}`, { n: written.length, text });
      if (random.below(4) === 0) await put(server, '/elsewhere', text);
    }
    const who = random.below(3);
    if (who !== 0) await receiver.kill();
    if (who !== 1) {
      await server.kill();
      await server.start();
    }
    if (who !== 0) await receiver.start();
    // The log holds some 80 of them: no receiver may be further behind, or it misses some, and is told so.
    if (written.length - received() > 25 || random.below(4) === 0) await until(() => received() === written.length, `${received()} of ${written.length}`);
  }
  await until(() => received() === written.length, `all ${written.length}`);
  const lines = receiver.lines;
  assert.ok(lines.every((one) => one.type === 'change'), 'nothing was missed');
  const seen = new Set();
  const once = lines.filter((one) => !seen.has(one.id) && seen.add(one.id));
  assert.deepEqual(once.map((one) => one.data.changes[0].value.n), written);
  assert.ok(once.every((one) => one.id === `${id}:${one.data.id}`));
  t.diagnostic(`${written.length} changes, ${lines.length - once.length} of them came again`);
  const { status } = await fetch(`${server.url}/.changes?auth=owner&since=${once[0].data.id}`);
  assert.equal(written.length < 130 || status === 410, true, 'the log was cut');
});
