// One tree by three doors: what REST writes the SDK hears, and the other way round; streams hear both.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, push, ref, runTransaction, set, setPriority, update } from '@firebase/database';
import { caughtUp, closeApps, events, newNamespace, open, values } from './support/apps.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';

const server = await Server.start(after);
after(closeApps);

test('every REST write is one value for the SDK', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const heard = values(ref(app, 'room'));
  await heard.last(null);
  const ask = async (method, path, body, options = {}) => {
    const { status, text } = await rest(server, namespace, method, path, { ...options, body });
    assert.equal(status, 200, text);
    return JSON.parse(text);
  };
  assert.deepEqual(await ask('PUT', '/room.json', '{"a":[1,2],"b":{"c":true}}'), { a: [1, 2], b: { c: true } });
  assert.deepEqual(await ask('PATCH', '/room.json', '{"b/d":"x","/a":null}'), { 'b/d': 'x', '/a': null });
  const { name } = await ask('POST', '/room/list.json', '{"hi":"😀"}');
  assert.match(name, /^-[-0-9A-Z_a-z]{19}$/);
  assert.equal(await ask('DELETE', '/room/b.json'), null);
  const { at } = await ask('PATCH', '/room.json', '{"at":{".sv":"timestamp"}}');
  assert.ok(Math.abs(at - Date.now()) < 10_000);
  assert.equal(await ask('POST', '/room/at.json', '7', { headers: { 'X-HTTP-Method-Override': 'PUT' } }), 7);
  await caughtUp(app, app);
  assert.deepEqual(heard.items, [
    null,
    { a: [1, 2], b: { c: true } },
    { b: { c: true, d: 'x' } },
    { b: { c: true, d: 'x' }, list: { [name]: { hi: '😀' } } },
    { list: { [name]: { hi: '😀' } } },
    { list: { [name]: { hi: '😀' } }, at },
    { list: { [name]: { hi: '😀' } }, at: 7 },
  ]);
});

test('what the SDK writes REST reads: compact, pretty, shallow, exported', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  await set(ref(app), { kids: [8952, 9224], by: 'dhouston', deep: { er: 1.5 }, gone: null });
  await setPriority(ref(app, 'deep'), 'p');
  const read = async (path, query) => (await rest(server, namespace, 'GET', path, { query })).text;
  assert.equal(await read('/.json'), '{"by":"dhouston","deep":{"er":1.5},"kids":[8952,9224]}');
  assert.equal(
    await read('/.json', 'print=pretty'),
    '{\n  "by" : "dhouston",\n  "deep" : {\n    "er" : 1.5\n  },\n  "kids" : [ 8952, 9224 ]\n}\n',
  );
  assert.deepEqual(JSON.parse(await read('/.json', 'shallow=true')), { by: true, deep: true, kids: true });
  assert.equal(await read('/deep.json', 'format=export'), '{".priority":"p","er":1.5}');
  assert.equal(await read('/kids/1.json'), '9224');
  assert.equal(await read('/nowhere.json'), 'null');
  assert.equal(await read('/deep/.priority.json'), '"p"');
});

test('ETags and transactions of the SDK guard the same value: 100 increments of both add up', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const byRest = async () => {
    for (let i = 0; i < 50; ++i) {
      let now = await rest(server, namespace, 'GET', '/n.json', { headers: { 'X-Firebase-ETag': 'true' } });
      do {
        const headers = { 'if-match': now.headers.etag };
        now = await rest(server, namespace, 'PUT', '/n.json', { headers, body: `${JSON.parse(now.text) + 1}` });
      } while (now.status === 412); // which brings the current value and its tag
      assert.equal(now.status, 200);
    }
  };
  const bySdk = async () => {
    for (let i = 0; i < 50; ++i) await runTransaction(ref(app, 'n'), (n) => (n ?? 0) + 1);
  };
  await Promise.all([byRest(), bySdk()]);
  assert.equal((await get(ref(app, 'n'))).val(), 100);
});

