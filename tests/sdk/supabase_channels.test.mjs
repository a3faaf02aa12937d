// Who may hear and say what, by Supabase's published client: keys, tokens, private channels, rows, and rights that change.
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { Story } from './support/apps.mjs';
import { Server, soon } from './support/server.mjs';
import { changes, closeClients, connect, joined, sign, subscribe } from './support/supabase.mjs';

const secret = 'a-secret-of-a-project-that-is-long-enough';
const folder = mkdtempSync(join(tmpdir(), 'hearth-supabase-'));
writeFileSync(join(folder, 'project.secret'), secret);
writeFileSync(join(folder, 'auth.json'), JSON.stringify({ issuers: [{ shape: 'supabase', url: 'https://project.supabase.co', secret_file: 'project.secret', skew: 0 }] }));
after(closeClients);
const server = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), '--namespace', 'shop']);

const later = Math.floor(Date.now() / 1000) + 3_600;
const anon = sign(secret, { iss: 'supabase', role: 'anon', exp: later });
const tokenOf = (uid, more = {}) => sign(secret, { iss: 'https://project.supabase.co/auth/v1', aud: 'authenticated', role: 'authenticated', sub: uid, iat: later - 3_600, exp: later, ...more });
const admin = { Authorization: `Bearer ${server.secret}` };
const put = async (path, value) => {
  const answer = await fetch(`${server.url}${path}.json?ns=shop`, { method: 'PUT', headers: admin, body: typeof value === 'string' ? value : JSON.stringify(value) });
  assert.equal(answer.status, 200, await answer.text());
};
const rules = (more = {}) => put('/.settings/rules', {
  rules: {
    todos: { $todo: { '.read': 'auth != null && data.child("owner").val() == auth.uid' } },
    open: { '.read': true },
    channels: { $topic: { '.read': 'root.child("members/" + $topic + "/" + auth.uid).exists()', '.write': 'root.child("members/" + $topic + "/" + auth.uid).val() == "speaker"' } },
    ...more,
  },
});
await rules();
await put('/.settings/realtime', { public: false, channels: '/channels' });

const user = (uid, more) => connect(server, 'shop', { key: anon, token: () => tokenOf(uid, more) });
const is = (count) => (items) => items.length >= count;

test('a key that nobody signed is refused before the upgrade', async () => {
  for (const key of ['nonsense', sign('another secret', { iss: 'supabase', role: 'anon', exp: later })]) {
    const answer = await fetch(`${server.url}/ns/shop/realtime/v1/websocket?apikey=${key}&vsn=2.0.0`);
    assert.equal(answer.status, 401);
    assert.ok((await answer.json()).error);
  }
  const statuses = subscribe(connect(server, 'shop', { key: 'nonsense' }).channel('x'));
  await statuses.until((all) => all.some((status) => status.startsWith('CHANNEL_ERROR')), 'an error');
});

test('rows are heard by who may read them, before and after; a row that is handed on by its new owner', async () => {
  const [ada, ben, nobody] = [user('ada'), user('ben'), connect(server, 'shop', { key: anon })];
  await Promise.all([ada.realtime.setAuth(), ben.realtime.setAuth()]);
  await put('/members/rows', { ada: 'x', ben: 'x' });
  const channel = (client, name) => client.channel(name, { config: { private: true } });
  const [a, b] = [channel(ada, 'rows'), channel(ben, 'rows')];
  const [heardA, heardB] = [changes(a, { table: 'todos' }), changes(b, { table: 'todos' })];
  await Promise.all([joined(a), joined(b)]);
  await put('/todos/1', { owner: 'ada', text: 'secret' });
  await put('/todos/1/text', '"more"');
  await put('/todos/1/owner', '"ben"');
  await put('/todos/1', null);
  await heardB.until(is(2), 'the new owner to hear two changes');
  assert.deepEqual(heardA.items.map(({ eventType, now }) => `${eventType} ${now.text}`), ['INSERT secret', 'UPDATE more']);
  assert.deepEqual(heardB.items.map(({ eventType, now, old }) => [eventType, now.text, old]), [
    ['UPDATE', 'more', { id: '1' }],
    ['DELETE', undefined, { id: '1', owner: 'ben', text: 'more' }],
  ]);
  const refused = subscribe(nobody.channel('rows', { config: { private: true } }));
  await refused.until((all) => all.some((status) => /CHANNEL_ERROR.*Unauthorized/.test(status)), 'a refusal');
});

