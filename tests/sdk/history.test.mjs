// The change feed over HTTP, and event streams that come back: nothing is missed and nothing is told twice, whoever dies.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, goOffline, goOnline, onValue, ref, set } from '@firebase/database';
import { closeApps, open, Story } from './support/apps.mjs';
import { Proxy } from './support/proxy.mjs';
import { Random, seedOfRun } from './support/random.mjs';
import { Server, soon } from './support/server.mjs';

const history = ['--dev', '--history', '24h,1GB'];
after(closeApps);
const isLong = Boolean(process.env.HEARTH_LONG);

async function put(server, path, value) {
  const reply = await fetch(`${server.url}${path}.json?auth=owner`, { method: 'PUT', body: JSON.stringify(value) });
  assert.equal(reply.status, 200, await reply.text());
}

async function lines(server, query) {
  const reply = await fetch(`${server.url}/.changes?auth=owner&${query}`);
  const text = await reply.text();
  if (reply.status !== 200) return { status: reply.status, error: JSON.parse(text).error };
  const all = text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const { next } = all.pop();
  assert.ok(next, 'the last line says where to go on');
  return { changes: all, next };
}

// The events of a stream, one after the other, until `stop` is called or the stream ends.
async function* events(url, headers, stop) {
  const reply = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: stop });
  assert.equal(reply.status, 200);
  let text = '';
  for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = Object.fromEntries(text.slice(0, end).split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      text = text.slice(end + 2);
      yield event;
    }
  }
}

test('the feed tells each commit once, by path, and waits when asked to', async () => {
  const server = await Server.start(after, history);
  await put(server, '/orders/1', { item: 'tea', count: 2 });
  await put(server, '/users/ada', { name: 'Ada' });
  await fetch(`${server.url}/orders/1.json`, { method: 'PATCH', body: '{"count": 3, "note/text": "soon"}' });
  const all = await lines(server, 'since=0');
  assert.deepEqual(all.changes.map((one) => one.changes), [
    [{ path: '/orders/1', value: { count: 2, item: 'tea' } }],
    [{ path: '/users/ada', value: { name: 'Ada' } }],
    [{ path: '/orders/1/count', value: 3 }, { path: '/orders/1/note/text', value: 'soon' }],
  ]);
  assert.equal(all.changes[2].id, all.next);
  assert.ok(Math.abs(all.changes[0].time - Date.now()) < 60_000);
  assert.equal((await lines(server, 'since=0&path=/users')).changes.length, 1);
  assert.deepEqual((await lines(server, 'since=0&path=/orders/1/note')).changes.map((one) => one.changes), [
    [{ path: '/orders/1/note', value: null }],
    [{ path: '/orders/1/note/text', value: 'soon' }],
  ]);
  const waiting = lines(server, `since=${all.next}&wait=60s`);
  await put(server, '/users/bob', true);
  assert.deepEqual((await soon(waiting, 'the change')).changes.map((one) => one.changes), [[{ path: '/users/bob', value: true }]]);
  const inVain = await lines(server, `since=${(await lines(server, 'since=0')).next}&wait=100ms`);
  assert.deepEqual(inVain.changes, []);
  // A path that is left alone: whoever waits there is not told of others.
  const elsewhere = lines(server, `since=${inVain.next}&path=/none&wait=300ms`);
  await put(server, '/users/cy', true);
  assert.deepEqual((await elsewhere).changes, []);
});

test('who wrote is told, where it is known', async () => {
  const server = await Server.start(after, history);
  const token = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"ada","user_id":"ada","iat":1,"exp":9999999999}')}.`.replaceAll('=', '');
  await fetch(`${server.url}/a.json?auth=${token}`, { method: 'PUT', body: '1' });
  await put(server, '/b', 2);
  const { changes } = await lines(server, 'since=0');
  assert.deepEqual(changes.map((one) => one.by), ['ada', undefined]);
});

test('the feed is for admins, an id of nobody is gone, and without history it says what to do', async () => {
  const server = await Server.start(after, history);
  await put(server, '/a', 1);
  assert.equal((await fetch(`${server.url}/.changes?since=0`)).status, 401);
  const gone = await lines(server, 'since=0123456789abcdef:1');
  assert.equal(gone.status, 410);
  assert.match(gone.error, /not known any more/);
  const bare = await Server.start(after);
  await put(bare, '/a', 1);
  const off = await lines(bare, 'since=0');
  assert.equal(off.status, 400);
  assert.match(off.error, /--history 24h,1GB/);
  await fetch(`${bare.url}/.settings/history.json?auth=owner`, { method: 'PUT', body: '{"age": "1h", "size": "10MB"}' });
  await put(bare, '/a', 2);
  assert.deepEqual((await lines(bare, 'since=0')).changes.map((one) => one.changes), [[{ path: '/a', value: 2 }]]);
});

