// Signed tokens by the published SDK: who signs in, is refreshed, expires, and is signed out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { get, goOffline, onValue, ref, set } from '@firebase/database';
import { Story, values } from './support/apps.mjs';
import { rest, stream } from './support/rest.mjs';
import { program, Server } from './support/server.mjs';
import { Socket } from './support/socket.mjs';
import { Key, now, openSignedIn, signedBy } from './support/tokens.mjs';

const secret = 'a secret that is long enough for HS256';
const folder = mkdtempSync(join(tmpdir(), 'hearth-identity-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// An identity provider that publishes keys, and can be told to take its time.
const provider = {
  keys: [new Key('one')],
  asked: 0,
  waiting: [],
  holds: false,
  release() {
    this.holds = false;
    for (const answer of this.waiting.splice(0)) answer();
  },
};
const keyServer = createServer((request, response) => {
  ++provider.asked;
  const answer = () => response.end(JSON.stringify({ keys: provider.keys.map(({ jwk }) => jwk) }));
  if (provider.holds) provider.waiting.push(answer);
  else answer();
});
await new Promise((resolve) => keyServer.listen(0, '127.0.0.1', resolve));
after(() => keyServer.close());

writeFileSync(join(folder, 'token.secret'), `${secret}\n`);
writeFileSync(
  join(folder, 'auth.json'),
  JSON.stringify({
    issuers: [
      { issuer: 'backend', secret_file: 'token.secret', skew: 0 },
      {
        shape: 'firebase',
        project: 'chat',
        jwks_url: `http://127.0.0.1:${keyServer.address().port}/keys`,
      },
      {
        shape: 'supabase',
        url: 'https://abc.supabase.co',
        secret_file: 'token.secret',
        namespaces: ['vault'],
      },
    ],
  }),
);
writeFileSync(
  join(folder, 'rules.json'),
  JSON.stringify({
    rules: {
      users: { $uid: { '.read': 'auth.uid == $uid', '.write': 'auth.uid == $uid' } },
      editors: { '.read': 'auth.token.editor == true', '.write': 'auth.token.editor == true' },
      by: { $provider: { '.read': true, '.write': 'auth.provider == $provider' } },
    },
  }),
);
const flags = ['--namespace', 'vault', '--auth-config', join(folder, 'auth.json'), '--rules', join(folder, 'rules.json')];
const server = await Server.start(after, flags);

const databases = [];
after(() => databases.forEach(goOffline));
function signIn(user, at = server) {
  const database = openSignedIn(at.port, 'vault', user);
  databases.push(database);
  return database;
}
const hearth = (...words) => promisify(execFile)(program, words);
const firebase = (uid, more = {}) => ({
  iss: 'https://securetoken.google.com/chat',
  aud: 'chat',
  sub: uid,
  user_id: uid,
  iat: now(),
  exp: now() + 3600,
  firebase: { sign_in_provider: 'password' },
  ...more,
});

test('users of several providers sign in, and rules see who they are', async () => {
  const key = provider.keys[0];
  const tokens = {
    ada: [key.token(firebase('ada', { editor: true })), 'password', true],
    bob: [key.token(firebase('bob')), 'password', false],
    carl: [
      signedBy(secret, {
        iss: 'https://abc.supabase.co/auth/v1',
        aud: 'authenticated',
        sub: 'carl',
        role: 'authenticated',
        exp: now() + 3600,
        app_metadata: { provider: 'email' },
      }),
      'email',
      false,
    ],
    dora: [signedBy(secret, { iss: 'backend', uid: 'dora', iat: now(), exp: now() + 3600, claims: { editor: true } }), 'custom', true],
  };
  for (const [uid, [token, by, isEditor]] of Object.entries(tokens)) {
    const database = signIn({ token: () => token });
    await set(ref(database, `users/${uid}`), 'mine');
    await assert.rejects(get(ref(database, 'users/somebody')), /Permission denied/, uid);
    await set(ref(database, `by/${by}`), uid);
    const write = set(ref(database, 'editors/x'), uid);
    if (isEditor) await write;
    else await assert.rejects(write, /PERMISSION_DENIED/, uid);
    assert.equal((await rest(server, 'vault', 'GET', `/users/${uid}.json`, { query: `auth=${token}` })).text, '"mine"');
  }
  assert.equal(provider.asked, 1);
});

test('what the SDK sends behind a token waits until its key is there', async () => {
  const key = new Key('two', 'ec');
  provider.keys.push(key);
  provider.holds = true;
  const fresh = await Server.start(after, flags);
  const database = signIn({ token: () => key.token(firebase('eve')) }, fresh);
  const heard = values(ref(database, 'users/eve'));
  let isWritten = false;
  const write = set(ref(database, 'users/eve'), 1).then(() => (isWritten = true));
  // Those whose key is known are not held up.
  const known = signIn({ token: () => signedBy(secret, { iss: 'backend', sub: 'ada', exp: now() + 3600 }) }, fresh);
  await set(ref(known, 'users/ada'), 2);
  assert.equal(isWritten, false);
  provider.release();
  await write;
  await heard.last(1);
});

test('a token expires during the connection: the SDK takes a new one, and goes on', async () => {
  const mint = (seconds) => signedBy(secret, { iss: 'backend', sub: 'frank', iat: now(), exp: now() + seconds });
  const asked = [];
  const user = {
    current: mint(2),
    token(forced) {
      asked.push(forced);
      if (forced) this.current = mint(3600);
      return this.current;
    },
  };
  const database = signIn(user);
  const heard = values(ref(database, 'users/frank'));
  const connected = values(ref(database, '.info/connected'));
  await set(ref(database, 'users/frank'), 'before');
  await heard.last('before');
  await connected.until((items) => items.filter((item) => item === true).length === 2, 'a second connection');
  assert.ok(asked.includes(true));
  const other = signIn({ token: () => mint(3600) });
  await set(ref(other, 'users/frank'), 'after');
  await heard.last('after');
  await set(ref(database, 'users/frank'), 'by the new token');
});

test('one without a new token is signed out, and hears no more', async () => {
  const token = signedBy(secret, { iss: 'backend', sub: 'gina', iat: now(), exp: now() + 4 });
  const database = signIn({ token: (forced) => (forced ? null : token) });
  const heard = new Story();
  onValue(
    ref(database, 'users/gina'),
    (snapshot) => heard.add(snapshot.val()),
    (error) => heard.add(error.code),
  );
  await heard.last(null);
  await heard.last('PERMISSION_DENIED');
  await assert.rejects(set(ref(database, 'users/gina'), 1), /PERMISSION_DENIED/);
});

test('a user that hearth kick signs out: SDK, socket and stream end, a new token is good, the old one is not', async () => {
  const old = signedBy(secret, { iss: 'backend', sub: 'hans', iat: now() - 10, exp: now() + 3600 });
  const forced = new Story();
  const user = {
    current: old,
    token(isForced) {
      if (isForced) forced.add(true);
      return this.current;
    },
  };
  const database = signIn(user);
  const heard = new Story();
  onValue(
    ref(database, 'users/hans'),
    (snapshot) => heard.add(snapshot.val()),
    (error) => heard.add(error.code),
  );
  await heard.last(null);
  const socket = await Socket.open(server.port, 'vault');
  assert.equal((await socket.request('auth', { cred: old })).s, 'ok');
  const events = await stream(server, 'vault', '/users/hans.json', { query: `auth=${old}` });
  await events.events.until((items) => items.length === 1, 'the first event');

  user.current = null; // its provider has barred the user as well
  const kicked = await hearth('kick', '--uid', 'hans', '--ns', 'vault', '--url', server.url, '--token', server.secret);
  assert.equal(kicked.stdout, 'hans was signed out, on 3 connections\n');
  await heard.last('PERMISSION_DENIED');
  assert.equal(forced.items.length > 0, true);
  const last = await socket.heard.until((items) => items.some(({ d }) => d.a === 'ac'), 'the push `ac`');
  assert.deepEqual(last.at(-1).d.b, {
    s: 'invalid_token',
    d: 'Auth token was revoked: an administrator has signed its user out.',
  });
  await socket.closed;
  await events.events.until((items) => items.at(-1).event === 'auth_revoked', 'auth_revoked');

  const again = await Socket.open(server.port, 'vault');
  assert.deepEqual(await again.request('auth', { cred: old }), {
    s: 'invalid_token',
    d: 'Auth token was revoked: its user has been signed out since.',
  });
  // One that is issued a second from now, by an issuer whose clock may be ahead.
  const later = signedBy(secret, {
    iss: 'https://abc.supabase.co/auth/v1',
    aud: 'authenticated',
    sub: 'hans',
    iat: now() + 1,
    exp: now() + 3600,
  });
  assert.equal((await again.request('auth', { cred: later })).s, 'ok');
  await again.close();
});

test('a token that is kept after the kick makes the SDK try again slowly, not in a loop', async (context) => {
  const old = signedBy(secret, { iss: 'backend', sub: 'ines', iat: now() - 10, exp: now() + 3600 });
  const warned = new Story();
  context.mock.method(console, 'warn', (...words) => warned.add(words.join(' ')));
  let asked = 0;
  const database = signIn({
    token() {
      ++asked;
      return old;
    },
  });
  const heard = values(ref(database, 'users/ines'));
  await heard.last(null);
  await hearth('kick', '--uid', 'ines', '--ns', 'vault', '--url', server.url, '--token', server.secret);
  // After the third refusal the SDK says so and waits half a minute (PersistentConnection.ts, onAuthRevoked_).
  await warned.until((items) => items.some((text) => text.includes('are invalid')), "the SDK's warning");
  assert.ok(asked <= 8, `asked for ${asked} tokens`);
});

test('App Check messages are answered, whatever they say', async () => {
  const socket = await Socket.open(server.port, 'vault');
  assert.deepEqual(await socket.request('appcheck', { token: 'x.y.z' }), { s: 'ok', d: '' });
  assert.deepEqual(await socket.request('unappcheck', {}), { s: 'ok', d: '' });
  await socket.close();
});

test('tokens and secrets are in no log', () => {
  assert.doesNotMatch(server.errors, /eyJ/);
  assert.equal(server.errors.includes(secret), false);
});
