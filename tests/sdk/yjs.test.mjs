// Yjs documents by the published clients: y-websocket and Hocuspocus on the same documents, over cuts, restarts and kills.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import * as Y from 'yjs';
import { newNamespace, Story } from './support/apps.mjs';
import { seedOfRun } from './support/random.mjs';
import { rest } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';
import { sign } from './support/supabase.mjs';
import { closeYjs, hocuspocus, hocuspocusSocket, synced, until, yWebsocket } from './support/yjs.mjs';

const server = await Server.start(after);
after(closeYjs);

const text = ({ doc }) => doc.getText('t').toString();

test('two clients of y-websocket: edits both ways, and who comes later', async () => {
  const namespace = newNamespace();
  const [a, b] = [yWebsocket(server, namespace, 'notes/one'), yWebsocket(server, namespace, 'notes/one')];
  await Promise.all([synced(a), synced(b)]);
  a.doc.getText('t').insert(0, 'hé😀');
  await until(() => text(b) === 'hé😀', 'the text');
  b.doc.getText('t').delete(0, 1);
  b.doc.getMap('m').set('k', { deep: [1, null, 'x'] });
  await until(() => text(a) === 'é😀', 'the deletion');
  const late = yWebsocket(server, namespace, 'notes/one');
  await synced(late);
  assert.equal(text(late), 'é😀');
  assert.deepEqual(late.doc.getMap('m').toJSON(), { k: { deep: [1, null, 'x'] } });
  const other = yWebsocket(server, namespace, 'notes/two');
  await synced(other);
  assert.equal(text(other), '');
});

test('Hocuspocus and y-websocket edit the same document; several documents on one socket', async () => {
  const namespace = newNamespace();
  const socket = hocuspocusSocket(server, namespace);
  after(() => socket.destroy());
  const [h, second] = [hocuspocus(server, namespace, 'doc', { socket }), hocuspocus(server, namespace, 'doc/two', { socket })];
  const w = yWebsocket(server, namespace, 'doc');
  await Promise.all([synced(h), synced(second), synced(w)]);
  h.doc.getText('t').insert(0, 'from h');
  await until(() => text(w) === 'from h', 'the edit');
  w.doc.getText('t').insert(0, 'w ');
  await until(() => text(h) === 'w from h', 'the answer');
  assert.equal(text(second), '');
  // What it has is on disk: nothing is unsynced.
  await until(() => !h.provider.hasUnsyncedChanges, 'the acknowledgement');
  assert.equal(h.provider.authorizedScope, 'read-write');
});

test('awareness: seen, changed, gone when the connection is, across both kinds of clients', async () => {
  const namespace = newNamespace();
  const [a, b] = [yWebsocket(server, namespace, 'r'), yWebsocket(server, namespace, 'r')];
  const h = hocuspocus(server, namespace, 'r');
  await Promise.all([synced(a), synced(b), synced(h)]);
  a.provider.awareness.setLocalStateField('user', { name: 'ada' });
  const names = (provider) => [...provider.awareness.getStates().values()].map(({ user }) => user?.name).filter(Boolean).sort();
  await until(() => names(b.provider).includes('ada') && names(h.provider).includes('ada'), 'ada to be seen');
  h.provider.setAwarenessField('user', { name: 'hugo' });
  await until(() => names(a.provider).join() === 'ada,hugo', 'hugo to be seen');
  const late = yWebsocket(server, namespace, 'r');
  await until(() => names(late.provider).join() === 'ada,hugo', 'both to be seen by who comes later');
  a.provider.ws.terminate(); // says nothing
  a.provider.shouldConnect = false;
  await until(() => names(b.provider).join() === 'hugo', 'ada to be gone');
});

test('one move among clients that echo is told to each once, unchanged', async () => {
  const namespace = newNamespace();
  const clients = Array.from({ length: 6 }, () => yWebsocket(server, namespace, 'room'));
  await Promise.all(clients.map(synced));
  for (const [i, { provider }] of clients.entries()) provider.awareness.setLocalStateField('n', i);
  const all = () => clients.every(({ provider }) => [...provider.awareness.getStates().values()].filter(({ n }) => n !== undefined).length === 6);
  await until(all, 'everybody to see everybody');
  await new Promise((resolve) => setTimeout(resolve, 200)); // echoes come in
  const messages = async () => Number(/^hearth_events_total (\d+)/m.exec(await (await fetch(`${server.url}/.metrics`, { headers: { Authorization: 'Bearer owner' } })).text())[1]);
  const before = await messages();
  clients[0].provider.awareness.setLocalStateField('x', 1);
  await until(() => clients.every(({ provider }) => [...provider.awareness.getStates().values()].some(({ x }) => x === 1)), 'the move');
  await new Promise((resolve) => setTimeout(resolve, 200));
  // All of them live on one io thread, and one of them hears for all.
  assert.equal((await messages()) - before, 1);
  const clocks = clients.map(({ provider }) => provider.awareness.meta.get(clients[0].doc.clientID).clock);
  assert.ok(clocks.every((clock) => clock === clocks[0]));
});