test('an ETag is the same for the same value, null_etag for none, 304 for what one has', async () => {
  const namespace = newNamespace();
  const tag = { 'X-Firebase-ETag': 'true' };
  const none = await rest(server, namespace, 'GET', '/x.json', { headers: tag });
  assert.equal(none.headers.etag, 'null_etag');
  const put = await rest(server, namespace, 'PUT', '/x.json', { headers: tag, body: '{"a":1}' });
  const got = await rest(server, namespace, 'GET', '/x.json', { headers: tag });
  assert.equal(put.headers.etag, got.headers.etag);
  const same = await rest(server, namespace, 'GET', '/x.json', { headers: { 'if-none-match': got.headers.etag } });
  assert.deepEqual([same.status, same.text], [304, '']);
  const stale = await rest(server, namespace, 'PUT', '/x.json', { headers: { 'if-match': 'null_etag' }, body: '2' });
  assert.deepEqual([stale.status, stale.text, stale.headers.etag], [412, '{"a":1}', got.headers.etag]);
});

test('a stream: the value first, then each change at its path, from both doors', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  await set(ref(app, 's'), { a: 1, b: 2 });
  const heard = await stream(server, namespace, '/s.json');
  assert.equal(heard.status, 200);
  assert.equal(heard.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(heard.headers['cache-control'], 'no-cache');
  await heard.events.until((items) => items.length === 1, 'the first event');
  await set(ref(app, 's/c'), { foo: 'é' });
  await update(ref(app, 's/c'), { foo: 3, baz: 4 });
  await rest(server, namespace, 'PATCH', '/s.json', { body: '{"a":null,"c/deep/er":5}' });
  await rest(server, namespace, 'PUT', '/elsewhere.json', { body: '1' });
  await set(ref(app, 's/b'), 2); // the same value: nothing to tell
  await rest(server, namespace, 'PUT', '/.json', { body: '{"s":{"only":[1,2]}}' });
  await rest(server, namespace, 'DELETE', '/.json');
  const events = await heard.events.until((items) => items.length === 6, 'six events');
  assert.deepEqual(events, [
    { event: 'put', data: { path: '/', data: { a: 1, b: 2 } } },
    { event: 'put', data: { path: '/c', data: { foo: 'é' } } },
    { event: 'patch', data: { path: '/c', data: { foo: 3, baz: 4 } } },
    { event: 'patch', data: { path: '/', data: { a: null, 'c/deep/er': 5 } } },
    { event: 'put', data: { path: '/', data: { only: [1, 2] } } },
    { event: 'put', data: { path: '/', data: null } },
  ]);
  heard.close();
});

test('a stream that asks for ids resumes with what it missed, and nothing twice', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  await set(ref(app, 's'), { a: 1, b: 2 });
  const first = await stream(server, namespace, '/s.json', { query: 'resume=true' });
  await first.events.until((items) => items.length === 1, 'the first event');
  await set(ref(app, 's/a'), 10);
  const seen = await first.events.until((items) => items.length === 2, 'a change');
  assert.ok(seen.every((event) => event.id), 'each event has an id');
  first.close();
  await soon(first.done, 'the stream to close');

  await set(ref(app, 's/b'), 20);
  await set(ref(app, 's/b'), 21); // the net change only
  await set(ref(app, 's/c'), 30);
  await set(ref(app, 'elsewhere'), 1);
  const headers = { 'Last-Event-ID': seen[1].id };
  const second = await stream(server, namespace, '/s.json', { headers });
  await set(ref(app, 's/end'), true);
  const events = await second.events.until((items) => items.at(-1)?.data.path === '/end', 'the end');
  const missed = events.slice(0, -1);
  assert.deepEqual(
    missed.map(({ event, data }) => ({ event, data })),
    [{ event: 'patch', data: { path: '/', data: { b: 21, c: 30 } } }],
  );
  second.close();

  // Where no header can be set the parameter says it; a header is newer, and wins.
  for (const options of [
    { query: `lastEventId=${seen[1].id}` },
    { query: 'lastEventId=made-up', headers },
  ]) {
    const third = await stream(server, namespace, '/s.json', options);
    const [missed] = await third.events.until((items) => items.length === 1, 'what was missed');
    assert.deepEqual([missed.event, missed.data], ['patch', { path: '/', data: { b: 21, c: 30, end: true } }]);
    assert.ok(missed.id);
    third.close();
  }

  const foreign = await stream(server, namespace, '/s.json', { headers: { 'Last-Event-ID': 'made-up' } });
  const [fresh] = await foreign.events.until((items) => items.length === 1, 'a fresh value');
  assert.deepEqual([fresh.event, fresh.data], ['put', { path: '/', data: { a: 10, b: 21, c: 30, end: true } }]);
  foreign.close();
});

