// The SDK, streams and REST over TLS, as https://localhost.
import { issue, strangeAuthority } from './support/certificates.mjs';
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { get, onDisconnect, goOffline, push, ref, runTransaction, set, update } from '@firebase/database';
import { closeApps, newNamespace, open, Story, values } from './support/apps.mjs';
import { rest, stream } from './support/rest.mjs';
import { Server, soon } from './support/server.mjs';

const pair = issue();
const flags = ({ certificate, key }) => ['--dev', '--tls-cert', certificate, '--tls-key', key];
const server = await Server.start(after, flags(pair));
after(closeApps);

const origin = 'https://localhost';
const openSecure = (namespace, port = server.port) => open(port, namespace, { origin });

// Of the certificate that a new connection is shown.
async function fingerprint() {
  const socket = connect({ host: 'localhost', port: server.port, servername: 'localhost' });
  try {
    await soon(once(socket, 'secureConnect'), 'a TLS connection');
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

test('the server says that it speaks TLS, and the SDK listens, sets, updates and transacts over it', async () => {
  assert.equal(server.isSecure, true);
  const namespace = newNamespace();
  const [ada, bob] = [openSecure(namespace), openSecure(namespace)];
  const heard = values(ref(bob, 'room'));
  await heard.last(null);
  await set(ref(ada, 'room'), { topic: 'tea', visits: 0 });
  await update(ref(ada, 'room'), { 'members/ada': true });
  await Promise.all([ada, bob].map((app) => runTransaction(ref(app, 'room/visits'), (visits) => visits + 1)));
  await heard.last({ members: { ada: true }, topic: 'tea', visits: 2 });
});

test('large values and many small ones come whole, both ways', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openSecure(namespace), openSecure(namespace)];
  const large = 'wörld '.repeat(400_000);
  await set(ref(ada, 'large'), large);
  assert.ok((await get(ref(bob, 'large'))).val() === large);
  const heard = values(ref(bob, 'list'));
  await heard.last(null);
  await Promise.all(Array.from({ length: 2_000 }, (_, i) => set(push(ref(ada, 'list')), i)));
  await heard.until((items) => Object.keys(items.at(-1) ?? {}).length === 2_000, 'all of the list');
  assert.deepEqual(Object.values(heard.items.at(-1)), Array.from({ length: 2_000 }, (_, i) => i));
});

test('onDisconnect is run for one who leaves and for one who is killed', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openSecure(namespace), openSecure(namespace)];
  const heard = values(ref(bob, 'left'));
  await onDisconnect(ref(ada, 'left')).set('politely');
  goOffline(ada);
  await heard.last('politely');

  const present = fileURLToPath(new URL('support/presence.mjs', import.meta.url));
  const child = fork(present, [`${server.port}`, namespace, origin]);
  await soon(once(child, 'message'), 'the process to queue its writes');
  const ends = values(ref(bob, 'ends'));
  child.kill('SIGKILL');
  await ends.last(1);
});

test('REST and event streams over https', async () => {
  const namespace = newNamespace();
  const { events, headers, close } = await stream(server, namespace, '/a.json');
  assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8');
  await events.until((items) => items.length === 1, 'the first value');
  for (let i = 1; i <= 3; ++i) {
    assert.equal((await rest(server, namespace, 'PUT', '/a.json', { body: `${i}` })).text.trim(), `${i}`);
    await events.until((items) => items.length === i + 1, `event ${i}`);
  }
  assert.deepEqual(events.items.map(({ data }) => data.data), [null, 1, 2, 3]);
  close();
  const large = JSON.stringify('y'.repeat(5_000_000));
  await rest(server, namespace, 'PUT', '/large.json', { body: large });
  assert.ok((await rest(server, namespace, 'GET', '/large.json')).text.trim() === large);
});

test('SIGHUP: new connections are shown the new certificate, live ones go on, and a bad pair changes nothing', async () => {
  const namespace = newNamespace();
  const [ada, bob] = [openSecure(namespace), openSecure(namespace)];
  const connected = values(ref(ada, '.info/connected'));
  const heard = values(ref(ada, 'x'));
  await set(ref(bob, 'x'), 1);
  await heard.last(1);
  const before = await fingerprint();
  issue(); // in place of the former
  assert.equal(await fingerprint(), before);
  server.reload();
  let now = before;
  await soon((async () => { while (now === before) now = await fingerprint(); })(), 'the new certificate');

  copyFileSync(issue('other').key, pair.key);
  server.reload();
  await soon((async () => {
    while (!server.errors.includes('not the key of')) await new Promise((done) => setTimeout(done, 5));
  })(), 'the refusal in the log');
  assert.match(server.errors, /error certificate not reloaded.*the TLS key .*server\.key: it is not the key of .*server\.crt/);
  assert.equal(await fingerprint(), now);

  await set(ref(bob, 'x'), 2);
  await heard.last(2);
  assert.deepEqual(connected.items.filter((item, i) => i > 0), [true]); // false at first, then true and nothing else
});

test('an SDK that does not trust the authority never connects; the server goes on with those who do', async (t) => {
  const strange = await Server.start((end) => t.after(end), flags(issue('server', strangeAuthority((end) => t.after(end)))));
  const namespace = newNamespace();
  await assert.rejects(rest(strange, namespace, 'GET', '/.json'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });

  // Before it something that counts, to know that the SDK has tried.
  const attempts = new Story();
  const counter = createServer((client) => {
    const behind = createConnection({ host: '127.0.0.1', port: strange.port });
    for (const [from, to] of [[client, behind], [behind, client]]) {
      from.on('error', () => {}).on('close', () => to.destroy()).pipe(to);
    }
    client.on('close', () => attempts.add('refused'));
  });
  await new Promise((resolve) => counter.listen(0, 'localhost', resolve));
  t.after(() => counter.close());
  const connected = values(ref(openSecure(namespace, counter.address().port), '.info/connected'));
  await attempts.until((items) => items.length >= 2, 'two attempts of the SDK');
  assert.deepEqual(connected.items, [false]);

  const careless = connect({ host: 'localhost', port: strange.port, rejectUnauthorized: false });
  careless.write('GET /.health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [answer] = await soon(once(careless, 'data'), 'an answer to one who does not ask who it is');
  assert.match(answer.toString(), /^HTTP\/1\.1 200 OK/);
  assert.equal((await rest(server, namespace, 'GET', '/.json')).status, 200);
});

test('plain HTTP to the TLS port is told to use https', async () => {
  const answer = await rest({ port: server.port }, newNamespace(), 'GET', '/.json');
  assert.equal(answer.status, 400);
  assert.match(answer.text, /use https:/);
});