test('offline edits of both sides meet after a cut; a restart and a kill lose nothing that was told', async () => {
  const own = await Server.start(after);
  const [a, b] = [yWebsocket(own, 'n', 'd'), yWebsocket(own, 'n', 'd')];
  await Promise.all([synced(a), synced(b)]);
  a.doc.getText('t').insert(0, 'a');
  await until(() => text(b) === 'a', 'the first edit');
  a.provider.disconnect();
  a.doc.getText('t').insert(1, 'A');
  b.doc.getText('t').insert(0, 'B');
  await until(() => b.doc.getText('t').toString().startsWith('B'), 'the other edit');
  a.provider.connect();
  await until(() => text(a) === text(b) && text(a).length === 3, 'both to meet');
  for (let i = 0; i < 300; ++i) a.doc.getText('t').insert(0, 'x');
  await until(() => text(b).length === 303, 'all of it to be told');
  await own.kill();
  for (const { provider } of [a, b]) provider.disconnect();
  await own.start();
  const fresh = yWebsocket(own, 'n', 'd');
  await synced(fresh);
  assert.equal(text(fresh), text(b));
  b.provider.connect();
  await until(() => b.provider.synced, 'the other to come back');
  fresh.doc.getText('t').insert(0, '!');
  await until(() => text(b).startsWith('!'), 'it goes on');
});

