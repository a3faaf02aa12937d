// What hostile sockets of Supabase and Yjs may do to the server: floods, names, sizes at their limits, clients that read
// nothing. After each, others are served as before, and nothing is kept of those who have gone.
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as Y from 'yjs';
import { newNamespace } from './support/apps.mjs';
import { rest } from './support/rest.mjs';
import { awareness, endSockets, figures, hears, memory, named, nothingLeft, phoenix, saidOf, socketAt, step1, token, update, varBuf } from './support/rude.mjs';
import { Server, soon } from './support/server.mjs';
import { sign } from './support/supabase.mjs';
import { closeYjs, synced, until, yWebsocket } from './support/yjs.mjs';

const server = await Server.start(after);
afterEach(endSockets);
afterEach(closeYjs);

const put = async (namespace, path, value, at = server, headers = { Authorization: 'Bearer owner' }) => {
  const answer = await rest(at, namespace, 'PUT', `${path}.json`, { body: JSON.stringify(value), headers });
  assert.equal(answer.status, 200, answer.text);
};
const texts = (one) => one.heard.items.filter((frame) => frame[0] === 0);
const edit = (text) => {
  const doc = new Y.Doc();
  doc.getArray('a').push([text]);
  return Y.encodeStateAsUpdate(doc);
};

// ---- Supabase ----

test('thousands of joins, leaves, and joins in place of joins', async () => {
  const namespace = newNamespace();
  const one = await phoenix(server, namespace);
  const config = { presence: { key: 'k', enabled: true }, postgres_changes: [{ event: '*', schema: 'public', table: 't' }] };
  for (let i = 0; i < 3_000; ++i) {
    const topic = `realtime:t${i % 150}`;
    one.say(`${i}`, `${i}`, topic, 'phx_join', { config });
    if (i % 3 === 0) one.say(`${i}`, `l${i}`, topic, 'phx_leave', {});
    if (i % 5 === 0) one.say(`${i}`, `p${i}`, topic, 'presence', { type: 'presence', event: 'track', payload: { i } });
  }
  one.say(null, 'last', 'phoenix', 'heartbeat', {});
  await one.heard.until((items) => items.some(([, ref]) => ref === 'last'), 'the last heartbeat');
  one.end();
  await nothingLeft(server);
});

test('nothing is heard after a leave; a second join of a topic takes the place of the first', async () => {
  const namespace = newNamespace();
  const [one, other] = [await phoenix(server, namespace), await phoenix(server, namespace)];
  const changes = [{ event: '*', schema: 'public', table: 't' }];
  assert.equal((await one.join('x', { postgres_changes: changes })).status, 'ok');
  assert.equal((await one.join('y', {})).status, 'ok');
  assert.equal((await other.join('x', {})).status, 'ok');
  one.say('again', 'again', 'realtime:x', 'phx_join', { config: { postgres_changes: changes } });
  assert.equal((await one.reply('again')).status, 'ok');
  await put(namespace, '/t/1', 'once');
  other.say('x', 'b1', 'realtime:x', 'broadcast', { type: 'broadcast', event: 'e', payload: { n: 1 } });
  await one.heard.until((items) => hears(items, 'x', 'broadcast').length > 0, 'the broadcast');
  assert.equal(hears(one.heard.items, 'x', 'postgres_changes').length, 1);
  one.say('again', 'leave', 'realtime:x', 'phx_leave', {});
  await one.reply('leave');
  const from = one.heard.items.length;
  await put(namespace, '/t/2', 'unheard');
  other.say('x', 'b2', 'realtime:x', 'broadcast', { type: 'broadcast', event: 'e', payload: { n: 2 } });
  assert.equal((await other.join('y', { broadcast: { ack: true } })).status, 'ok');
  other.say('y', 'b3', 'realtime:y', 'broadcast', { type: 'broadcast', event: 'e', payload: { n: 3 } });
  await one.heard.until((items) => hears(items, 'y', 'broadcast').length > 0, 'what is said elsewhere');
  assert.ok(one.heard.items.slice(from).every(([, ref, topic]) => topic === 'realtime:y' || ref === 'again'), JSON.stringify(one.heard.items.slice(from)));
  one.end(), other.end();
  await nothingLeft(server);
});