test('the feed tells what stood there before where versions are kept, and begins now when it is asked to', async () => {
  const server = await Server.start(after, ['--dev', '--history', '24h,1GB,versions']);
  await put(server, '/a', { n: 1, t: 'tea' });
  const { next, changes: none } = await lines(server, 'since=now');
  assert.deepEqual(none, []);
  for (let tries = 0; (await lines(server, `since=${next}&before=true`)).status === 503; tries++) {
    assert.ok(tries < 500, 'the past is known');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await put(server, '/a/n', 2);
  await fetch(`${server.url}/.json?auth=owner`, { method: 'PATCH', body: '{"a/t": null, "b": 1}' });
  await put(server, '/', null);
  const { changes } = await lines(server, `since=${next}&before=true`);
  assert.deepEqual(changes.map((one) => one.changes), [
    [{ path: '/a/n', value: 2, before: 1 }],
    [{ path: '/a/t', value: null, before: 'tea' }, { path: '/b', value: 1, before: null }],
    [{ path: '/', value: null, before: { a: { n: 2 }, b: 1 } }],
  ]);
  assert.equal(changes[2].id, (await lines(server, 'since=now')).next);
  assert.equal((await lines(server, `since=${next}&before=perhaps`)).status, 400);
  const bare = await Server.start(after, history);
  await put(bare, '/a', 1);
  const refused = await lines(bare, 'since=0&before=true');
  assert.equal(refused.status, 400);
  assert.match(refused.error, /24h,1GB,versions/);
});

test('what was there can be read, listed and put back, by admins, and where a setting opens it', async () => {
  const server = await Server.start(after, ['--dev', '--history', '24h,1GB,versions']);
  const get = async (query, auth = '&auth=owner') => {
    const reply = await fetch(`${server.url}/${query}${auth}`);
    return { status: reply.status, body: await reply.json() };
  };
  await put(server, '/rooms/tea', { topic: 'tea', seats: 4 });
  await put(server, '/rooms/tea/seats', 6);
  await put(server, '/rooms', null);
  const { changes } = await lines(server, 'since=0');
  assert.deepEqual((await get(`rooms.json?at=${changes[0].id}`)).body, { tea: { topic: 'tea', seats: 4 } });
  assert.deepEqual((await get(`rooms/tea/seats.json?at=${changes[1].id}`)).body, 6);
  assert.deepEqual((await get(`rooms.json?at=${changes[1].id}&shallow=true`)).body, { tea: true });
  assert.equal((await get(`rooms.json?at=${changes[2].id}`)).body, null);
  assert.deepEqual((await get(`rooms.json?at=${new Date(changes[2].time - 1).toISOString()}`)).body.tea.topic, 'tea');
  const history = (await get('rooms/tea/seats.json?history=true')).body;
  assert.deepEqual(history.values.map((one) => one.value), [4, 6, null]);
  assert.deepEqual(history.values.map((one) => one.id), changes.map((one) => one.id));
  assert.equal(history.complete, true);
  assert.deepEqual((await get('rooms/tea/seats.json?history=true&values=1')).body, {
    before: 6,
    complete: false,
    values: [{ id: changes[2].id, time: history.values[2].time, value: null }],
  });

  // The removal is taken back; then it stays, for it is not the last word any more.
  const undo = (id, auth = 'owner') =>
    fetch(`${server.url}/.changes/undo.json?auth=${auth}`, { method: 'POST', body: JSON.stringify({ id }) });
  assert.equal((await undo(changes[2].id)).status, 200);
  assert.deepEqual((await get('rooms.json?')).body, { tea: { topic: 'tea', seats: 6 } });
  assert.equal((await undo(changes[2].id)).status, 412);
  assert.equal((await undo('0123456789abcdef:1')).status, 404);
  assert.equal((await undo('yesterday')).status, 400);

  // The present may be read by all here. The past may not, until a setting says so.
  for (const query of [`rooms.json?at=${changes[0].id}`, 'rooms.json?history=true']) assert.equal((await get(query, '')).status, 401, query);
  const token = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"ada","user_id":"ada","iat":1,"exp":9999999999}')}.`.replaceAll('=', '');
  assert.equal((await undo(changes[0].id, token)).status, 401);
  const opened = { age: '24h', size: '1GB', versions: true, open: ['/rooms/tea'] };
  await fetch(`${server.url}/.settings/history.json?auth=owner`, { method: 'PUT', body: JSON.stringify(opened) });
  assert.deepEqual((await get(`rooms/tea/seats.json?at=${changes[0].id}`, '')).body, 4);
  assert.equal((await get('rooms/tea.json?history=true', '')).status, 200);
  assert.equal((await get(`rooms.json?at=${changes[0].id}`, '')).status, 401);
  await fetch(`${server.url}/.settings/rules.json?auth=owner`, { method: 'PUT', body: '{"rules": {".read": false}}' });
  assert.equal((await get(`rooms/tea/seats.json?at=${changes[0].id}`, '')).status, 401);
  assert.equal((await get('rooms/tea.json?history=true', '')).status, 401);
});

