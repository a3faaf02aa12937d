// The scenarios of the other files, unchanged, over TLS: in Node and in real Chromium, by WebSocket, long polling and the
// upgrade, to the server itself and through nginx as tools/manual/tls.md configures it; and over compressed WebSockets.
import { issue } from './support/certificates.mjs';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ref, set } from '@firebase/database';
import { closeApps, newNamespace, open, values } from './support/apps.mjs';
import { Browser } from './support/browser.mjs';
import { Nginx } from './support/nginx.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const { certificate, key } = issue();
const flags = ['--tls-cert', certificate, '--tls-key', key];
const origin = 'https://localhost';

// Each starts servers of its own, which speak TLS.
for (const name of ['values', 'transactions', 'presence', 'queries', 'durability']) {
  test(`${name}.test.mjs in Node`, async () => {
    const file = fileURLToPath(new URL(`${name}.test.mjs`, import.meta.url));
    const env = { ...process.env, HEARTH_TEST_ORIGIN: origin, HEARTH_TEST_FLAGS: JSON.stringify(flags) };
    delete env.NODE_TEST_CONTEXT; // it is a run by itself
    const child = spawn(process.execPath, ['--test', '--test-reporter=tap', file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const [code] = await once(child, 'close');
    assert.equal(code, 0, output);
    assert.ok(Number(/^# pass (\d+)/m.exec(output)?.[1]) > 2, output);
  });
}

const server = await Server.start(after, ['--dev', ...flags]);
const behind = await Server.start(after, ['--dev', '--trusted-proxy', '127.0.0.1']);
const nginx = await Nginx.start(after, behind);
const packed = await Server.start(after, ['--dev', '--compress-websockets']);
after(closeApps);
// The pages know nothing of the authority.
const browser = await Browser.start(after, ['--ignore-certificate-errors']);

const servers = [
  { where: 'TLS', port: server.port, at: origin, files: ['values', 'transactions'] },
  { where: 'TLS of nginx', port: nginx.port, at: origin, files: ['children'] },
  { where: 'compressed WebSockets', port: packed.port, at: 'http://127.0.0.1', files: ['values', 'queries'] },
];
const ways = [
  { way: 'WebSocket', options: {}, poll: false },
  { way: 'long polling', options: {}, poll: true },
  { way: 'the upgrade', options: { storage: false }, poll: false },
];

for (const { where, port, at, files } of servers) {
  for (const { way, options, poll } of at === origin ? ways : ways.slice(0, 1)) {
    test(`a page over ${where}, by ${way}`, async () => {
      for (const file of files) {
        const seen = await browser.open(options);
        const results = await browser.run(seen, `${file}.test.mjs`, port, { origin: at, poll });
        assert.deepEqual(results.filter(({ error }) => error), [], file);
        assert.ok(results.filter(({ skipped }) => !skipped).length >= 3, JSON.stringify(results));
        const second = seen.sockets.filter((url) => /[?&]s=/.test(url));
        if (at.startsWith('https')) assert.ok([...seen.sockets, ...seen.polls].every((url) => /^(wss|https):/.test(url)));
        if (way === 'WebSocket') assert.ok(seen.sockets.length > 0);
        else assert.ok(seen.polls.length > 0);
        assert.equal(second.length > 0, way === 'the upgrade');
        await seen.tab.browserContext().close();
      }
    });
  }
}

test('a page that offers compression is sent a tenth, and one that does not is sent all of it', async () => {
  const sent = async () => {
    const { text } = await rest(packed, 'default', 'GET', '/.metrics');
    return Number(/^hearth_sent_bytes_total (\d+)/m.exec(text)[1]);
  };
  const namespace = newNamespace();
  const app = open(packed.port, namespace);
  await set(ref(app, 'list'), Array.from({ length: 20_000 }, (_, n) => ({ name: 'ada', n })));
  const whole = JSON.stringify((await rest(packed, namespace, 'GET', '/list.json')).text).length;
  const listen = async (fb, database) => new Promise((resolve) => {
    fb.onValue(fb.ref(database, 'list'), (snapshot) => snapshot.exists() && resolve(snapshot.size));
  });
  const seen = await browser.open();
  let before = await sent();
  const size = await browser.inPage(seen, packed.port, namespace, listen);
  assert.equal(size, 20_000);
  const ofPage = (await sent()) - before;
  before = await sent();
  const heard = values(ref(open(packed.port, namespace), 'list')); // in Node the SDK offers none
  await heard.until((items) => items.at(-1)?.length === 20_000, 'the list');
  const ofNode = (await sent()) - before;
  assert.ok(ofNode > whole * 0.5, `${ofNode} of ${whole}`);
  assert.ok(ofPage < ofNode / 4, `${ofPage} and ${ofNode}`);
});
