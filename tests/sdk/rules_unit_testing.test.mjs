// The published @firebase/rules-unit-testing against `hearth serve --dev`, as an app's own tests use it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { assertFails, assertSucceeds, initializeTestEnvironment } from '@firebase/rules-unit-testing';
import { Server } from './support/server.mjs';

const server = await Server.start(after);

const rules = `{
  // Everybody reads a profile, its owner writes it.
  "rules": {
    "users": { "$uid": { ".read": true, ".write": "auth.uid == $uid", ".validate": "newData.hasChild('name')" } },
    "admins": { ".read": "auth.token.admin == true", ".write": false }
  }
}`;

const environment = await initializeTestEnvironment({
  projectId: 'demo-app',
  database: { host: '127.0.0.1', port: server.port, rules },
});
after(() => environment.cleanup());

test('users, claims, strangers, and writes with the rules off', async () => {
  const ada = environment.authenticatedContext('ada').database();
  const boss = environment.authenticatedContext('boss', { admin: true }).database();
  const stranger = environment.unauthenticatedContext().database();
  await assertSucceeds(ada.ref('users/ada').set({ name: 'Ada' }));
  await assertFails(ada.ref('users/ada').set({ born: 1815 }));
  await assertFails(ada.ref('users/bob').set({ name: 'Ada again' }));
  await assertSucceeds(stranger.ref('users/ada').get());
  await assertFails(stranger.ref('users/ada/name').set('x'));
  await environment.withSecurityRulesDisabled(async (context) => {
    await context.database().ref('admins/boss').set(true);
  });
  await assertFails(ada.ref('admins').get());
  const seen = await assertSucceeds(boss.ref('admins').get());
  assert.deepEqual(seen.val(), { boss: true });
  await environment.clearDatabase();
  assert.equal((await stranger.ref('users/ada').get()).val(), null);
});

test('rules that do not compile are refused with where and what', async () => {
  await assert.rejects(
    initializeTestEnvironment({
      projectId: 'demo-bad',
      database: { host: '127.0.0.1', port: server.port, rules: '{"rules":{".read":"data.nope()"}}' },
    }),
    /1:\d+: No such method\/property 'nope'/,
  );
});