test('6,400 bindings of one socket: a write is told, and all of them go', async () => {
  const namespace = newNamespace();
  const one = await phoenix(server, namespace);
  const bindings = Array.from({ length: 64 }, (_, i) => ({ event: '*', schema: 'public', table: 't', filter: `n=gt.${i}` }));
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => one.join(`c${i}`, { postgres_changes: bindings })));
  assert.ok(answers.every(({ status }) => status === 'ok'));
  const over = [...bindings, bindings[0]];
  one.say('0', 'leave', 'realtime:c0', 'phx_leave', {});
  assert.equal((await one.join('over', { postgres_changes: over })).status, 'error');
  await put(namespace, '/t/1', { n: 32 });
  await one.heard.until((items) => items.filter(([, , , event]) => event === 'postgres_changes').length === 99, 'the change, on each channel');
  const { ids } = one.heard.items.find(([, , , event]) => event === 'postgres_changes')[4];
  assert.equal(ids.length, 32);
  one.end();
  await nothingLeft(server);
});

test('sizes at the limits: presence, names, messages', async () => {
  const namespace = newNamespace();
  const [one, other] = [await phoenix(server, namespace), await phoenix(server, namespace)];
  const config = { broadcast: { ack: true }, presence: { key: 'k'.repeat(256), enabled: true } };
  assert.equal((await one.join('x', config)).status, 'ok');
  assert.equal((await other.join('x', config)).status, 'ok');
  assert.equal((await one.join('y', { presence: { key: 'k'.repeat(257) } })).status, 'error');
  const track = async (ref, bytes) => {
    one.say('x', ref, 'realtime:x', 'presence', { type: 'presence', event: 'track', payload: { text: 'x'.repeat(bytes - '{"text":""}'.length) } });
    return (await one.reply(ref)).status;
  };
  assert.equal(await track('p1', 65_536), 'ok');
  assert.equal(await track('p2', 65_537), 'error');
  assert.equal((await one.join('t'.repeat(5_000))).status, 'error');
  const event = 'é'.repeat(200); // too long for a binary frame: told as text
  one.say('x', 'b', 'realtime:x', 'broadcast', { type: 'broadcast', event, payload: { big: 'y'.repeat(4_000_000) } });
  assert.equal((await one.reply('b')).status, 'ok');
  const [[, , , , payload]] = hears(await other.heard.until((items) => hears(items, 'x', 'broadcast').length > 0, 'the large one'), 'x', 'broadcast');
  assert.equal(payload.event, event);
  assert.equal(payload.payload.big.length, 4_000_000);
  one.socket.send('x'.repeat(5_000_001));
  assert.equal(await soon(one.closed, 'the close'), 1009);
  await other.heard.until((items) => hears(items, 'x', 'presence_diff').some((message) => Object.keys(message[4].leaves).length > 0), 'the leave');
  other.end();
  await nothingLeft(server);
});

test('a large message that has been answered takes no room of others', async () => {
  const namespace = newNamespace();
  const sockets = await Promise.all(Array.from({ length: 4 }, () => phoenix(server, namespace)));
  for (const one of sockets) {
    await one.join('x', { broadcast: { ack: true } });
    one.say('x', 'b', 'realtime:x', 'broadcast', { type: 'broadcast', event: 'e', payload: { big: 'y'.repeat(500_000) } });
    assert.equal((await one.reply('b')).status, 'ok');
  }
  const documents = await Promise.all(Array.from({ length: 4 }, () => socketAt(server, `/ns/${namespace}/yjs/d`)));
  for (const one of documents) one.socket.send(update(edit('z'.repeat(200_000))));
  await until(() => texts(documents[0]).length >= 5, 'all edits to be told');
  const deadline = Date.now() + 10_000;
  while ((await figures(server)).hearth_pending_bytes > 0) assert.ok(Date.now() < deadline, 'what is answered is still counted');
  for (const one of [...sockets, ...documents]) one.end();
  await nothingLeft(server);
});