test('integers above 2^53 are exact by REST, through reads, ETags, increments and streams', async () => {
  const namespace = newNamespace();
  const table = [
    ['9007199254740993', '9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775808', '9223372036854775808'], // one more is a double, and as exact as one
    ['2147483648.0', '2147483648'],
    ['-0.0', '0'],
  ];
  for (const [written, read] of table) {
    const put = await rest(server, namespace, 'PUT', '/n.json', { body: written });
    const got = await rest(server, namespace, 'GET', '/n.json');
    assert.equal(put.text, got.text, written);
    assert.equal(BigInt(Math.trunc(Number(got.text))), BigInt(Math.trunc(Number(read))), written);
    if (BigInt(read) === BigInt.asIntN(64, BigInt(read))) assert.equal(got.text, read);
  }
  await rest(server, namespace, 'PUT', '/n.json', { body: '9007199254740993' });
  const more = await rest(server, namespace, 'PUT', '/n.json', { body: '{".sv":{"increment":2}}' });
  assert.equal(more.text, '9007199254740995');
  const exported = await rest(server, namespace, 'GET', '/.json', { query: 'format=export' });
  assert.equal(exported.text, '{"n":9007199254740995}');
});

test('an ETag tells integers apart that are one double; an SDK, which cannot, still has its transactions', async () => {
  const namespace = newNamespace();
  const put = (body, headers) => rest(server, namespace, 'PUT', '/n.json', { body, headers });
  const old = await put('9007199254740992', { 'X-Firebase-ETag': 'true' });
  assert.equal((await put('9007199254740993')).status, 200);
  const current = await put('0', { 'if-match': old.headers.etag });
  assert.deepEqual([current.status, current.text], [412, '9007199254740993']);
  const read = await rest(server, namespace, 'GET', '/n.json', { headers: { 'If-None-Match': old.headers.etag } });
  assert.equal(read.status, 200);
  assert.equal(read.headers.etag, current.headers.etag);
  const app = open(server.port, namespace);
  const { committed, snapshot } = await runTransaction(ref(app, 'n'), (n) => (n === null ? n : n - 9007199254740000));
  assert.deepEqual([committed, snapshot.val()], [true, 992]);
});

test('a push of the SDK and a POST make keys of one order', async () => {
  const namespace = newNamespace();
  const app = open(server.port, namespace);
  const heard = events(ref(app, 'list'));
  await heard.last('value null');
  const first = (await push(ref(app, 'list'), 1)).key;
  await new Promise((resolve) => setTimeout(resolve, 5)); // the clock of push ids counts milliseconds
  const second = JSON.parse((await rest(server, namespace, 'POST', '/list.json', { body: '2' })).text).name;
  await caughtUp(app, app);
  const added = heard.items.filter((item) => item.startsWith('added'));
  assert.deepEqual(added, [`added ${first} 1 [null]`, `added ${second} 2 [${first}]`]);
});