test('public channels are not there unless the operator says so', async () => {
  const statuses = subscribe(user('ada').channel('public one'));
  await statuses.until((all) => all.some((status) => /PrivateOnly/.test(status)), 'a refusal');
  const answer = await fetch(`${server.url}/ns/shop/realtime/v1/api/broadcast/x/events/y?apikey=${anon}`, { method: 'POST', body: '{}' });
  assert.equal(answer.status, 403);
});

test('who may not speak: an error when asked for, silence otherwise, no presence; and rights that come', async () => {
  await put('/members/talk', { ada: 'listener', ben: 'speaker' });
  const [ada, ben] = [user('ada'), user('ben')];
  await Promise.all([ada.realtime.setAuth(), ben.realtime.setAuth()]);
  const config = { private: true, broadcast: { ack: true }, presence: { key: 'me' } };
  const [a, b] = [ada.channel('talk', { config }), ben.channel('talk', { config })];
  const heard = new Story();
  b.on('broadcast', { event: '*' }, ({ event }) => heard.add(event));
  a.on('broadcast', { event: '*' }, () => {});
  a.on('presence', { event: 'sync' }, () => {});
  await Promise.all([joined(a), joined(b)]);
  assert.equal(await a.send({ type: 'broadcast', event: 'no', payload: {} }), 'error');
  assert.equal(await a.track({ x: 1 }), 'error');
  assert.equal(await b.send({ type: 'broadcast', event: 'own', payload: {} }), 'ok');
  await assert.rejects(ada.channel('talk').httpSend('no', {}));
  await put('/members/talk/ada', '"speaker"');
  assert.equal(await a.send({ type: 'broadcast', event: 'yes', payload: {} }), 'ok');
  await heard.until(is(1), 'what was said');
  assert.deepEqual(heard.items, ['yes']);
});

test('a right that is lost ends the channel, for good', async () => {
  await put('/members/lost/ada', '"speaker"');
  const ada = user('ada');
  await ada.realtime.setAuth();
  const channel = ada.channel('lost', { config: { private: true } });
  const system = new Story();
  channel.on('system', {}, (message) => system.add(message));
  const statuses = await joined(channel);
  await put('/members/lost/ada', null);
  await statuses.until((all) => all.includes('CLOSED'), 'the end');
  assert.match(system.items.at(-1).message, /^Unauthorized/);
  assert.equal(statuses.items.filter((status) => status === 'SUBSCRIBED').length, 1);
});

test('a token that expires ends the channel; a fresh one in time keeps it', async () => {
  await put('/members/brief/ada', '"speaker"');
  await put('/members/brief/ben', '"speaker"');
  const soonOver = () => Math.floor(Date.now() / 1000) + 3;
  let token = tokenOf('ben', { exp: soonOver() });
  const [ada, ben] = [user('ada', { exp: soonOver() }), connect(server, 'shop', { key: anon, token: () => token })];
  await Promise.all([ada.realtime.setAuth(), ben.realtime.setAuth()]);
  const [a, b] = [ada, ben].map((client) => client.channel('brief', { config: { private: true, broadcast: { ack: true } } }));
  b.on('broadcast', { event: '*' }, () => {});
  const [ended, lives] = await Promise.all([joined(a), joined(b)]);
  token = tokenOf('ben');
  await ben.realtime.setAuth();
  await ended.until((all) => all.includes('CLOSED'), 'the end of the one');
  assert.equal(await b.send({ type: 'broadcast', event: 'still', payload: {} }), 'ok');
  assert.ok(!lives.items.includes('CLOSED'));
});