test('random edits of four replicas over cuts and kills: all equal in the end', async () => {
  const own = await Server.start(after);
  let seed = seedOfRun();
  console.log(`TEST_SEED=${seed}`);
  const random = (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const replicas = Array.from({ length: 4 }, (_, i) => (i < 3 ? yWebsocket(own, 'n', 'd') : hocuspocus(own, 'n', 'd')));
  await Promise.all(replicas.map(synced));
  const rounds = process.env.HEARTH_LONG ? 40 : 4;
  const steps = process.env.HEARTH_LONG ? 200 : 100;
  for (let round = 0; round < rounds; ++round) {
    for (let step = 0; step < steps; ++step) {
      const { doc } = replicas[random(4)];
      const [t, list, map] = [doc.getText('t'), doc.getArray('l'), doc.getMap('m')];
      switch (random(6)) {
        case 0: list.insert(random(list.length + 1), [random(100), 'é']); break;
        case 1: if (list.length > 0) list.delete(random(list.length), 1); break;
        case 2: map.set(`k${random(5)}`, random(1_000)); break;
        case 3: if (t.length > 0) t.delete(random(t.length), 1); break;
        default: t.insert(random(t.length + 1), 'ab'.slice(random(2)));
      }
      if (step % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      if (random(60) === 0) replicas[random(3)].provider.ws?.terminate();
    }
    if (round % 2 === 1) {
      await own.kill();
      await own.start();
    }
  }
  // The order of a map's keys is not part of its state.
  const stateOf = ({ doc }) => JSON.stringify([doc.getText('t').toString(), doc.getArray('l').toJSON(), Object.entries(doc.getMap('m').toJSON()).sort()]);
  const states = () => replicas.map(stateOf);
  await until(() => new Set(states()).size === 1, 'all replicas to be equal', 60_000);
  const fresh = yWebsocket(own, 'n', 'd');
  await synced(fresh);
  assert.equal(stateOf(fresh), states()[0]);
});

test('typed letter by letter: stored as few bytes, and what was deleted is not among them', async () => {
  const namespace = newNamespace();
  const a = yWebsocket(server, namespace, 'typed');
  await synced(a);
  const t = a.doc.getText('t');
  for (let i = 0; i < 1_000; ++i) t.insert(i, 'secret'[i % 6]);
  t.delete(0, 1_000);
  t.insert(0, 'kept');
  const watch = yWebsocket(server, namespace, 'typed');
  await until(() => text(watch) === 'kept', 'all of it');
  a.provider.destroy();
  watch.provider.destroy();
  // It is compacted once nobody has it open.
  let bytes = Infinity;
  const size = async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ns/${namespace}/yjs/typed`);
    const frames = new Story();
    socket.on('message', (data) => frames.add(data));
    await soon(new Promise((resolve) => socket.on('open', resolve)), 'the socket');
    socket.send(new Uint8Array([0, 0, 1, 0]));
    const all = await frames.until((list) => list.some((frame) => frame[0] === 0 && frame[1] === 1), 'step 2');
    socket.close();
    return all.find((frame) => frame[0] === 0 && frame[1] === 1).length;
  };
  for (let tries = 0; tries < 100 && bytes >= 300; ++tries) {
    bytes = await size();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(bytes < 300, `${bytes} bytes`);
});

test('data and documents do not stand at one place; removing what is above removes documents', async () => {
  const namespace = newNamespace();
  assert.equal((await rest(server, namespace, 'PUT', '/data/x.json', { body: '1' })).status, 200);
  for (const room of ['data/x', 'data', 'data/x/y']) {
    const { closed } = yWebsocket(server, namespace, room);
    const [{ code }] = await closed.until((all) => all.length > 0, 'the close');
    assert.equal(code, 4403, room);
  }
  const refused = hocuspocus(server, namespace, 'data/x');
  await refused.failures.until((all) => all.length > 0, 'the refusal');
  const a = yWebsocket(server, namespace, 'docs/a');
  const h = hocuspocus(server, namespace, 'docs/b');
  await Promise.all([synced(a), synced(h)]);
  a.doc.getText('t').insert(0, 'x');
  h.doc.getText('t').insert(0, 'x');
  await until(() => !h.provider.hasUnsyncedChanges, 'the edit to be stored');
  const second = yWebsocket(server, namespace, 'docs/a');
  await until(() => text(second) === 'x', 'the edit to be told');
  const answer = await rest(server, namespace, 'PUT', '/docs/a/y.json', { body: '1' });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /There is a Yjs document at \/docs\/a/);
  assert.equal((await rest(server, namespace, 'DELETE', '/docs.json')).status, 200);
  const [{ code }] = await a.closed.until((all) => all.length > 0, 'the close');
  assert.equal(code, 4404);
  const fresh = yWebsocket(server, namespace, 'docs/a');
  await synced(fresh);
  assert.equal(text(fresh), '');
});

test('what is no message ends the connection, and nothing else', async () => {
  const namespace = newNamespace();
  const frames = [[0, 2, 200], [0, 9, 0], [255, 255, 255, 255, 255, 255, 255, 255, 255], [0, 2, 3, 1, 1, 1], [1, 3, 9, 9, 9]];
  for (const frame of frames) {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ns/${namespace}/yjs/bad`);
    const closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
    await soon(new Promise((resolve) => socket.on('open', resolve)), 'the socket');
    socket.send(new Uint8Array(frame));
    assert.equal(await soon(closed, 'the close'), 4400, `${frame}`);
  }
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ns/${namespace}/yjs/bad`);
  const closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  await soon(new Promise((resolve) => socket.on('open', resolve)), 'the socket');
  socket.send('text');
  assert.equal(await soon(closed, 'the close'), 1003);
  const good = yWebsocket(server, namespace, 'bad');
  await synced(good);
});

test('rights: who may not read is closed with 4403, who may not write with no token, a token that expires 4401', async () => {
  const secret = 'a-secret-of-a-project-that-is-long-enough';
  const folder = mkdtempSync(join(tmpdir(), 'hearth-yjs-'));
  writeFileSync(join(folder, 'project.secret'), secret);
  writeFileSync(join(folder, 'auth.json'), JSON.stringify({ issuers: [{ issuer: 'mine', audience: 'docs', secret_file: 'project.secret', skew: 0 }] }));
  const own = await Server.start(after, ['--auth-config', join(folder, 'auth.json'), '--namespace', 'docs']);
  const tokenOf = (uid, seconds = 3_600) => sign(secret, { iss: 'mine', aud: 'docs', sub: uid, iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + seconds });
  const put = async (path, value) => {
    const answer = await fetch(`${own.url}${path}.json?ns=docs`, { method: 'PUT', headers: { Authorization: `Bearer ${own.secret}` }, body: JSON.stringify(value) });
    assert.equal(answer.status, 200, await answer.text());
  };
  const refusedRoom = yWebsocket(own, 'docs', 'notes/n', { token: tokenOf('ada') });
  assert.equal((await refusedRoom.closed.until((all) => all.length > 0, 'the close'))[0].code, 4403);
  await put('/.settings/documents', { paths: ['/notes'] });
  await put('/.settings/rules', { rules: { members: { '.read': true }, notes: { $note: { '.read': 'root.child("members/" + auth.uid).exists()', '.write': 'root.child("members/" + auth.uid).val() == "writer"' } } } });
  await put('/members', { ada: 'writer', ben: 'reader' });
  const ada = yWebsocket(own, 'docs', 'notes/n', { token: tokenOf('ada') });
  const ben = yWebsocket(own, 'docs', 'notes/n', { token: tokenOf('ben') });
  const reader = hocuspocus(own, 'docs', 'notes/n', { token: tokenOf('ben') });
  await Promise.all([synced(ada), synced(ben), synced(reader)]);
  ada.doc.getText('t').insert(0, 'x');
  await until(() => text(ben) === 'x', 'the edit');
  assert.equal(reader.provider.authorizedScope, 'readonly');
  ben.doc.getText('t').insert(0, 'not taken');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(text(ada), 'x');
  for (const token of [undefined, tokenOf('stranger'), 'nonsense']) {
    const { closed } = yWebsocket(own, 'docs', 'notes/n', { token });
    const [{ code }] = await closed.until((all) => all.length > 0, 'the close');
    assert.equal(code, token === 'nonsense' ? 4401 : 4403);
  }
  const denied = hocuspocus(own, 'docs', 'notes/n', { token: tokenOf('stranger') });
  await denied.failures.until((all) => all.length > 0, 'the refusal');
  const brief = yWebsocket(own, 'docs', 'notes/n', { token: tokenOf('ada', 2) });
  await synced(brief);
  assert.equal((await brief.closed.until((all) => all.length > 0, 'the end'))[0].code, 4401);
  // A right that is lost ends it.
  await put('/members/ben', null);
  assert.equal((await ben.closed.until((all) => all.length > 0, 'the end'))[0].code, 4403);
  const outside = yWebsocket(own, 'docs', 'elsewhere/n', { token: own.secret });
  assert.equal((await outside.closed.until((all) => all.length > 0, 'the close'))[0].code, 4403);
  const nowhere = yWebsocket(own, 'nowhere', 'notes/n', { token: own.secret });
  assert.equal((await nowhere.closed.until((all) => all.length > 0, 'the close'))[0].code, 4404);
});

test('documents that the operator takes away: 4403 for those who have one open, and others stay', async () => {
  const namespace = newNamespace();
  const set = async (paths) => {
    const answer = await rest(server, namespace, 'PUT', '/.settings/documents.json', { body: JSON.stringify({ paths }), headers: { Authorization: 'Bearer owner' } });
    assert.equal(answer.status, 200, answer.text);
  };
  await set(['/notes', '/plans']);
  const [lost, kept] = [yWebsocket(server, namespace, 'notes/a'), yWebsocket(server, namespace, 'plans/a')];
  const [gone, other] = [hocuspocus(server, namespace, 'notes/a'), hocuspocus(server, namespace, 'plans/a')];
  await Promise.all([lost, kept, gone, other].map(synced));
  await set(['/plans/a']);
  const [{ code, reason }] = await lost.closed.until((all) => all.length > 0, 'the close');
  assert.equal(code, 4403);
  assert.match(reason, /documents\.json/);
  await gone.failures.until((all) => all.length > 0, 'the denial');
  kept.doc.getText('t').insert(0, 'still');
  await until(() => text(other) === 'still', 'the edit');
  assert.equal(kept.closed.items.length + other.failures.items.length, 0);
  const [refused] = await yWebsocket(server, namespace, 'notes/b').closed.until((all) => all.length > 0, 'a refusal');
  assert.equal(refused.code, 4403);
});

// A room, an ear and a window for each io thread would cost a wake-up of each for every move.
test('cursors of one document wake one io thread and the shard, and are told together', async () => {
  const own = await Server.start(after, ['--dev', '--threads', '4', '--max-request-rate', '0']);
  const clients = Array.from({ length: 12 }, () => yWebsocket(own, 'n', 'room'));
  await Promise.all(clients.map(synced));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const switches = () => new Map(readdirSync(`/proc/${own.pid}/task`).map((id) => [id, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${own.pid}/task/${id}/status`, 'utf8'))[1])]));
  const sends = async () => Number(/^hearth_sends_total(?:\{[^}]*\})? (\d+)/m.exec(await (await fetch(`${own.url}/.metrics`, { headers: { Authorization: 'Bearer owner' } })).text())[1]);
  const [before, sent] = [switches(), await sends()];
  let moves = 0;
  for (let turn = 0; turn < 40; ++turn) {
    for (const { provider } of clients) provider.awareness.setLocalStateField('x', ++moves);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  const woken = [...switches()].map(([id, count]) => count - (before.get(id) ?? count)).filter((times) => times >= 20);
  assert.ok(woken.length <= 2, `${woken.length} threads were woken`);
  // Twelve moves that come at once are one message to each, two if the window ends between them; alone they would be 144.
  const told = (await sends()) - sent;
  assert.ok(told / moves <= 6, `${told} sends for ${moves} moves`);
  // Each message comes back. Most of what comes back is heard together (0.25 to 0.5 wake-ups for a message), and not one by one
  // (0.9 to 1.1).
  assert.ok(Math.max(...woken) <= 0.7 * told, `${Math.max(...woken)} wake-ups for ${told} messages`);
});
