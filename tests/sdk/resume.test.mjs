// Whoever comes back hears what it missed, and only that: every transport, over restarts of the server and its death.
//
//   Firebase SDK          its hash              what changed, of a value of 4 kB or more
//   event stream          Last-Event-ID         what changed
//   GET ?wait=            its ETag              the value, once it is another
//   change feed           since=ID              each change, or that the log was cut
//   Yjs                   its state vector      the updates that it lacks
//   Supabase              nothing: no resume    what comes after the reply; an app reads then
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { goOffline, goOnline, onValue, ref } from '@firebase/database';
import * as Y from 'yjs';
import { Story, closeApps, open } from './support/apps.mjs';
import { CountingProxy } from './support/counting_proxy.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, patience, soon } from './support/server.mjs';
import { changes, closeClients, connect, subscribe } from './support/supabase.mjs';
import { closeYjs, synced, until, yWebsocket } from './support/yjs.mjs';

const isLong = Boolean(process.env.HEARTH_LONG);
const history = ['--dev', '--history', '24h,1GB'];
const seed = seedOfRun();
after(closeApps);
after(closeClients);
after(closeYjs);

const owner = { Authorization: 'Bearer owner' };
const space = 'resume';

async function put(server, path, value) {
  const { status, text } = await rest(server, space, 'PUT', `${path}.json`, { headers: owner, body: JSON.stringify(value), patience: 120_000 });
  assert.equal(status, 200, text);
}
const read = async (server, path) => JSON.parse((await rest(server, space, 'GET', `${path}.json`, { patience: 120_000 })).text);
async function figure(server, pattern) {
  const { text } = await rest(server, space, 'GET', '/.metrics', { headers: owner });
  return Number(pattern.exec(text)?.[1]);
}