test('a fresh token counts also when it comes before the channel is joined', async () => {
  // The join waits for the namespace's settings, and the token comes meanwhile.
  const { own } = await settled({ '/.settings/realtime': { public: true } });
  const socket = new WebSocket(`ws://127.0.0.1:${own.port}/ns/shop/realtime/v1/websocket?apikey=${anon}&vsn=2.0.0`);
  const heard = new Story();
  socket.on('message', (data) => heard.add(JSON.parse(data)));
  await soon(new Promise((resolve) => socket.on('open', resolve)), 'the socket to open');
  const say = (...message) => socket.send(JSON.stringify(message));
  const brief = tokenOf('ada', { exp: Math.floor(Date.now() / 1000) + 2 });
  const lasting = tokenOf('ada');
  say('1', '1', 'realtime:room', 'phx_join', { config: {}, access_token: brief });
  say('1', '2', 'realtime:room', 'access_token', { access_token: lasting });
  // Another channel, with the brief token alone: its end says that the time of the brief one is over.
  say('3', '3', 'realtime:other', 'phx_join', { config: {}, access_token: brief });
  const isClosed = (topic) => ([, , at, event]) => at === topic && event === 'phx_close';
  await heard.until((all) => all.some(isClosed('realtime:other')), 'the end of the other channel');
  say('1', '4', 'realtime:room', 'broadcast', { event: 'x', payload: {} });
  say(null, '5', 'phoenix', 'heartbeat', {});
  const all = await heard.until((items) => items.some(([, ref]) => ref === '5'), 'the heartbeat');
  assert.ok(all.some(([, ref, , event, { status }]) => ref === '1' && event === 'phx_reply' && status === 'ok'));
  assert.ok(!all.some(isClosed('realtime:room')));
  socket.close();
});

test('private broadcasts are said again to who comes later', async () => {
  await put('/members/replay', { ada: 'speaker', ben: 'speaker' });
  const since = Date.now() - 1_000;
  const [ada, ben] = [user('ada'), user('ben')];
  await Promise.all([ada.realtime.setAuth(), ben.realtime.setAuth()]);
  const a = ada.channel('replay', { config: { private: true, broadcast: { ack: true } } });
  await joined(a);
  for (const n of [1, 2, 3]) await a.send({ type: 'broadcast', event: 'n', payload: { n } });
  await ada.removeChannel(a);
  const b = ben.channel('replay', { config: { private: true, broadcast: { replay: { since, limit: 2 } } } });
  const heard = new Story();
  b.on('broadcast', { event: 'n' }, (message) => heard.add(message));
  await joined(b);
  const items = await heard.until(is(2), 'two messages');
  assert.deepEqual(items.map(({ payload }) => payload.n), [2, 3]);
  assert.ok(items.every(({ meta }) => meta.replayed === true));
});

// A server of its own, whose settings may change.
async function settled(settings) {
  const own = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), '--namespace', 'shop']);
  const set = async (path, value) => {
    const answer = await fetch(`${own.url}${path}.json?ns=shop`, { method: 'PUT', headers: { Authorization: `Bearer ${own.secret}` }, body: JSON.stringify(value) });
    assert.equal(answer.status, 200, await answer.text());
  };
  for (const [path, value] of Object.entries(settings)) await set(path, value);
  const open = async (name, config, listen = () => {}) => {
    const client = connect(own, 'shop', { key: anon, token: () => tokenOf('ada') });
    await client.realtime.setAuth();
    const channel = client.channel(name, { config });
    const system = new Story();
    channel.on('system', {}, ({ status, message }) => system.add({ status, message }));
    const heard = listen(channel);
    return { channel, system, heard, statuses: await joined(channel) };
  };
  // It is told why, is closed, and does not come back.
  const closes = async ({ statuses, system }, why) => {
    await statuses.until((all) => all.includes('CLOSED'), 'the end');
    assert.match(system.items.at(-1).message, why);
    assert.equal(system.items.at(-1).status, 'error');
    assert.equal(statuses.items.filter((status) => status === 'SUBSCRIBED').length, 1);
  };
  return { own, set, open, closes };
}

test('channels that the operator takes away end at once, and others are judged by where they are now', async () => {
  const member = { '.read': 'root.child("members/" + $topic + "/" + auth.uid).exists()', '.write': 'auth != null' };
  const { set, open, closes } = await settled({
    '/.settings/rules': { rules: { channels: { $topic: member }, rooms: { kept: { '.read': true, '.write': false } } } },
    '/.settings/realtime': { public: true, channels: '/channels' },
    '/members': { kept: { ada: 'x' }, lost: { ada: 'x' } },
  });
  const config = { private: true, broadcast: { ack: true, self: true } };
  const said = (channel) => channel.send({ type: 'broadcast', event: 'e', payload: {} });
  const [everybody, kept, lost] = [await open('all', {}), await open('kept', config), await open('lost', config)];
  assert.equal(await said(kept.channel), 'ok');
  await set('/.settings/realtime', { public: false, channels: '/rooms' });
  await closes(everybody, /^PrivateOnly/);
  await closes(lost, /^Unauthorized/);
  // The one that stays is judged at its new path: there it may be heard, and nobody may speak.
  assert.equal(await said(kept.channel), 'error');
  await set('/.settings/rules', { rules: { rooms: { kept: { '.read': true, '.write': true } } } });
  assert.equal(await said(kept.channel), 'ok');
  await set('/.settings/realtime', { public: true });
  await closes(kept, /^Unauthorized.*no private channels/);
});

