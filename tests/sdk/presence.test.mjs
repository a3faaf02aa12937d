// onDisconnect: what is written when a client goes, however it goes.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  get,
  goOffline,
  goOnline,
  increment,
  onDisconnect,
  onValue,
  ref,
  serverTimestamp,
  set,
  setWithPriority,
} from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Proxy } from './support/proxy.mjs';
import { Server, soon } from './support/server.mjs';

const server = await Server.start(after, ['--dev', '--disconnect-grace', '2']);
after(closeApps);

const present = fileURLToPath(new URL('support/presence.mjs', import.meta.url));

// The process, when its onDisconnect writes are queued.
async function presentProcess(namespace) {
  const child = fork(present, [`${server.port}`, namespace]);
  await soon(once(child, 'message'), 'the process to queue its writes');
  return child;
}

test('goOffline runs set, setWithPriority, update and remove, as one commit', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  await set(ref(ada), { a: 1, b: { x: 1, y: 1 }, c: 1, d: 1 });
  const heard = values(ref(bob));
  await heard.until((items) => items.length === 1, 'the first value');

  await onDisconnect(ref(ada, 'a')).set(increment(5));
  await onDisconnect(ref(ada, 'b')).update({ y: null, 'z/deep': 'new' });
  await onDisconnect(ref(ada, 'c')).remove();
  await onDisconnect(ref(ada, 'd')).setWithPriority('low', 1);
  await onDisconnect(ref(ada, 'at')).set(serverTimestamp());
  const begin = Date.now();
  goOffline(ada);
  await heard.until((items) => items.length > 1, 'what was queued');
  await caughtUp(bob, bob);
  // The mark is at the root too: it is the last value; what was queued came in one.
  assert.equal(heard.items.length, 3);
  const { at, ...rest } = heard.items[1];
  assert.deepEqual(rest, { a: 6, b: { x: 1, z: { deep: 'new' } }, d: 'low' });
  assert.ok(Math.abs(at - begin) < 10_000);
  assert.equal((await get(ref(bob, 'd'))).priority, 1);
});

test('what was queued is run once, and not after it was cancelled', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  await onDisconnect(ref(ada, 'kept')).set(increment(1));
  await onDisconnect(ref(ada, 'cancelled')).set('never');
  await onDisconnect(ref(ada, 'parts')).set({ a: 1, b: 2 });
  await onDisconnect(ref(ada, 'cancelled')).cancel();
  await onDisconnect(ref(ada, 'parts/b')).cancel();
  const heard = values(ref(bob, 'kept'));
  goOffline(ada);
  await heard.last(1);
  goOnline(ada);
  await caughtUp(ada, bob);
  goOffline(ada);
  await caughtUp(bob, bob);
  assert.deepEqual(heard.items.filter((value) => value !== null), [1]);
  const all = (await get(ref(bob))).val();
  assert.deepEqual([all.parts, all.cancelled], [{ a: 1 }, undefined]);
});

test('a process that is killed is heard of at once', async () => {
  const namespace = newNamespace();
  const watcher = open(server.port, namespace);
  const online = values(ref(watcher, 'ada/online'));
  const child = await presentProcess(namespace);
  await online.last(true);
  const begin = Date.now();
  child.kill('SIGKILL');
  await online.last(false);
  const seen = (await get(ref(watcher, 'ada/seen'))).val();
  assert.ok(Math.abs(seen - begin) < 10_000, `${seen}`);
  assert.equal((await get(ref(watcher, 'ends'))).val(), 1);
});

test('a server that was killed runs, at its start, what sessions had queued: once', async () => {
  const namespace = newNamespace();
  const child = await presentProcess(namespace);
  child.kill('SIGSTOP'); // or it would come back, and write that it is there
  await server.kill();
  await server.start();
  const watcher = open(server.port, namespace);
  await values(ref(watcher, 'ada/online')).last(false);
  child.kill('SIGKILL');
  await server.stop();
  await server.start();
  assert.equal((await get(ref(open(server.port, namespace), 'ends'))).val(), 1);
});

// net/wire/protocol.md §8.3: `ls` ends the old session before anything of the new one.
test('a client that lost its network comes back before the server noticed, and stays online', async (t) => {
  const namespace = newNamespace();
  const proxy = await Proxy.start(t, server.port);
  const ada = open(proxy.port, namespace);
  const bob = open(server.port, namespace);
  const online = values(ref(bob, 'ada'));
  let connected = 0;
  let answered;
  const first = new Promise((resolve) => (answered = resolve));
  onValue(ref(ada, '.info/connected'), async (snapshot) => {
    if (!snapshot.val()) return;
    const count = ++connected;
    await onDisconnect(ref(ada, 'ada')).set(`offline ${count}`);
    await set(ref(ada, 'ada'), `online ${count}`);
    answered(count); // unanswered, the SDK would send it again
  });
  await online.last('online 1');
  await first;
  proxy.abandon();
  await online.last('online 2');
  assert.deepEqual(online.items.filter((value) => value !== null), ['online 1', 'offline 1', 'online 2']);
  goOffline(ada);
  await online.last('offline 2');
});

test('priorities of onDisconnect writes are kept until then', async () => {
  const namespace = newNamespace();
  const ada = open(server.port, namespace);
  const bob = open(server.port, namespace);
  await setWithPriority(ref(ada, 'x'), 'here', 5);
  await onDisconnect(ref(ada, 'x')).setWithPriority('gone', 'last');
  assert.equal((await get(ref(bob, 'x'))).priority, 5);
  const heard = values(ref(bob, 'x'));
  goOffline(ada);
  await heard.last('gone');
  assert.equal((await get(ref(bob, 'x'))).priority, 'last');
});

test('what is too much is refused with a reason, and what was queued before stays', async () => {
  const small = await Server.start(after, ['--dev', '--max-disconnect-size', '100KB']);
  const namespace = newNamespace();
  const ada = open(small.port, namespace);
  const bob = open(small.port, namespace);
  const gone = values(ref(bob, 'gone'));
  await onDisconnect(ref(ada, 'gone')).set(true);
  await onDisconnect(ref(ada, 'large')).set('x'.repeat(60_000));
  await assert.rejects(onDisconnect(ref(ada, 'more')).set('x'.repeat(60_000)), (error) => error.code === 'TOO_BIG');
  await onDisconnect(ref(ada, 'large')).cancel();
  await onDisconnect(ref(ada, 'more')).set('there is room again');
  goOffline(ada);
  await gone.until((items) => items.length === 2, 'what was queued');
  assert.deepEqual((await get(ref(bob))).val(), { gone: true, more: 'there is room again' });
});