test('an SDK that comes back to a large value is sent what changed', async (t) => {
  const server = await Server.start(after, history);
  const proxy = await Proxy.start(t, server.port);
  const writer = open(server.port, 'default');
  const large = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, { text: 'x'.repeat(1_000), n: i + 0.5 }]));
  await set(ref(writer, 'big'), large);
  const reader = open(proxy.port, 'default');
  const heard = new Story();
  onValue(ref(reader, 'big'), (snapshot) => heard.add(snapshot.val()));
  await heard.until((items) => items.length > 0, 'the first value');
  const sent = (connection) => proxy.of(connection).filter((one) => one.from === 'server').reduce((sum, one) => sum + JSON.stringify(one.message).length, 0);
  const whole = sent(1);
  assert.ok(whole > 1_000_000, `${whole} bytes`);
  const resume = async () => Number(/^hearth_memory_bytes{of="resume"} (\d+)/m.exec(await (await fetch(`${server.url}/.metrics`, { headers: { Authorization: 'Bearer owner' } })).text())[1]);
  goOffline(reader);
  for (let tries = 0; (await resume()) === 0; tries++) {
    assert.ok(tries < 500, 'the server knows what it had');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await set(ref(writer, 'big/k7/text'), 'changed');
  await set(ref(writer, 'big/k8'), null);
  await set(ref(writer, 'big/new'), { n: 1 });
  goOnline(reader);
  await heard.until((items) => items.at(-1).new && !items.at(-1).k8 && items.at(-1).k7.text === 'changed', 'what changed');
  assert.deepEqual(heard.items.at(-1), (await get(ref(writer, 'big'))).val());
  const again = proxy.of(2).length > 0 ? sent(2) : sent(1) - whole;
  assert.ok(again < whole * 0.02, `${again} bytes of ${whole}`);
});

test('a stream of changes and streams of values go on over kills of the server and of themselves', async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`TEST_SEED=${seed}`);
  const random = new Random(seed);
  const server = await Server.start(after, history);
  const kills = isLong ? 200 : 12;
  const written = new Map(); // by the sequence that the feed gives it
  let count = 0;
  await put(server, '/n/0', 0);

  const feed = { next: '0', seen: [] };
  const values = { id: undefined, tree: undefined, whole: 0 };
  const follow = async (stop) => {
    try {
      for await (const event of events(`${server.url}/.changes?auth=owner&since=${feed.next}&path=/n`, {}, stop)) {
        if (event.event !== 'change') continue;
        const change = JSON.parse(event.data);
        assert.equal(event.id, change.id);
        feed.next = event.id;
        feed.seen.push(...change.changes);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  };
  const listen = async (stop) => {
    try {
      const headers = values.id ? { 'last-event-id': values.id } : {};
      for await (const event of events(`${server.url}/n.json?auth=owner&eventIds=true`, headers, stop)) {
        if (event.event !== 'put' && event.event !== 'patch') continue;
        const { path, data } = JSON.parse(event.data);
        if (event.event === 'put' && path === '/') values.whole++, (values.tree = data);
        else if (event.event === 'put') values.tree[path.slice(1)] = data;
        else for (const [key, value] of Object.entries(data)) values.tree[key] = value;
        values.id = event.id;
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  };
  const until = async (holds, what) => {
    for (let tries = 0; !holds(); tries++) {
      assert.ok(tries < 1_000, what);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  let stops = new AbortController();
  let following = [follow(stops.signal), listen(stops.signal)];
  const again = () => {
    stops.abort();
    stops = new AbortController();
    following = [...following, follow(stops.signal), listen(stops.signal)];
  };
  for (let kill = 0; kill < kills; kill++) {
    for (let more = 1 + random.below(20); more > 0; more--) {
      const key = `k${random.below(8)}`;
      await put(server, `/n/${key}`, ++count);
      written.set(count, key);
      if (random.below(3) === 0) await put(server, '/elsewhere', count);
    }
    const who = random.below(3);
    if (who > 0) {
      await server.kill();
      await server.start();
      again();
    } else {
      again();
    }
  }
  const last = [...written.keys()].at(-1);
  await until(() => feed.seen.at(-1)?.value === last, 'the feed has the last write');
  // Each change once, in order.
  assert.deepEqual(feed.seen.map((one) => one.value), [0, ...written.keys()]);
  assert.deepEqual(feed.seen.slice(1).map((one) => one.path), [...written.values()].map((key) => `/n/${key}`));
  const now = await (await fetch(`${server.url}/n.json`)).json();
  await until(() => JSON.stringify(Object.entries(values.tree ?? {}).sort()) === JSON.stringify(Object.entries(now).sort()), 'the listener has the value');
  // The first one was told the whole value, and nobody after that: the log knew where each was.
  assert.equal(values.whole, 1);
  stops.abort();
  await Promise.all(following);
});
