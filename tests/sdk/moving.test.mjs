// tools/manual/moving.md, with an export as the console writes it and tokens as the old project signs them.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { get, goOffline, limitToLast, orderByChild, push, query, ref, set } from '@firebase/database';
import { values } from './support/apps.mjs';
import { program, soon } from './support/server.mjs';
import { Key, now, openSignedIn } from './support/tokens.mjs';

const folder = mkdtempSync(join(tmpdir(), 'hearth-moving-'));
const databases = [];
let server;
after(async () => {
  databases.forEach(goOffline);
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
});
const hearth = (...words) => execFileSync(program, words, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

// Google's keys, as far as this machine has them.
const key = new Key('google-1');
const keys = createServer((request, response) => response.end(JSON.stringify({ keys: [key.jwk] })));
await new Promise((resolve) => keys.listen(0, '127.0.0.1', resolve));
after(() => keys.close());

const exported = {
  messages: {
    '-N1': { author: 'ada', sent: 1, text: 'first 😀' },
    '-N2': { '.priority': 7, author: 'bob', sent: 2, text: 'second' },
  },
  profiles: { ada: { name: 'Ada' }, bob: { name: 'Bob' } },
};
const rules = `{
  // as in the console
  "rules": {
    "messages": { ".read": "auth != null", ".indexOn": ["sent"],
      "$id": { ".write": "auth != null && newData.child('author').val() === auth.uid" } },
    "profiles": { "$uid": { ".read": true, ".write": "auth.uid === $uid" } }
  }
}`;

test('an export, the rules and the users of a Firebase project, and an app with another URL', async () => {
  writeFileSync(join(folder, 'export.json'), JSON.stringify(exported));
  writeFileSync(join(folder, 'database.rules.json'), rules);
  hearth('rules', 'check', 'database.rules.json');
  hearth('restore', '--data', 'hearth-data', '--ns', 'my-app', 'export.json');
  // The one thing that the chapter does not say: where these keys are.
  const jwks_url = `http://127.0.0.1:${keys.address().port}/keys`;
  writeFileSync(join(folder, 'auth.json'), JSON.stringify({ issuers: [{ shape: 'firebase', project: 'my-app', jwks_url }] }));
  const words = ['serve', '--namespace', 'my-app', '--rules', 'database.rules.json', '--auth-config', 'auth.json', '--port', '0'];
  server = spawn(program, words, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await soon(once(server.stdout.setEncoding('utf8'), 'data'), 'the server');
  const port = Number(/:(\d+)\n/.exec(line)[1]);

  const tokenOf = (uid) =>
    key.token({
      iss: 'https://securetoken.google.com/my-app',
      aud: 'my-app',
      sub: uid,
      user_id: uid,
      auth_time: now() - 60,
      iat: now() - 60,
      exp: now() + 3600,
      firebase: { sign_in_provider: 'password', identities: {} },
    });
  const signIn = (uid) => {
    const user = { token: () => tokenOf(uid) };
    const database = openSignedIn(port, 'my-app', user);
    databases.push(database);
    return database;
  };
  const [ada, bob] = [signIn('ada'), signIn('bob')];
  const last = values(query(ref(ada, 'messages'), orderByChild('sent'), limitToLast(1)));
  await last.last({ '-N2': { author: 'bob', sent: 2, text: 'second' } });
  assert.equal((await get(ref(ada, 'messages/-N2'))).priority, 7);
  const added = await push(ref(bob, 'messages'), { author: 'bob', sent: 3, text: 'third' });
  await last.last({ [added.key]: { author: 'bob', sent: 3, text: 'third' } });
  await assert.rejects(set(ref(bob, 'profiles/ada/name'), 'Eve'), /PERMISSION_DENIED/);
  await set(ref(ada, 'profiles/ada/name'), 'Ada L.');

  // And back.
  hearth('export', '--ns', 'my-app', '--out', 'back.json', '--url', `http://127.0.0.1:${port}`);
  const back = JSON.parse(readFileSync(join(folder, 'back.json'), 'utf8'));
  const expected = structuredClone(exported);
  expected.messages[added.key] = { author: 'bob', sent: 3, text: 'third' };
  expected.profiles.ada.name = 'Ada L.';
  assert.deepEqual(back, expected);
});

test('an app whose URL is the old one finds the server of `hearth exec`', async () => {
  const app = `
    import { initializeApp } from '@firebase/app';
    import { get, getDatabase, goOffline, ref, set } from '@firebase/database';
    const database = getDatabase(initializeApp({ databaseURL: 'https://my-app-default-rtdb.firebaseio.com' }));
    await set(ref(database, 'a'), 1);
    const [host, port] = process.env.FIREBASE_DATABASE_EMULATOR_HOST.split(':');
    const told = [host, (await get(ref(database, 'a'))).val()];
    for (const at of ['localhost', '127.0.0.1']) {
      told.push(await (await fetch('http://' + at + ':' + port + '/a.json?ns=my-app-default-rtdb')).json());
    }
    goOffline(database);
    console.log(JSON.stringify(told));`;
  const words = ['exec', '--', process.execPath, '--input-type=module', '-e', app];
  const told = execFileSync(program, words, { cwd: new URL('.', import.meta.url), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.deepEqual(JSON.parse(told), ['localhost', 1, 1, 1]);
});
