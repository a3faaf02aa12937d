// The admin API beside real clients: who is there, what they leave, what is asked and denied, and that nobody else sees it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { get, onDisconnect, ref, remove, set } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { expectSoon } from './support/expect_soon.mjs';
import { LongPoll } from './support/long_poll.mjs';
import { rest } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';
import { closeClients, connect, joined } from './support/supabase.mjs';
import { closeYjs, synced, yWebsocket } from './support/yjs.mjs';

after(closeClients);
after(closeYjs);
after(closeApps);
const server = await Server.start(after, ['--dev']);

const rules = {
  rules: { users: { $uid: { '.read': 'auth.uid == $uid', '.write': 'auth.uid == $uid' } }, open: { '.read': true, '.write': true } },
};
const newSpace = async () => {
  const space = newNamespace();
  const headers = { Authorization: 'Bearer owner' };
  const body = JSON.stringify(rules);
  assert.equal((await rest(server, space, 'PUT', '/.settings/rules.json', { headers, body })).status, 200);
  return space;
};
const inspect = async (what, space, query = '') => {
  const answer = await rest(server, space, 'GET', `/.inspect/${what}.json`, { query, patience: 60_000 });
  assert.equal(answer.status, 200, `${what}: ${answer.text}`);
  return JSON.parse(answer.text);
};
const recorded = async () => {
  const metrics = (await rest(server, 'x', 'GET', '/.metrics')).text;
  return Number(/^hearth_activity_total (\d+)/m.exec(metrics)[1]);
};
const refused = (promise) => assert.rejects(soon(promise, 'a refusal'), /permission.denied/i);

test('nothing is recorded while nobody looks', async () => {
  const space = await newSpace();
  const database = open(server.port, space, { token: { sub: 'ada' } });
  await set(ref(database, 'users/ada'), 1);
  await refused(set(ref(database, 'users/eve'), 1));
  await rest(server, space, 'GET', '/open.json');
  assert.equal(await recorded(), 0);
});

test('a denial is listed with the rule that said no, and what was allowed beside it; another namespace sees none of it', async () => {
  const space = await newSpace();
  const other = await newSpace();
  const database = open(server.port, space, { token: { sub: 'ada' } });
  await get(ref(database, 'open')); // connected
  const { next } = await inspect('activity', space);
  await set(ref(database, 'users/ada'), { secret: 'a value that nobody tells' });
  await refused(set(ref(database, 'users/eve/name'), 'x'));
  await refused(get(ref(database, 'users/eve')));
  const token = 'not.a.token';
  await rest(server, space, 'GET', '/open.json', { headers: { Authorization: `Bearer ${token}` } });
  await rest(server, space, 'PUT', '/users/eve.json', { body: '1' });

  const { entries } = await inspect('activity', space, `since=${next}`);
  const brief = entries.map((one) => [one.kind, one.path, one.verdict, one.user, one.protocol]);
  assert.deepEqual(brief.slice(0, 2), [
    ['write', '/users/ada', 'ok', 'ada', 'firebase'],
    ['write', '/users/eve/name', 'denied', 'ada', 'firebase'],
  ]);
  const denial = entries[1];
  assert.deepEqual([denial.rule.kind, denial.rule.at, denial.rule.source], ['.write', '/users/$uid', 'auth.uid == $uid']);
  assert.match(denial.reason, /no \.write rule from the root to \/users\/eve\/name grants it/);
  assert.ok(denial.connection > 0);
  assert.ok(denial.ms >= 0);
  assert.ok(Math.abs(denial.time - Date.now()) < 600_000);
  const read = entries.find((one) => one.path === '/users/eve' && one.rule?.kind === '.read');
  assert.ok(read, JSON.stringify(brief));
  assert.ok(brief.some(([kind, path, verdict, user, protocol]) => `${kind} ${path} ${verdict} ${user} ${protocol}` === 'write /users/eve denied null rest'), JSON.stringify(brief));
  assert.ok(!JSON.stringify(entries).includes('nobody tells'));
  assert.ok(!JSON.stringify(entries).includes(token));
  const some = (await inspect('activity', space, `since=${next}&verdict=denied&path=/users/eve/name`)).entries;
  assert.deepEqual(some.map((one) => one.n), [denial.n]);
  assert.deepEqual((await inspect('activity', other)).entries, []);
});