const megabyte = (mark) => ({ mark, ...Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${1_000 + i}`, { text: `${i}`.repeat(400).slice(0, 1_000).padEnd(1_000, 'x'), n: i + 0.5 }])) });

const clients = isLong ? 1_000 : 50;
const perProcess = isLong ? 125 : 25;

test(`${clients} SDKs that come back to a megabyte with one leaf changed are sent under 2 % of it`, { timeout: isLong ? 1_800_000 : 240_000 }, async (t) => {
  const limit = isLong ? 600_000 : 100_000;
  const server = await Server.start(after, history);
  await put(server, '/big', megabyte('first'));
  const proxy = await CountingProxy.start(t.after.bind(t), server.port);
  const told = new Story();
  const herds = Array.from({ length: clients / perProcess }, () =>
    fork(new URL('./support/herd.mjs', import.meta.url), [proxy.port, space, 'big', perProcess], { execArgv: ['--max-old-space-size=6000'], env: { ...process.env, GRPC_VERBOSITY: 'NONE' } }),
  );
  t.after(() => herds.forEach((herd) => herd.kill('SIGKILL')));
  for (const herd of herds) herd.on('message', (message) => told.add(message));
  const allHave = async (mark) => {
    const of = (items) => items.filter((one) => one.mark === mark);
    const all = of(await told.until((items) => of(items).length === herds.length, `all apps to have ${mark}`, limit));
    const value = await read(server, '/big');
    // As the SDK orders keys.
    const sorted = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    const digest = createHash('sha1').update(JSON.stringify(sorted)).digest('hex');
    assert.deepEqual([...new Set(all.flatMap(({ digests }) => digests))], [digest], 'each has what the server has');
    return Math.max(...all.map(({ heard }) => heard));
  };
  await allHave('first');
  const naive = proxy.sent.server;
  assert.ok(naive > clients * 1_000_000, `${naive} bytes`);
  const back = async (mark, what) => {
    proxy.reset();
    proxy.open();
    const heard = await allHave(mark);
    const bytes = proxy.sent.server;
    const by = await figure(server, /^hearth_sent_bytes_total (\d+)/m);
    t.diagnostic(`${what}: ${bytes} bytes of ${naive}, ${((bytes / naive) * 100).toFixed(3)} %; the server says ${by}`);
    assert.ok(bytes < naive * 0.02, `${what}: ${bytes} bytes of ${naive}`);
    return heard;
  };

  // Killed with all of them there. One leaf is another before they are back.
  await server.kill();
  proxy.shut();
  await server.start();
  await put(server, '/big/mark', 'second');
  assert.equal(await back('second', 'after a kill'), 2);

  // They lose their connection first; then a commit comes, an ordinary stop, and another one.
  proxy.shut();
  await soon((async () => {
    for (let before = -1, now = 0; before !== now || now === 0; before = now) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      now = await figure(server, /^hearth_memory_bytes{of="resume"} (\d+)/m);
    }
  })(), 'the server to know what they had', limit);
  await put(server, '/big/k1007/n', 7);
  await server.stop();
  await server.start();
  await put(server, '/big/k1008/n', 8);
  await server.kill();
  await server.start();
  await put(server, '/big/mark', 'third');
  assert.equal(await back('third', 'after two restarts'), 3);
});

test('a document that comes back after a kill is sent what it lacks', async (t) => {
  const server = await Server.start(after);
  const proxy = await CountingProxy.start(t.after.bind(t), server.port);
  const writer = yWebsocket(server, space, 'd');
  const reader = yWebsocket(proxy, space, 'd');
  await Promise.all([synced(writer), synced(reader)]);
  for (let i = 0; i < 400; ++i) writer.doc.getArray('l').push([`${i}`.repeat(600).slice(0, 600)]);
  await until(() => reader.doc.getArray('l').length === 400, 'all to be told');
  const whole = Y.encodeStateAsUpdate(reader.doc).length;
  assert.ok(whole > 200_000, `${whole} bytes`);
  for (let round = 1; round <= 3; ++round) {
    proxy.shut();
    await server.kill();
    await server.start();
    await until(() => writer.provider.wsconnected && writer.provider.synced, 'the writer to be back');
    writer.doc.getArray('l').push([`once more ${round}`]);
    proxy.reset();
    proxy.open();
    await until(() => reader.doc.getArray('l').length === 400 + round, 'what was missed', patience);
    await until(() => reader.provider.synced, 'the reader to be in step');
    t.diagnostic(`${proxy.sent.server} bytes of ${whole} to it, ${proxy.sent.client} from it`);
    assert.ok(proxy.sent.server < 5_000, `${proxy.sent.server} bytes of ${whole} were sent`);
    assert.ok(proxy.sent.client < 5_000, `${proxy.sent.client} bytes of ${whole} were asked for`);
  }
  assert.deepEqual(reader.doc.getArray('l').toJSON(), writer.doc.getArray('l').toJSON());
});

// A GET that waits for another value, again and again, whoever dies: a Story of what it was answered.
function waiting(server, path, stop) {
  const story = new Story();
  story.unchanged = 0;
  const run = async () => {
    let tag = '"none"';
    while (!stop.aborted) {
      try {
        const reply = await fetch(`${server.url}${path}.json?ns=${space}&wait=20s`, { headers: { 'If-None-Match': tag, 'X-Firebase-ETag': 'true' }, signal: stop });
        const text = await reply.text();
        if (reply.status === 304) story.unchanged++;
        if (reply.status !== 200) continue;
        tag = reply.headers.get('etag');
        story.add(JSON.parse(text));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  story.done = run();
  return story;
}

test('a GET that waits under a throttle is answered with the last value', async (t) => {
  const server = await Server.start(after, history);
  const every = 300;
  const set = await rest(server, space, 'PUT', '/.settings/paths.json', { headers: owner, body: JSON.stringify({ board: { '.throttle': every } }) });
  assert.equal(set.status, 200, set.text);
  await put(server, '/board', { n: 0 });
  const stop = new AbortController();
  t.after(() => stop.abort());
  const begin = performance.now();
  const [at, above] = [waiting(server, '/board/n', stop.signal), waiting(server, '/', stop.signal)];
  await at.until((items) => items.at(-1) === 0, 'the first value');
  for (let n = 1; n <= 60; ++n) await put(server, '/board/n', n);
  await at.until((items) => items.at(-1) === 60, 'the last value');
  await above.until((items) => items.at(-1)?.board.n === 60, 'the last value above');
  const most = (performance.now() - begin) / every + 4;
  assert.ok(at.items.length <= most, `${at.items.length} answers, ${most} at most`);
  for (const story of [at, above]) {
    const seen = story.items.map((one) => one?.board?.n ?? one);
    assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b), 'none twice, and none back');
  }
  await server.kill();
  await server.start();
  await put(server, '/board/n', 61);
  await at.until((items) => items.at(-1) === 61, 'the value after a kill');
  stop.abort();
  await Promise.all([at.done, above.done]);
});

const kills = isLong ? 200 : 8;

test(`no gap and no repeat over ${kills} kills: SDK, event stream, GET that waits, rows, documents`, { timeout: isLong ? 3_600_000 : 240_000 }, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const server = await Server.start(after, history);
  const proxy = await CountingProxy.start(t.after.bind(t), server.port);
  // Large enough that it is not told again as a whole. Each write is a number above all before it.
  const pad = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`p${i}`, 'x'.repeat(1_000)]));
  await put(server, '/n', { pad, k0: 0 });
  let count = 0;
  const order = []; // [key, count]

  // The SDK: each child's numbers only grow, and none is heard twice.
  const app = open(proxy.port, space);
  const heard = new Map();
  const sdk = new Story();
  onValue(ref(app, 'n'), (snapshot) => {
    const { pad: ignored, ...now } = snapshot.val();
    const text = JSON.stringify(now);
    if (sdk.items.length > 0) assert.notEqual(text, JSON.stringify(sdk.items.at(-1)), 'the SDK heard a value twice');
    for (const [key, value] of Object.entries(now)) {
      assert.ok(value >= (heard.get(key) ?? -1), `${key} went back from ${heard.get(key)} to ${value}`);
      heard.set(key, value);
    }
    sdk.add(now);
  });
  await sdk.until((items) => items.length > 0, 'the first value');

  // The stream: what it was told, put together, is the value; after the first never all of it.
  const tree = {};
  const streamed = { id: undefined, wholes: 0, last: new Map(), streams: 0 };
  const stops = new AbortController();
  t.after(() => stops.abort()); // a test that fails would go on reading for ever
  const following = (async () => {
    while (!stops.signal.aborted) {
      let open;
      try {
        const headers = streamed.id ? { 'Last-Event-ID': streamed.id } : {};
        open = await stream(proxy, space, '/n.json', { query: 'eventIds=true', headers });
        if (open.status !== 200) throw new Error('not yet');
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      streamed.streams++;
      let seen = 0;
      const take = () => {
        for (; seen < open.events.items.length; ++seen) {
          const { event, data, id } = open.events.items[seen];
          if (event !== 'put' && event !== 'patch') continue;
          const base = data.path.split('/').filter(Boolean);
          const pieces = event === 'put' ? [[base, data.data]] : Object.entries(data.data ?? {}).map(([key, value]) => [[...base, ...key.split('/')], value]);
          for (const [path, value] of pieces) {
            if (path.length === 0) {
              if (value === null) continue;
              streamed.wholes++;
              Object.assign(tree, value);
              continue;
            }
            const before = streamed.last.get(path[0]) ?? -1;
            assert.ok(value > before, `the stream told ${path[0]}=${value} after ${before}`);
            streamed.last.set(path[0], value);
            tree[path[0]] = value;
          }
          streamed.id = id;
        }
      };
      const stop = () => open.close();
      stops.signal.addEventListener('abort', stop);
      while (!stops.signal.aborted) {
        const ended = await Promise.race([open.done.then(() => true), new Promise((resolve) => setTimeout(resolve, 10, false))]);
        take();
        if (ended) break;
      }
    }
  })();

  const waits = waiting(proxy, '/n/k0', stops.signal);

  // Rows: a channel that is joined again hears all that comes after its reply, in order, until it is cut.
  const client = connect(proxy, space);
  const channel = client.channel('rows');
  const rows = changes(channel, { table: 'rows' });
  const statuses = subscribe(channel);
  const isJoined = () => statuses.items.at(-1) === 'SUBSCRIBED';
  await until(isJoined, 'the channel to be joined');
  const rounds = []; // {from, upto, heard: index of the first change that is heard in it}

  const document = yWebsocket(proxy, space, 'doc');
  const own = yWebsocket(server, space, 'doc');
  await Promise.all([synced(document), synced(own)]);
  let edits = 0;

  for (let kill = 0; kill < kills; ++kill) {
    await until(isJoined, 'the channel to be joined again', 60_000);
    const round = { heard: rows.items.length, from: count + 1 };
    for (let more = 1 + random.below(15); more > 0; --more) {
      const key = `k${random.below(8)}`;
      await put(server, `/n/${key}`, ++count);
      order.push([key, count]);
      await put(server, `/rows/r${random.below(5)}`, { n: count });
      own.doc.getArray('l').push([++edits]);
    }
    round.upto = count;
    rounds.push(round);
    if (random.below(2) === 0) await until(() => rows.items.length === round.heard + round.upto - round.from + 1, 'the rows of this round');
    const who = random.below(4);
    const told = statuses.items.length;
    if (who === 0) {
      proxy.shut(); // the network of those who listen
    } else {
      await server.kill();
      if (who === 1) proxy.shut();
      await server.start();
    }
    // While some are away.
    for (let more = random.below(4); more > 0; --more) {
      const key = `k${random.below(8)}`;
      await put(server, `/n/${key}`, ++count);
      order.push([key, count]);
    }
    proxy.open();
    // Else the channel looks as if it were joined still, and the next round begins before the cut has been noticed.
    await statuses.until((all) => all.length > told, 'the channel to notice that it was cut', 60_000);
    // An SDK that is cut again and again waits longer each time, up to five minutes. This is what an app does when it wakes: it
    // begins anew at once, and listens with the hash that it has.
    goOffline(app);
    goOnline(app);
    if (who !== 0) await until(() => own.provider.wsconnected && own.provider.synced, 'the writer of the document', 60_000);
  }

  await put(server, '/n/k0', ++count);
  order.push(['k0', count]);
  const last = Object.fromEntries(new Map([['k0', 0], ...order]));
  const sorted = (value) => Object.entries(value).filter(([key]) => key !== 'pad').sort();
  await sdk.until((items) => JSON.stringify(sorted(items.at(-1))) === JSON.stringify(sorted(last)), 'the SDK to have the value', 60_000);
  await expectSoon(() => sorted(tree), sorted(last));
  assert.equal(streamed.wholes, 1, 'the stream was told the whole value once');
  await waits.until((items) => items.at(-1) === count, 'the last answer');
  assert.deepEqual(waits.items, [...new Set(waits.items)].sort((a, b) => a - b), 'a GET that waits is told nothing twice');
  await until(() => document.doc.getArray('l').length === edits, 'the document', 60_000);
  assert.deepEqual(document.doc.getArray('l').toJSON(), Array.from({ length: edits }, (_, i) => i + 1));
  rounds.forEach(({ heard: from, from: first, upto }, i) => {
    const told = rows.items.slice(from, rounds[i + 1]?.heard).map(({ now }) => now.n);
    // A channel that is killed may lose what was on its way: its end, and nothing before.
    assert.deepEqual(told, Array.from({ length: told.length }, (_, j) => first + j), `rows of round ${i}`);
    assert.ok(told.length <= upto - first + 1);
  });
  t.diagnostic(`${count} writes, ${streamed.streams} streams, ${sdk.items.length} values of the SDK, ${waits.items.length} answers, ${rows.items.length} of ${count} rows`);
  stops.abort();
  await Promise.all([following, waits.done]);
});

test(`a feed over ${kills} kills with a log that is being cut: each change once, or a word that some are gone`, { timeout: isLong ? 1_800_000 : 240_000 }, async (t) => {
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const server = await Server.start(after, ['--dev', '--history', '24h,20kB']);
  let count = 0;
  await put(server, '/n', 0);
  const state = { next: '0', last: -1, gone: 0, seen: 0, isPaused: false };
  const stops = new AbortController();
  t.after(() => stops.abort()); // a test that fails would go on reading for ever
  const fail = [];
  const following = (async () => {
    while (!stops.signal.aborted && fail.length === 0) {
      if (state.isPaused) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      try {
        const reply = await fetch(`${server.url}/.changes?ns=${space}&auth=owner&since=${state.next}&path=/n&wait=1s`, { signal: stops.signal });
        const text = await reply.text();
        if (reply.status === 410) {
          state.gone++;
          state.next = '0';
          state.isAfresh = true;
          continue;
        }
        if (reply.status !== 200) continue;
        for (const line of text.split('\n').filter(Boolean).map((one) => JSON.parse(one))) {
          if (line.next) {
            state.next = line.next;
            continue;
          }
          state.next = line.id;
          for (const { value } of line.changes) {
            // What is after a gap that was told may have been seen before; then it goes on without one.
            const isNext = value === state.last + 1 || (state.isAfresh && state.seen > 0) || state.seen === 0;
            if (!isNext) fail.push(`${value} after ${state.last}`);
            state.isAfresh = false;
            state.last = value;
            state.seen++;
          }
        }
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5)); // killed
      }
    }
  })();
  for (let kill = 0; kill < kills; ++kill) {
    state.isPaused = random.below(3) === 0;
    for (let more = random.below(state.isPaused ? 150 : 20); more > 0; --more) {
      await put(server, '/n', ++count);
      if (random.below(4) === 0) await put(server, '/elsewhere', 'x'.repeat(random.below(3_000)));
    }
    state.isPaused = false;
    if (random.below(3) > 0) {
      await server.kill();
      await server.start();
    } else {
      await new Promise((resolve) => setTimeout(resolve, 20)); // a chance for the feed, nothing depends on it
    }
  }
  await put(server, '/n', ++count);
  await until(() => state.last === count || fail.length > 0, 'the feed to have the last', 60_000);
  assert.deepEqual(fail, []);
  t.diagnostic(`${count} writes, ${state.seen} seen, ${state.gone} times told that some are gone`);
  stops.abort();
  await following;
});