test('one who reads nothing is cut off, others hear everything, and memory has a bound', async () => {
  const own = await Server.start(after, ['--dev', '--max-backlog-size', '4MB', '--max-events-size', '16MB']);
  const namespace = 'n';
  const [speaker, listener, deaf] = [await phoenix(own, namespace), await phoenix(own, namespace), await phoenix(own, namespace)];
  for (const one of [speaker, listener, deaf]) await one.join('x', { broadcast: { ack: true } });
  deaf.socket._socket.pause();
  const before = memory(own).now;
  const many = 600; // 120 MB
  for (let i = 0; i < many; ++i) {
    speaker.say('x', `b${i}`, 'realtime:x', 'broadcast', { type: 'broadcast', event: 'e', payload: { i, big: 'y'.repeat(200_000) } });
    assert.equal((await speaker.reply(`b${i}`)).status, 'ok');
  }
  const heard = await listener.heard.until((items) => hears(items, 'x', 'broadcast').length === many, 'all of it');
  assert.deepEqual(hears(heard, 'x', 'broadcast').map((message) => message[4].payload.i), Array.from({ length: many }, (_, i) => i));
  assert.ok(memory(own).most - before < 100, `${before} MB, then up to ${memory(own).most}`);
  const limits = async () => Object.entries(await figures(own)).filter(([name, value]) => /limit_reached.*(backlog|events_size|send_time)/.test(name) && value > 0);
  assert.ok((await limits()).length > 0 || (await figures(own)).hearth_topic_members < 3, 'it is cut off, and counted');
  deaf.socket._socket.resume();
  await deaf.heard.until((items) => items.some((message) => message[3] === 'phx_error'), 'the end').catch(async () => assert.notEqual(await soon(deaf.closed, 'the end'), undefined));
  for (const one of [speaker, listener, deaf]) one.end();
  await nothingLeft(own);
});

test('upgrades that stop half way, and sockets that go without a word', async () => {
  const head = (path) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
  const paths = ['/ns/half/realtime/v1/websocket?apikey=k&vsn=2.0.0', '/ns/half/yjs/room', '/ns/half/yjs'];
  const sockets = [];
  for (let i = 0; i < 300; ++i) {
    const text = head(paths[i % 3]);
    const socket = createConnection({ host: '127.0.0.1', port: server.port });
    socket.on('error', () => {});
    socket.write(i % 2 === 0 ? text : text.slice(0, 20 + (i % 200)));
    sockets.push(socket);
  }
  await until(() => sockets.filter(({ bytesRead }) => bytesRead > 0).length >= 150, 'the whole ones to be answered');
  for (const socket of sockets) socket.destroy();
  await nothingLeft(server);
});