test('whoever waits hears of a denial as it comes, by all kinds of clients', async () => {
  const space = await newSpace();
  const { next } = await inspect('activity', space);
  const waiting = inspect('activity', space, `since=${next}&verdict=denied&wait=25s`);
  const eve = connect(server, space);
  await eve.from('users').insert({ id: 'ada', n: 1 });
  const heard = await soon(waiting, 'the denial', 60_000);
  assert.ok(heard.entries.length > 0);
  assert.equal(heard.entries[0].protocol, 'supabase');
  assert.equal(heard.entries[0].kind, 'rows');
  const none = await inspect('activity', space, `since=${heard.next}&path=/nowhere&wait=1s`);
  assert.deepEqual(none.entries, []);
});

test('a connection says who has it; a session what it listens to, and what is written when it goes', async () => {
  const space = await newSpace();
  const database = open(server.port, space, { token: { sub: 'ada' } });
  await values(ref(database, 'open')).last(null);
  await values(ref(database, 'users/ada')).last(null);
  await onDisconnect(ref(database, 'users/ada/state')).set('offline');
  await onDisconnect(ref(database, 'users/ada/here')).remove();
  const [mine] = (await inspect('connections', space)).connections;
  const { number, protocol, user, admin, kind, ns, sessions, listeners, queued } = mine;
  assert.deepEqual(
    { protocol, user, admin, kind, ns, sessions, listeners, queued },
    { protocol: 'firebase', user: 'ada', admin: false, kind: 'WebSocket', ns: space, sessions: 1, listeners: 2, queued: 2 },
  );
  assert.ok(Math.abs(mine.since - Date.now()) < 600_000);
  const { total, sessions: list } = await inspect('sessions', space, `connection=${number}`);
  assert.equal(total, 1);
  assert.deepEqual(
    list[0].queued.map((one) => [one.path, one.value, one.bytes]),
    [
      ['/users/ada/here', 'null', 4],
      ['/users/ada/state', '"offline"', 9],
    ],
  );
  assert.deepEqual(list[0].listeners.map((one) => one.path).sort(), ['/open', '/users/ada']);
  assert.ok(!('id' in list[0]), 'the id of a session is a capability');
  const paths = await inspect('listeners', space);
  assert.equal(paths.total, 2);
  assert.deepEqual(paths.paths.map((one) => [one.path, one.listeners, one.queries]), [
    ['/open', 1, 0],
    ['/users/ada', 1, 0],
  ]);
  // A client that polls has no connection of its own.
  const poll = await LongPoll.open(server.port, space);
  await expectSoon(async () => (await inspect('sessions', space)).sessions.map((one) => one.connection === null).sort(), [false, true]);
  await poll.close?.();
  // Another namespace's list has none of them; that of all has.
  assert.deepEqual((await inspect('connections', await newSpace())).connections, []);
  const everywhere = await fetch(`${server.url}/.inspect/connections.json`).then((answer) => answer.json());
  assert.ok(everywhere.connections.some((one) => one.number === number && one.user === 'ada'));
  await remove(ref(database, 'users/ada'));
});

test('channels say who is there and what they say of themselves; documents what they hold', async () => {
  const space = await newSpace();
  const headers = { Authorization: 'Bearer owner' };
  await rest(server, space, 'PUT', '/.settings/rules.json', { headers, body: JSON.stringify({ rules: { '.read': true, '.write': true } }) });
  const channel = connect(server, space).channel('tea', { config: { presence: { key: 'ada' } } });
  channel.on('presence', { event: 'sync' }, () => {});
  await joined(channel);
  await channel.track({ mood: 'good' });
  await expectSoon(
    async () => (await inspect('topics', space)).topics.map(({ name, family, members, entries }) => ({ name, family, members, entries })),
    [{ name: 'realtime:tea', family: 'channel', members: 1, entries: 1 }],
  );
  const topic = await inspect('topics', space, 'topic=realtime:tea');
  assert.equal(topic.people[0].protocol, 'supabase');
  assert.equal(topic.entries[0].key, 'ada');
  assert.match(topic.entries[0].value, /"mood":"good"/);
  assert.equal((await rest(server, space, 'GET', '/.inspect/topics.json', { query: 'topic=none' })).status, 404);

  const note = yWebsocket(server, space, 'notes/one');
  await synced(note);
  note.doc.getMap('m').set('title', 'Häuser 🎉');
  const content = async () => {
    const answer = await rest(server, space, 'GET', '/.inspect/document.json', { query: 'path=/notes/one' });
    return answer.status === 200 ? JSON.parse(answer.text).json : answer.status;
  };
  await expectSoon(content, { m: { title: 'Häuser 🎉' } });
  const { documents, next } = await inspect('documents', space);
  assert.deepEqual([documents.map((one) => one.path), next], [['/notes/one'], null]);
  assert.ok(documents[0].bytes > 0);
  const [seen] = (await inspect('connections', space)).connections.filter((one) => one.protocol === 'yjs');
  assert.equal(seen.topics, 1);
  assert.equal((await rest(server, space, 'GET', '/.inspect/document.json', { query: 'path=/nothing' })).status, 404);
});

