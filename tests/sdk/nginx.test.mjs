// The SDK, streams and REST through a real nginx that ends TLS, configured as tools/manual/tls.md says.
import './support/certificates.mjs';
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'faye-websocket';
import { get, limitToLast, orderByChild, query, ref, runTransaction, set, startAt, update } from '@firebase/database';
import { closeApps, newNamespace, open, Story, values } from './support/apps.mjs';
import { Nginx } from './support/nginx.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';

const server = await Server.start(after, ['--dev', '--trusted-proxy', '127.0.0.1']);
const nginx = await Nginx.start(after, server);
after(closeApps);

const origin = 'https://localhost';
const openBehind = (namespace) => open(nginx.port, namespace, { origin });

test('listens, sets, updates and transactions go through', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openBehind(namespace), open(server.port, namespace)];
  const heard = values(ref(ada, 'room'));
  await heard.last(null);
  await set(ref(bob, 'room'), { visits: 0 });
  await heard.last({ visits: 0 });
  const other = values(ref(bob, 'room'));
  await update(ref(ada, 'room'), { 'members/ada': true });
  await Promise.all([ada, bob].map((app) => runTransaction(ref(app, 'room/visits'), (visits) => visits + 1)));
  for (const story of [heard, other]) await story.last({ members: { ada: true }, visits: 2 });
});

test('queries give their windows, and keep them', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openBehind(namespace), openBehind(namespace)];
  const rules = { rules: { '.read': true, '.write': true, list: { '.indexOn': 'n' } } };
  const headers = { Authorization: 'Bearer owner' };
  await rest(nginx, namespace, 'PUT', '/.settings/rules.json', { headers, body: JSON.stringify(rules) });
  await set(ref(bob, 'list'), { a: { n: 3 }, b: { n: 1 }, c: { n: 2 } });
  const last = values(query(ref(ada, 'list'), orderByChild('n'), startAt(2), limitToLast(2)));
  await last.last({ a: { n: 3 }, c: { n: 2 } });
  await set(ref(bob, 'list/d'), { n: 9 });
  await last.last({ a: { n: 3 }, d: { n: 9 } });
});

test('values of 2 MB go up and down, by the SDK and by REST', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openBehind(namespace), openBehind(namespace)];
  const large = 'wörld!'.repeat(300_000);
  await set(ref(ada, 'large'), large);
  assert.ok((await get(ref(bob, 'large'))).val() === large);
  const text = JSON.stringify(large);
  const put = await rest(nginx, namespace, 'PUT', '/other.json', { query: 'print=silent', body: text });
  assert.equal(put.status, 204);
  assert.ok((await rest(nginx, namespace, 'GET', '/other.json')).text.trim() === text);
});

test('a stream tells each event when it happens', async () => {
  const namespace = newNamespace();
  const { status, events, close, done } = await stream(nginx, namespace, '/a.json');
  assert.equal(status, 200);
  await events.until((items) => items.length === 1, 'the first value');
  for (let i = 1; i <= 5; ++i) {
    await rest(nginx, namespace, 'PUT', '/a.json', { body: `${i}` });
    await events.until((items) => items.length === i + 1, `event ${i}`); // or the next is not even written
  }
  assert.deepEqual(events.items.map(({ data }) => data.data), [null, 1, 2, 3, 4, 5]);
  close();
  await soon(done, 'the stream to end');
});

test('onDisconnect runs when the client behind nginx is gone', async () => {
  const namespace = newNamespace();
  const present = fileURLToPath(new URL('support/presence.mjs', import.meta.url));
  const child = fork(present, [`${nginx.port}`, namespace, origin]);
  await soon(once(child, 'message'), 'the process to queue its writes');
  const ends = values(ref(open(server.port, namespace), 'ends'));
  await ends.last(null);
  child.kill('SIGKILL');
  await ends.last(1);
});

test('nginx is started again: the SDK comes back, and its writes and listens with it', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openBehind(namespace), open(server.port, namespace)];
  const connected = values(ref(ada, '.info/connected'));
  const heard = values(ref(ada, 'x'));
  await set(ref(bob, 'x'), 1);
  await heard.last(1);
  await nginx.stop();
  await connected.last(false);
  const written = set(ref(ada, 'y'), 'from behind');
  await set(ref(bob, 'x'), 2);
  const answered = new Story();
  written.then(() => answered.add(true));
  await nginx.start();
  await heard.last(2);
  await answered.last(true);
  assert.equal((await get(ref(bob, 'y'))).val(), 'from behind');
});

test('the server is told what clients call it', async () => {
  const client = new WebSocket.Client(`${origin.replace('https', 'wss')}:${nginx.port}/.ws?v=5&ns=${newNamespace()}`);
  const hello = new Promise((resolve) => client.once('message', ({ data }) => resolve(JSON.parse(data))));
  const { d } = await soon(hello, 'the hello');
  assert.equal(d.d.h, `localhost:${nginx.port}`);
  client.close();
});