test('one name is several rooms: public and private, of each namespace, and names that look alike', async () => {
  const own = await Server.start(after); // what is said in private is kept
  const spaces = ['one', 'two'];
  const rooms = [];
  for (const space of spaces) {
    await put(space, '/.settings/realtime', { public: true, channels: '/channels' }, own);
    for (const [name, isPrivate] of [['a/b', false], ['a/b', true], ['a', true], ['a/b/c', true], ['private:a/b', false], ['realtime:a/b', false], ['a%2fb', false], ['A/B', true], ['document:a/b', false], ['a/b\u0000', false]]) {
      const one = await phoenix(own, space);
      const answer = await one.join(name, { private: isPrivate, broadcast: { ack: true } });
      assert.equal(answer.status, 'ok', `${name} ${isPrivate} ${JSON.stringify(answer)}`);
      rooms.push({ one, name });
    }
    for (const name of ['a//b', '/a', 'a/', 'a/./.b', 'a/$b', 'a/\u0000', '.settings/rules', '../x', 'a#b']) {
      const one = await phoenix(own, space);
      assert.equal((await one.join(name, { private: true })).status, 'error', name);
      one.end();
    }
  }
  for (const [i, { one, name }] of rooms.entries()) {
    one.say(name, 'b', `realtime:${name}`, 'broadcast', { type: 'broadcast', event: 'e', payload: { i } });
    assert.equal((await one.reply('b')).status, 'ok');
  }
  const document = await socketAt(own, `/ns/${spaces[0]}/yjs/a/b`);
  document.socket.send(step1);
  await until(() => texts(document).length === 2, 'the document');
  assert.ok(rooms.every(({ one }) => one.heard.items.every((message) => message[3] !== 'broadcast')), 'somebody heard what was said elsewhere');
  for (const { one } of rooms) one.end();
  document.end();
  await nothingLeft(own, ['hearth_topic_members', 'hearth_memory_bytes{of="listeners"}']);
});

test('a token that comes while a channel joins is the one that counts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-hostile-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const secret = 'a-secret-of-a-project-that-is-long-enough';
  writeFileSync(join(folder, 'auth.json'), JSON.stringify({ issuers: [{ shape: 'supabase', url: 'https://p.supabase.co', secret }] }));
  const own = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), '--namespace', 'n']);
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const anon = sign(secret, { iss: 'supabase', role: 'anon', exp });
  const tokenOf = (sub) => sign(secret, { iss: 'https://p.supabase.co/auth/v1', aud: 'authenticated', role: 'authenticated', sub, exp });
  const headers = { Authorization: `Bearer ${own.secret}` };
  await put('n', '/.settings/rules', { rules: { t: { $row: { '.read': 'auth.uid == data.val()' } } } }, own, headers);
  await put('n', '/.settings/realtime', { public: true }, own, headers);
  for (let i = 0; i < 20; ++i) {
    const one = await phoenix(own, 'n', `apikey=${anon}&vsn=2.0.0`);
    const changes = [{ event: '*', schema: 'public', table: 't' }];
    one.say('j', 'j', 'realtime:x', 'phx_join', { config: { postgres_changes: changes }, access_token: tokenOf('ada') });
    one.say('j', null, 'realtime:x', 'access_token', { access_token: tokenOf('ben') });
    assert.equal((await one.reply('j')).status, 'ok');
    // Whatever was asked before is done when this is answered.
    one.say('j', 'b', 'realtime:x', 'presence', { type: 'presence', event: 'untrack' });
    await one.reply('b');
    await put('n', `/t/a${i}`, 'ada', own, headers);
    await put('n', `/t/b${i}`, 'ben', own, headers);
    await one.heard.until((items) => hears(items, 'x', 'postgres_changes').some((message) => message[4].data.record.value === 'ben'), "ben's row");
    assert.deepEqual(hears(one.heard.items, 'x', 'postgres_changes').map((message) => message[4].data.record.value), ['ben']);
    one.end();
  }
  await nothingLeft(own);
});

// ---- Yjs ----

test('documents opened and closed thousands of times, on one socket and on many', async () => {
  const namespace = newNamespace();
  const one = await socketAt(server, `/ns/${namespace}/yjs`);
  const many = 2_000;
  for (let i = 0; i < many; ++i) {
    const name = `d/${i % 70}`;
    one.socket.send(named(name, token()));
    if (i % 3 === 0) one.socket.send(named(name, step1));
    if (i % 7 === 0) one.socket.send(named(name, update(edit(`${i}`))));
    one.socket.send(named(name, Buffer.from([7])));
  }
  const closes = () => one.heard.items.filter((frame) => frame[1 + frame[0]] === 7).length;
  await until(() => closes() === many, 'each to be closed');
  for (let i = 0; i < 100; ++i) (await socketAt(server, `/ns/${namespace}/yjs/e${i % 7}`)).end();
  const good = yWebsocket(server, namespace, 'd/0');
  await synced(good);
  good.provider.destroy();
  one.end();
  await nothingLeft(server);
});