test('figures are there from the start on, in columns of one length', async () => {
  await expectSoon(async () => (await inspect('figures', 'x')).columns.time.length > 0, true);
  const { every, columns } = await inspect('figures', 'x');
  assert.equal(every, 5_000);
  for (const [name, column] of Object.entries(columns)) assert.equal(column.length, columns.time.length, name);
  assert.ok(columns.memory[0] > 1_000_000);
});

test('the console opens on a namespace', async () => {
  const page = await rest(server, 'x', 'GET', '/ns/shop/.console');
  assert.equal(page.status, 200);
  assert.equal(page.text, (await rest(server, 'x', 'GET', '/.console')).text);
  assert.equal(page.headers['x-frame-options'], 'DENY');
  const about = JSON.parse((await rest(server, 'x', 'GET', '/ns/shop/.console/about.json')).text);
  assert.deepEqual([about.namespace, about.dev], ['shop', true]);
  assert.equal((await rest(server, 'x', 'GET', '/ns/a.b/.console/about.json')).status, 404);
  assert.equal((await rest(server, 'x', 'GET', '/ns/shop/.console/other.js')).status, 404);
  const foreign = await rest(server, 'x', 'GET', '/ns/shop/.console', { headers: { Host: 'evil.example' } });
  assert.equal(foreign.status, 403);
});

test('who is no admin sees none of it, and not whether a namespace is there', async () => {
  const own = await Server.start(after, ['--namespace', 'shop']);
  const table = JSON.parse((await rest(server, 'x', 'GET', '/.inspect/api.json')).text);
  assert.ok(table.length > 30);
  const admin = { Authorization: `Bearer ${own.secret}` };
  const addresses = table.filter((row) => row.path.startsWith('/.inspect/') && row.method === 'GET').map((row) => row.path);
  for (const path of addresses) {
    for (const space of ['shop', 'none']) {
      for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'Bearer owner' }]) {
        const answer = await rest(own, space, 'GET', path, { headers });
        assert.ok([401, 404].includes(answer.status), `${path} ${answer.status}`);
        // Those of REST resolve the name first, as all data does.
        if (/connections|sessions|listeners|activity|topics|document|figures|api/.test(path)) assert.equal(answer.status, 401, path);
      }
    }
  }
  assert.equal((await rest(own, 'shop', 'GET', '/.inspect/sessions.json', { headers: admin })).status, 200);
  assert.equal((await rest(own, 'none', 'GET', '/.inspect/sessions.json', { headers: admin })).status, 404);
  assert.equal((await rest(own, 'shop', 'POST', '/.inspect/sessions.json', { headers: admin, body: '' })).status, 405);
  for (const query of ['kind=reed', 'wait=1h', 'since=x']) {
    assert.equal((await rest(own, 'shop', 'GET', '/.inspect/activity.json', { headers: admin, query })).status, 400, query);
  }
  // With --dev a page of another site, and a name that is not known to be this machine's, have no right either.
  for (const headers of [{ Host: 'evil.example' }, { Origin: 'https://evil.example' }, { Host: 'evil.example', Authorization: 'Bearer owner' }]) {
    const answer = await rest(server, 'x', 'GET', '/.inspect/activity.json', { headers });
    assert.equal(answer.status, 401, JSON.stringify(headers));
  }
  assert.equal((await rest(own, 'shop', 'GET', '/.metrics', { headers: admin })).text.match(/^hearth_activity_total (\d+)/m)[1], '0');
});
