// Clients that are stopped in the middle of a life: no goodbye, and no end of their connection.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ref } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Browser } from './support/browser.mjs';
import { Server, soon } from './support/server.mjs';

const server = await Server.start(after);
after(closeApps);

// A process and all that it started, by /proc.
function family(pid) {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [[Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) \S /s, '').split(' ')[0])]];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  const below = (parent) => [parent, ...parents.filter(([, of]) => of === parent).flatMap(([child]) => below(child))];
  return below(pid);
}

// wire-protocol §8.2, and our own promise of a minute.
test('a frozen client is missed within a minute, over a WebSocket and by long polling', async () => {
  const namespace = newNamespace();
  const watcher = open(server.port, namespace);
  const ends = values(ref(watcher, 'ends'));
  const pages = values(ref(watcher, 'pages'));

  const child = fork(fileURLToPath(new URL('support/presence.mjs', import.meta.url)), [`${server.port}`, namespace]);
  after(() => child.kill('SIGKILL'));
  await soon(once(child, 'message'), 'the process to queue its writes');
  const browser = await Browser.start(after);
  const seen = await browser.open();
  await seen.tab.evaluate(
    async (port, name) => {
      const fb = await import('@firebase/database');
      const { initializeApp } = await import('@firebase/app');
      fb.forceLongPolling();
      const database = fb.getDatabase(initializeApp({ databaseURL: `http://127.0.0.1:${port}?ns=${name}` }));
      await fb.onDisconnect(fb.ref(database, 'pages')).set(fb.increment(1));
    },
    server.port,
    namespace,
  );
  const pids = family(browser.process.pid);
  child.kill('SIGSTOP');
  pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  try {
    await Promise.all([
      ends.until((items) => items.includes(1), 'the process to be missed', 60_000),
      pages.until((items) => items.includes(1), 'the page to be missed', 60_000),
    ]);
  } finally {
    pids.forEach((pid) => process.kill(pid, 'SIGCONT')); // or it could not be closed
  }
  assert.deepEqual([ends.items, pages.items], [[null, 1], [null, 1]]);
});