test('names of documents: what is no path of keys is refused, and so is what is too long', async () => {
  const namespace = newNamespace();
  const ends = async (path) => soon((await socketAt(server, path)).closed, `the close of ${path.slice(0, 60)}`);
  for (const room of ['a%2f%2fb', 'a/%00', 'a/.b', '%24x', 'a%5bb', 'x'.repeat(769), Array(33).fill('d').join('/')]) {
    const code = await ends(`/ns/${namespace}/yjs/${room}`);
    assert.ok(code === 4403 || code === 4400, `${room} ${code}`);
  }
  // An escaped slash is a slash: the rules of one path judge both spellings.
  const [plain, escaped] = [await socketAt(server, `/ns/${namespace}/yjs/a/b`), await socketAt(server, `/yjs/a%2fb?ns=${namespace}`)];
  plain.socket.send(update(edit('both')));
  await until(() => texts(escaped).some((frame) => frame.includes('both')), 'one document');
  // The path's namespace counts, not the parameter's.
  const elsewhere = await socketAt(server, `/ns/${newNamespace()}/yjs/a/b?ns=${namespace}`);
  elsewhere.socket.send(step1);
  await until(() => texts(elsewhere).length === 2, 'step 2');
  assert.ok(!texts(elsewhere).some((frame) => frame.includes('both')));
  for (const one of [plain, escaped, elsewhere]) one.end();
  // Hocuspocus: behind a zero comes a session of the client's own; it is the same document.
  const one = await socketAt(server, `/ns/${namespace}/yjs`);
  for (const name of ['a/b', 'a/b\0', 'a/b\0one', 'a/b\0\0']) one.socket.send(Buffer.concat([named(name, token())]));
  await until(() => one.heard.items.filter((frame) => frame.includes('read-write')).length === 4, 'four places');
  for (const name of ['', '\0', '/', 'a//b', '../a', '.settings', 'x'.repeat(769)]) one.socket.send(named(name, token()));
  await until(() => one.heard.items.filter((frame) => frame.includes('permission-denied')).length === 7, 'seven refusals');
  one.socket.send(named(`a/b\0${'x'.repeat(16_384)}`, token()));
  assert.equal(await soon(one.closed, 'the close'), 1007);
  await nothingLeft(server);
});

test('floods of step 1: one at a time is answered, memory has a bound, others are served', async () => {
  const own = await Server.start(after);
  const writer = await socketAt(own, '/ns/n/yjs/big');
  for (let i = 0; i < 4; ++i) {
    writer.socket.send(update(edit('y'.repeat(1_000_000) + i)));
    await until(() => texts(writer).length >= i + 2, 'the edit to be told');
  }
  writer.end();
  const deaf = await Promise.all(Array.from({ length: 4 }, () => socketAt(own, '/ns/n/yjs/big')));
  for (const one of deaf) {
    one.socket.send(step1);
    await until(() => texts(one).length === 2, 'the first');
    one.socket._socket.pause();
  }
  const before = memory(own).now;
  for (const one of deaf) for (let i = 0; i < 3_000; ++i) one.socket.send(step1);
  for (let i = 0; i < 3; ++i) {
    const good = yWebsocket(own, 'n', 'big');
    await synced(good);
    assert.equal(good.doc.getArray('a').length, 4);
    good.provider.destroy();
  }
  // Each may have what waits for one client, and one more.
  assert.ok(memory(own).most - before < 4 * (64 + 8) + 100, `${before} MB, then up to ${memory(own).most}`);
  for (const one of deaf) one.end();
  await nothingLeft(own);
});