test('a table that is moved: the channel errs, joins again, and hears where the table is now', async () => {
  const { set, open } = await settled({
    '/.settings/rules': { rules: { '.read': true } },
    '/.settings/realtime': { public: true },
    '/.settings/tables': { orders: '/shop/orders', other: '/x/other' },
  });
  const orders = await open('o', {}, (channel) => changes(channel, { table: 'orders' }));
  const other = await open('p', {}, (channel) => changes(channel, { table: 'other' }));
  await set('/shop/orders/1', { n: 1 });
  await orders.heard.until(is(1), 'the first row');
  const again = (count) => orders.statuses.until((all) => all.filter((status) => status === 'SUBSCRIBED').length === count, `join ${count}`);
  await set('/.settings/tables', { orders: '/store/orders', other: '/x/other' });
  await again(2);
  assert.ok(orders.statuses.items.some((status) => status.startsWith('CHANNEL_ERROR')));
  assert.ok(orders.system.items.some(({ status, message }) => status === 'error' && /tables are others/.test(message)));
  await set('/shop/orders/2', { n: 2 });
  await set('/store/orders/3', { n: 3 });
  await orders.heard.until(is(2), 'the row of the new place');
  await set('/.settings/tables', { other: '/x/other' }); // the name means /orders from here on
  await again(3);
  await set('/store/orders/4', { n: 4 });
  await set('/orders/5', { n: 5 });
  await orders.heard.until(is(3), 'the row of the table of that name');
  assert.deepEqual(orders.heard.items.map(({ now }) => now.n), [1, 3, 5]);
  // Who listens to another table notices nothing.
  await set('/x/other/1', { n: 6 });
  await other.heard.until(is(1), 'its row');
  assert.deepEqual(other.statuses.items, ['SUBSCRIBED']);
});

test('an address that guesses keys is answered 429, by sockets and by rows, and who is right gets in', async () => {
  const own = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), '--namespace', 'shop', '--failed-logins', '6']);
  const asks = async (path, key) => {
    const answer = await fetch(`${own.url}/ns/shop${path}`, { headers: { apikey: key } });
    const text = await answer.text();
    return { status: answer.status, wait: answer.headers.get('retry-after'), body: JSON.parse(text || 'null') };
  };
  const socket = '/realtime/v1/websocket?vsn=2.0.0', broadcast = '/realtime/v1/api/broadcast/x/events/y', rows = '/rest/v1/todos';
  const guesses = [];
  for (let i = 0; i < 6; ++i) guesses.push((await asks([socket, rows][i % 2], `sb_secret_${i}`)).status);
  assert.deepEqual(guesses, [401, 401, 401, 401, 401, 401]);
  for (const path of [socket, rows]) {
    const { status, wait, body } = await asks(path, 'sb_secret_more');
    assert.equal(status, 429, path);
    assert.equal(wait, '60');
    assert.match(body.error ?? body.message, /^Too many wrong credentials/);
  }
  const answer = await fetch(`${own.url}/ns/shop${broadcast}`, { method: 'POST', body: '{}', headers: { apikey: 'sb_secret_more' } });
  assert.equal(answer.status, 429);
  assert.equal((await asks(rows, anon)).status, 200);
  await fetch(`${own.url}/.settings/realtime.json?ns=shop`, { method: 'PUT', headers: { Authorization: `Bearer ${own.secret}` }, body: '{"public": true}' });
  await joined(connect(own, 'shop', { key: anon }).channel('x'));
});

test('pages of other origins may ask', async () => {
  const answer = await fetch(`${server.url}/ns/shop/realtime/v1/api/broadcast`, { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Headers': 'apikey' } });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.match(answer.headers.get('access-control-allow-headers'), /apikey/);
});
