// A machine whose clock is wrong for a while, with signed-in users who go on writing by the published SDK.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { get, goOffline, ref, serverTimestamp, set } from '@firebase/database';
import { values } from './support/apps.mjs';
import { MachineClock } from './support/clock.mjs';
import { rest } from './support/rest.mjs';
import { program, Server, soon } from './support/server.mjs';
import { openSignedIn } from './support/tokens.mjs';

const folder = mkdtempSync(join(tmpdir(), 'hearth-wrong-clock-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const config = join(folder, 'auth.json');
writeFileSync(join(folder, 'token.secret'), 'a secret that is long enough for HS256\n');
writeFileSync(config, JSON.stringify({ issuers: [{ issuer: 'backend', secret_file: 'token.secret', skew: 0 }] }));
// A server timestamp is `now`, to the millisecond, whatever the clock does.
writeFileSync(
  join(folder, 'rules.json'),
  JSON.stringify({
    rules: { at: { $who: { '.read': 'auth != null && data.val() <= now', '.write': 'auth.uid == $who && newData.val() == now' } } },
  }),
);

const day = 24 * 3600;
const clock = new MachineClock(after);
const flags = ['--namespace', 'main', '--auth-config', config, '--rules', join(folder, 'rules.json')];
const server = await Server.start(after, flags, clock.environment);

const databases = [];
after(() => databases.forEach(goOffline));
// By the machine's clock, as it is then.
async function tokenOf(uid, expires = '1h') {
  const words = ['token', '--auth-config', config, '--issuer', 'backend', '--uid', uid, '--expires', expires];
  const { stdout } = await promisify(execFile)(program, words, { env: { ...process.env, ...clock.environment } });
  return stdout.trim();
}
function signIn(token) {
  const database = openSignedIn(server.port, 'main', { token: (forced) => (forced ? null : token) });
  databases.push(database);
  return database;
}

// The server timestamp of a write.
async function stamp(database, who) {
  const place = ref(database, `at/${who}`);
  await soon(set(place, serverTimestamp()), `the answer to a write of ${who}`);
  return (await soon(get(place), `what ${who} has written`)).val();
}
// Tells days apart, not seconds.
const isOf = (time, wanted) => assert.ok(Math.abs(time - wanted) < 3600_000, `${new Date(time)}, not ${new Date(wanted)}`);
const digits = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const timeOfKey = (key) => [...key.slice(0, 8)].reduce((time, digit) => time * 64 + digits.indexOf(digit), 0);
const count = (text) => server.errors.split(text).length - 1;
// A line of the log may come behind the answer to the write that caused it.
async function logged(text, times) {
  for (let tries = 0; count(text) < times && tries < 500; ++tries) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(count(text), times, server.errors);
}
const followed = 'the clock was ahead before, and is followed';
const standsStill = 'server timestamps stand still';

test('two days ahead and back: whoever is signed in goes on, and server timestamps are right again at once', async () => {
  const lasting = await tokenOf('ada', '7d');
  const brief = await tokenOf('bob');
  const ada = signIn(lasting);
  isOf(await stamp(ada, 'ada'), clock.now());
  const heard = values(ref(ada, 'at/ada'));

  clock.set(2 * day);
  isOf(await stamp(ada, 'ada'), clock.now());
  // By the clock alone: this token is of the day before yesterday.
  await assert.rejects(stamp(signIn(brief), 'bob'), /PERMISSION_DENIED/);

  clock.set(0);
  isOf(await stamp(ada, 'ada'), clock.now());
  const bob = signIn(await tokenOf('bob'));
  isOf(await stamp(bob, 'bob'), clock.now());
  for (let i = 0; i < 20; ++i) isOf(await stamp(i % 2 ? ada : bob, i % 2 ? 'ada' : 'bob'), clock.now());
  await heard.until((items) => items.length > 3 && Math.abs(items.at(-1) - clock.now()) < 3600_000, 'the time that is right');
  await logged(followed, 1);
});

test('a few seconds back: timestamps stand still, and are never before one that was given out', async () => {
  const ada = signIn(await tokenOf('ada'));
  const before = await stamp(ada, 'ada');
  clock.set(-9);
  for (let i = 0, last = before; i < 5; ++i) {
    const next = await stamp(ada, 'ada');
    assert.ok(next >= last, `${next} after ${last}`);
    last = next;
  }
  await logged(standsStill, 1);
  clock.set(0);
  isOf(await stamp(ada, 'ada'), clock.now());
});

test('ahead, and right again after a restart: the SDK comes back, and its writes are taken', async () => {
  const ada = signIn(await tokenOf('ada', '7d'));
  await stamp(ada, 'ada');
  clock.set(2 * day);
  isOf(await stamp(ada, 'ada'), clock.now());
  const steps = count(followed);
  await server.kill();
  clock.set(0);
  await server.start();
  isOf(await stamp(ada, 'ada'), clock.now());
  isOf(await stamp(signIn(await tokenOf('bob')), 'bob'), clock.now());
  await logged(followed, steps + 1);
  // Keys of pushes over REST are of the right time too.
  const headers = { Authorization: `Bearer ${server.secret}` };
  clock.set(2 * day);
  const ahead = JSON.parse((await rest(server, 'main', 'POST', '/list.json', { headers, body: '1' })).text).name;
  clock.set(0);
  const right = JSON.parse((await rest(server, 'main', 'POST', '/list.json', { headers, body: '1' })).text).name;
  isOf(timeOfKey(ahead), clock.now() + 2 * day * 1000);
  isOf(timeOfKey(right), clock.now());
});

test('a dump from a time when the clock was ahead is restored into the right one', async () => {
  const ada = signIn(await tokenOf('ada', '7d'));
  clock.set(2 * day);
  isOf(await stamp(ada, 'ada'), clock.now());
  const environment = { ...process.env, ...clock.environment };
  const file = join(folder, 'ahead.dump');
  const hearth = (...words) => promisify(execFile)(program, words, { env: environment });
  await hearth('dump', '--url', server.url, '--token', server.secret, '--out', file);
  clock.set(0);
  await hearth('restore', '--url', server.url, '--token', server.secret, '--replace', file);
  isOf(await stamp(ada, 'ada'), clock.now());
});