test('updates at the limits: of a document, and before it is open', async () => {
  const own = await Server.start(after, ['--dev', '--max-document-size', '300kB', '--max-message-size', '1MB']);
  const full = async (bytes) => {
    const one = await socketAt(own, '/ns/n/yjs/d');
    one.socket.send(update(edit('x'.repeat(bytes))));
    return one;
  };
  const fits = await full(200_000);
  await until(() => texts(fits).length === 2, 'the edit to be told');
  assert.equal(await soon((await full(200_000)).closed, 'the close'), 4413);
  assert.equal(await soon((await full(1_100_000)).closed, 'the close'), 1009);
  const small = await full(10);
  await until(() => texts(small).length === 2, 'a small edit to be told');
  const early = await socketAt(own, '/ns/n/yjs');
  early.socket.send(named('e', token()));
  for (let i = 0; i < 3_000; ++i) early.socket.send(named('e', Buffer.concat([Buffer.from([0, 0]), varBuf([0])])));
  let isClosed = false;
  early.closed.then(() => (isClosed = true));
  await until(() => isClosed || early.heard.items.length > 3_000, 'all answers, or the end');
  for (const one of [fits, small, early]) one.end();
  await nothingLeft(own);
});

test('floods of awareness: clients too many take no other along', async () => {
  const namespace = newNamespace();
  const [one, other] = [await socketAt(server, `/ns/${namespace}/yjs/d`), await socketAt(server, `/ns/${namespace}/yjs/d`)];
  for (const each of [one, other]) each.socket.send(step1);
  await until(() => [one, other].every((each) => texts(each).length === 2), 'both to be synced');
  const heard = () => other.heard.items.filter((frame) => frame[0] === 1).flatMap(saidOf);
  const mine = 4_711;
  const moved = (clock) => until(() => heard().some((entry) => entry[0] === mine && entry[1] === clock), `move ${clock}`);
  const many = Array.from({ length: 63 }, (_, i) => [i + 1, 1, { i }]);
  one.socket.send(awareness([...many, [mine, 1, {}]]));
  await until(() => new Set(heard().map(([client]) => client)).size === 64, 'all 64');
  // One message with some too many; then mine behind thousands that wait; then in one message with hundreds.
  one.socket.send(awareness([[900_000, 1, {}], [mine, 2, {}], [900_001, 1, {}]]));
  await moved(2);
  for (let i = 0; i < 3_000; ++i) one.socket.send(awareness([[800_000 + i, 1, {}]]));
  one.socket.send(awareness([[900_000, 2, {}], [mine, 3, {}], [900_001, 2, {}]]));
  await moved(3);
  one.socket.send(awareness([...Array.from({ length: 900 }, (_, i) => [700_000 + i, 1, {}]), [mine, 4, {}]]));
  await moved(4);
  assert.equal(new Set(heard().map(([client]) => client)).size, 64);
  for (const each of [one, other]) each.end();
  await nothingLeft(server);
});

test('two hundred sockets in one room hear each other once, and go', async () => {
  const namespace = newNamespace();
  const all = await Promise.all(Array.from({ length: 200 }, () => socketAt(server, `/ns/${namespace}/yjs/room`)));
  for (const one of all) one.socket.send(step1);
  await until(() => all.every((one) => texts(one).length === 2), 'all to be synced');
  all[0].socket.send(update(edit('once')));
  await until(() => all.every((one) => texts(one).length === 3), 'the edit');
  const channels = await Promise.all(Array.from({ length: 100 }, () => phoenix(server, namespace)));
  await Promise.all(channels.map((one, i) => one.join('room', { presence: { key: `k${i % 3}`, enabled: true } })));
  for (const [i, one] of channels.entries()) one.say('room', 't', 'realtime:room', 'presence', { type: 'presence', event: 'track', payload: { i } });
  await Promise.all(channels.map((one) => one.reply('t')));
  for (const one of [...all, ...channels]) one.end();
  await nothingLeft(server);
});
