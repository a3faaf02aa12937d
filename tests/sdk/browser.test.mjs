// The scenarios of the other files in real Chromium, with the published browser bundle, over each way that a browser has.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, ref, set } from '@firebase/database';
import { caughtUp, closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Browser } from './support/browser.mjs';
import { rest } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';

// The pages' tests that ask for a server of their own, with a limit, are given this one.
const server = await Server.start(after, ['--dev', '--max-disconnect-size', '100KB']);
after(closeApps);
const browser = await Browser.start(after);

const ways = [
  { way: 'WebSocket', options: {}, poll: false },
  { way: 'long polling', options: {}, poll: true },
  { way: 'long polling, and then the upgrade', options: { storage: false }, poll: false },
];

// And how many of its tests a page can run.
const files = {
  'values.test.mjs': 10,
  'children.test.mjs': 4,
  'transactions.test.mjs': 3,
  'presence.test.mjs': 3,
  'connection.test.mjs': 2,
  'queries.test.mjs': 9,
};

for (const { way, options, poll } of ways) {
  for (const [file, count] of Object.entries(files)) {
    // Not by polling alone: one has more apps at once than a browser has connections for, each takes up to two of six; the other
    // goes offline so soon that the SDK's own goodbye (a frame of ours, net/wire/protocol.md §10.2) may not be loaded
    // yet, and then a client is missed only for want of polls.
    if (poll && ['queries.test.mjs', 'presence.test.mjs'].includes(file)) continue;
    test(`${file} over ${way}`, async () => {
      const seen = await browser.open(options);
      const results = await browser.run(seen, file, server.port, { poll });
      assert.deepEqual(results.filter(({ error }) => error), []);
      assert.ok(results.filter(({ skipped }) => !skipped).length >= count, JSON.stringify(results));
      const starts = seen.polls.filter((url) => /[?&]start=t/.test(url));
      const first = seen.sockets.filter((url) => !/[?&]s=/.test(url));
      const second = seen.sockets.filter((url) => /[?&]s=/.test(url));
      // After a WebSocket that was closed before it was known to be healthy, the SDK begins by long polling.
      if (way === 'WebSocket') assert.ok(first.length > 0);
      else assert.ok(starts.length > 0 && first.length === 0);
      if (way !== 'WebSocket') assert.equal(poll ? seen.sockets.length > 0 : second.length > 0, !poll);
      await seen.tab.browserContext().close();
    });
  }
}

const inPage = (seen, namespace, body, argument, options) =>
  browser.inPage(seen, server.port, namespace, body, argument, options);

for (const how of ['is closed', 'goes elsewhere']) {
  for (const { way, options, poll } of ways) {
    test(`a page that ${how} is heard of at once, and once, over ${way}`, async () => {
      const namespace = newNamespace();
      const watcher = open(server.port, namespace);
      const ends = values(ref(watcher, 'ends'));
      const seen = await browser.open(options);
      const queue = async (fb, database) => {
        await fb.onDisconnect(fb.ref(database, 'ends')).set(fb.increment(1));
        await fb.set(fb.ref(database, 'online'), true);
      };
      await inPage(seen, namespace, queue, null, { poll });
      await values(ref(watcher, 'online')).last(true);
      await (how === 'is closed' ? seen.tab.close() : seen.tab.goto('about:blank'));
      await soon(ends.last(1), 'the page to be missed', 5_000);
      await caughtUp(watcher, watcher);
      assert.deepEqual(ends.items, [null, 1]);
    });
  }
}

test('long polling: a value of 300 kB goes, one of 2 MB comes, with any text in it', async () => {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  const seen = await browser.open();
  const text = 'é "</script>" \u2028 😀 '.repeat(12_000);
  // Not by the SDK: over a WebSocket it may cut such a character in two (net/wire/protocol.md §2.2).
  await rest(server, namespace, 'PUT', '/down.json', { body: JSON.stringify(text.repeat(8)) });
  const put = (fb, database, value) => fb.set(fb.ref(database, 'up'), value);
  await inPage(seen, namespace, put, text, { poll: true });
  assert.equal((await get(ref(writer, 'up'))).val(), text);
  const read = async (fb, database) => (await fb.get(fb.ref(database, 'down'))).val();
  assert.equal(await inPage(seen, namespace, read, null, { poll: true }), text.repeat(8));
  assert.equal(seen.sockets.length, 0);
});

// net/wire/protocol.md §10.4: its requests come on many connections and threads.
test('nothing is lost or repeated while pages change over to WebSockets', async (t) => {
  const namespace = newNamespace();
  const writer = open(server.port, namespace);
  let written = 0;
  let going = true;
  const writing = (async () => {
    for (; going; ++written) await set(ref(writer, `down/n`), written);
  })();
  for (let round = 0; round < 6; ++round) {
    const seen = await browser.open({ storage: false });
    const run = async (fb, database, name) => {
      const heard = [];
      fb.onValue(fb.ref(database, 'down/n'), (snapshot) => heard.push(snapshot.val()));
      const writes = [];
      for (let i = 0; i < 150; ++i) {
        writes.push(fb.set(fb.ref(database, `up/${name}/${i}`), i));
        writes.push(fb.set(fb.ref(database, `counts/${name}`), fb.increment(1)));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await Promise.all(writes);
      while (heard.length < 25) await new Promise((resolve) => setTimeout(resolve, 5));
      return heard;
    };
    const heard = await inPage(seen, namespace, run, `page-${round}`);
    assert.ok(seen.sockets.some((url) => /[?&]s=/.test(url)), 'it changed over');
    assert.ok(heard.length > 20, `${heard.length}`);
    // A connection hears one story: each value once, in order.
    const from = heard.find((value) => value !== null);
    const numbers = heard.filter((value) => value !== null);
    assert.deepEqual(numbers, numbers.map((_, i) => from + i));
    assert.equal((await get(ref(writer, `counts/page-${round}`))).val(), 150);
    const up = (await get(ref(writer, `up/page-${round}`))).val();
    assert.deepEqual(up, Array.from({ length: 150 }, (_, i) => i));
    await seen.tab.browserContext().close();
  }
  going = false;
  await writing;
  t.diagnostic(`${written} writes meanwhile`);
});
