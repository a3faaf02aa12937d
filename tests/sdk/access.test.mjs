// Who may do what, by the SDK: the server denies, and what the SDK had assumed is taken back.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, onValue, ref, set, update } from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, Story, values } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

const closed = await Server.start(after, ['--namespace', 'vault']); // without --dev
const free = await Server.start(after);
after(closeApps);

const denied = { code: 'PERMISSION_DENIED', message: 'PERMISSION_DENIED: Permission denied' };

test('without --dev a stranger may neither write, listen nor get', async () => {
  const stranger = open(closed.port, 'vault');
  const heard = new Story();
  onValue(
    ref(stranger, 'x'),
    (snapshot) => heard.add(snapshot.val()),
    (error) => heard.add(error.code),
  );
  const write = set(ref(stranger, 'x'), 'mine'); // the SDK shows it at once, for it may well be allowed
  assert.deepEqual(heard.items, ['mine']);
  await assert.rejects(write, denied);
  await heard.until((items) => items.includes('PERMISSION_DENIED'), 'the end of the listener');
  await assert.rejects(update(ref(stranger), { a: 1, 'b/c': 2 }), denied);
  await assert.rejects(get(ref(stranger, 'x')), /Permission denied/);
  const admin = await rest(closed, 'vault', 'GET', '/.json', { query: `auth=${closed.secret}` });
  assert.equal(admin.text, 'null');
});

test('the holder of the admin secret may, by the SDK and by REST', async () => {
  const admin = open(closed.port, 'vault', { token: closed.secret });
  const heard = values(ref(admin, 'gold'));
  await heard.last(null);
  await set(ref(admin, 'gold'), 3);
  assert.deepEqual(heard.items, [null, 3]);
  for (const [headers, query, status] of [
    [{ Authorization: `Bearer ${closed.secret}` }, '', 200],
    [{}, `auth=${closed.secret}`, 200],
    [{}, `access_token=${closed.secret}`, 200],
    [{}, '', 401],
    [{}, 'auth=owner', 401],
    [{ Authorization: 'Bearer owner' }, '', 401],
    [{}, `auth=${closed.secret.slice(1)}`, 401],
  ]) {
    const answer = await rest(closed, 'vault', 'GET', '/gold.json', { headers, query });
    assert.equal(answer.status, status, JSON.stringify([headers, query]));
  }
});

test('without --dev a namespace that nobody made is refused, and leaves no trace', async () => {
  const secret = `auth=${closed.secret}`;
  const put = await rest(closed, 'nowhere', 'PUT', '/x.json', { body: '1', query: secret });
  assert.equal(put.status, 404);
  const listed = await rest(closed, 'vault', 'GET', '/.inspect/databases.json', { query: secret });
  assert.deepEqual(JSON.parse(listed.text), [{ name: 'vault' }]);
});

test('what the server refuses is taken back from listeners', async () => {
  const namespace = newNamespace();
  const app = open(free.port, namespace);
  await set(ref(app, 'x'), 'old');
  const heard = new Story();
  onValue(ref(app, 'x'), (snapshot) => heard.add(typeof snapshot.val() === 'string' ? snapshot.val() : 'large'));
  await heard.last('old');
  // Each string is allowed; both are more than one message may have. Only the server knows that.
  const large = { a: 'a'.repeat(9 << 20), b: 'b'.repeat(9 << 20) };
  await assert.rejects(set(ref(app, 'x'), large), (error) => error.code === 'TOO_BIG');
  assert.deepEqual(heard.items, ['old', 'large', 'old']);
  await set(ref(app, 'x'), 'new'); // the connection goes on
  await caughtUp(app, app);
  assert.deepEqual(heard.items, ['old', 'large', 'old', 'new']);
});

test('tokens: owner and unsigned ones in development, and words for what is none', async () => {
  const namespace = newNamespace();
  const socket = await Socket.open(free.port, namespace);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: 'none', type: 'JWT' })}.${part({ sub: 'ada', user_id: 'ada', iat: 0, exp: 3600 })}.`;
  const owner = await socket.request('gauth', { cred: 'owner' });
  assert.equal(owner.s, 'ok');
  const ada = await socket.request('auth', { cred: unsigned });
  assert.equal(ada.s, 'ok');
  assert.equal(ada.d.auth.uid, 'ada');
  assert.equal((await socket.request('auth', { cred: 'not.a.token' })).s, 'invalid_token');
  assert.deepEqual(await socket.request('unauth', {}), { s: 'ok', d: '' });
  await socket.close();

  const signedIn = open(free.port, namespace, { token: { sub: 'ada' } });
  await set(ref(signedIn, 'by'), 'ada');
  assert.equal((await get(ref(signedIn, 'by'))).val(), 'ada');
});

test('signing in and out: a listener that is no longer allowed is told so', async () => {
  const socket = await Socket.open(closed.port, 'vault');
  assert.equal((await socket.request('q', { p: '/gold', h: '' })).s, 'permission_denied');
  assert.equal((await socket.request('gauth', { cred: closed.secret })).s, 'ok');
  assert.equal((await socket.request('q', { p: '/gold', h: '' })).s, 'ok');
  assert.equal((await socket.request('unauth', {})).s, 'ok');
  assert.equal((await socket.request('p', { p: '/gold', d: 0 })).s, 'permission_denied');
  const revoked = await socket.heard.until((items) => items.some(({ d }) => d.a === 'c'), 'the revocation');
  assert.deepEqual(revoked.find(({ d }) => d.a === 'c').d.b, { p: 'gold' });
  await socket.close();
});

test('secrets and tokens are in no log', () => {
  assert.equal(closed.errors.includes(closed.secret), false);
});
