// Clients that are stopped in the middle of a life: no goodbye, and no end of their connection.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ref, set } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Browser } from './support/browser.mjs';
import { Server, soon } from './support/server.mjs';
import { Socket } from './support/socket.mjs';

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

// Each waits for a minute, so they wait together.
describe('silence', { concurrency: true }, () => {
  // net/wire/protocol.md §8.2, and our own promise of a minute.
  test('a frozen client is missed within a minute, over a WebSocket, in a busy room and by long polling', async () => {
    const namespace = newNamespace();
    const watcher = open(server.port, namespace);
    const ends = values(ref(watcher, 'ends'));
    const pages = values(ref(watcher, 'pages'));
    const guests = values(ref(watcher, 'guests'));

    const children = await Promise.all(
      ['presence', 'guest'].map(async (name) => {
        const child = fork(fileURLToPath(new URL(`support/${name}.mjs`, import.meta.url)), [`${server.port}`, namespace]);
        after(() => child.kill('SIGKILL'));
        await soon(once(child, 'message'), `the process of ${name} to queue its writes`);
        return child;
      }),
    );
    const news = setInterval(() => set(ref(watcher, 'news'), Math.random()), 100);
    after(() => clearInterval(news));
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
    children.forEach((child) => child.kill('SIGSTOP'));
    pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
    try {
      await Promise.all([
        ends.until((items) => items.includes(1), 'the process to be missed', 60_000),
        guests.until((items) => items.includes(1), 'the process in the busy room to be missed', 60_000),
        pages.until((items) => items.includes(1), 'the page to be missed', 60_000),
      ]);
    } finally {
      pids.forEach((pid) => process.kill(pid, 'SIGCONT')); // or it could not be closed
    }
    assert.deepEqual([ends.items, guests.items, pages.items], [[null, 1], [null, 1], [null, 1]]);
  });

  // firebase-admin-java 9.10 ends its connection at a ping. SDKs say "0" when nothing went either way for 45 s; none in a busy room.
  test('nobody is pinged who says "0" in time, and firebase-admin-java never, in a quiet room or a busy one', async () => {
    const namespace = newNamespace();
    const java = 'Firebase/5/9.10.0/17.0.15/AdminJava';
    const sockets = await Promise.all(
      [{}, { agent: java }, { agent: java }].map((options) => Socket.open(server.port, namespace, options)),
    );
    const [quiet, quietJava, busyJava] = sockets;
    after(() => Promise.all(sockets.map((socket) => socket.close())));
    assert.equal((await busyJava.request('q', { p: 'news', h: '' })).s, 'ok');
    const writer = open(server.port, namespace);
    const news = setInterval(() => set(ref(writer, 'news'), Math.random()), 100);
    const own = setInterval(() => [quiet, quietJava].forEach((socket) => socket.sendFrame('0')), 45_000);
    const end = new Promise((resolve) => setTimeout(resolve, 62_000, 'a minute is over'));
    const first = await Promise.race([end, ...sockets.map((socket) => socket.closed.then(() => 'one is closed'))]);
    clearInterval(news);
    clearInterval(own);
    assert.equal(first, 'a minute is over');
    assert.deepEqual(sockets.map(({ pings }) => pings), [0, 0, 0]);
    assert.deepEqual(await Promise.all(sockets.map((socket) => socket.isAlive())), [true, true, true]);
  });
});
