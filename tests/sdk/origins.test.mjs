// A list of origins: pages that are not on it get nothing, whatever way they try.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ref, set } from '@firebase/database';
import { closeApps, newNamespace, open } from './support/apps.mjs';
import { Browser } from './support/browser.mjs';
import { rest } from './support/rest.mjs';
import { Server } from './support/server.mjs';

const allowed = 'app.test';
after(closeApps);
const browser = await Browser.start(after, ['--host-resolver-rules=MAP *.app.test 127.0.0.1, MAP app.test 127.0.0.1']);
const { port } = new URL(browser.origin);
const flags = [`http://*.${allowed}:${port}`, `http://${allowed}`].flatMap((origin) => ['--allow-origin', origin]);
const server = await Server.start(after, ['--dev', ...flags]);

const namespace = newNamespace();
await set(ref(open(server.port, namespace), 'secret'), 'gold');

// What a page gets, by each way that a browser has.
const attempts = {
  async fetch(url, ns) {
    return (await fetch(`${url}/secret.json?ns=${ns}`)).text();
  },
  // What the page may not read it may still send.
  async put(url, ns) {
    await fetch(`${url}/written.json?ns=${ns}`, { method: 'POST', mode: 'no-cors', body: '1' });
    return 'sent';
  },
  EventSource: (url, ns) =>
    new Promise((resolve, reject) => {
      const source = new EventSource(`${url}/secret.json?ns=${ns}`);
      source.addEventListener('put', ({ data }) => (source.close(), resolve(data)));
      source.onerror = () => (source.close(), reject(new Error('refused')));
    }),
  JSONP: (url, ns) =>
    new Promise((resolve, reject) => {
      window.got = resolve;
      const script = document.createElement('script');
      script.src = `${url}/secret.json?ns=${ns}&callback=got`;
      script.onerror = () => reject(new Error('refused'));
      document.body.append(script);
    }),
  'JSONP of a page that hides': (url, ns) =>
    new Promise((resolve, reject) => {
      window.got = resolve;
      const script = document.createElement('script');
      script.referrerPolicy = 'no-referrer';
      script.src = `${url}/secret.json?ns=${ns}&callback=got`;
      script.onerror = () => reject(new Error('refused'));
      document.body.append(script);
    }),
  'long polling': (url, ns) =>
    new Promise((resolve, reject) => {
      window.pLPCommand1 = (...words) => resolve(words.join());
      const script = document.createElement('script');
      script.src = `${url}/.lp?start=t&ser=1&cb=1&v=5&ns=${ns}`;
      script.onerror = () => reject(new Error('refused'));
      document.body.append(script);
    }),
  WebSocket: (url, ns) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/.ws?v=5&ns=${ns}`);
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = () => reject(new Error('refused'));
    }),
};

// Of the page at `host`: what each attempt brought, or "refused".
async function results(host) {
  const { tab } = await browser.open();
  await tab.goto(`http://${host}:${port}/`);
  const found = {};
  for (const [way, attempt] of Object.entries(attempts)) {
    const text = `(${attempt.toString().replace(/^async (fetch|put)/, 'async function')})`;
    found[way] = await tab.evaluate(
      (code, url, ns) => (0, eval)(code)(url, ns).then(String, () => 'refused'),
      text,
      server.url,
      namespace,
    );
  }
  return found;
}

test('a page that is not on the list gets nothing, and changes nothing', async () => {
  for (const host of ['localhost', '127.0.0.1', allowed]) {
    const found = await results(host);
    delete found.put; // that it was sent is all that such a page ever hears
    assert.deepEqual(Object.values(found), Array(6).fill('refused'), JSON.stringify(found));
  }
  const admin = { headers: { Authorization: 'Bearer owner' } };
  assert.equal((await rest(server, namespace, 'GET', '/written.json', admin)).text, 'null');
});

test('a page that is on it gets all, unless it hides', async () => {
  const found = await results(`my.${allowed}`);
  assert.equal(found.fetch, '"gold"');
  assert.match(found.EventSource, /gold/);
  assert.equal(found.JSONP, 'gold');
  assert.equal(found['JSONP of a page that hides'], 'refused');
  assert.match(found['long polling'], /^start,/);
  assert.match(found.WebSocket, /^\{"t":"c"/);
  assert.notEqual((await rest(server, namespace, 'GET', '/written.json')).text, 'null');
});

test('the SDK works by long polling on a page of the list', async () => {
  const { tab, sockets } = await browser.open();
  await tab.goto(`http://my.${allowed}:${port}/`);
  const value = await tab.evaluate(
    async (to, ns) => {
      const fb = await import('@firebase/database');
      const { initializeApp } = await import('@firebase/app');
      fb.forceLongPolling();
      const database = fb.getDatabase(initializeApp({ databaseURL: `http://127.0.0.1:${to}?ns=${ns}` }));
      await fb.set(fb.ref(database, 'mine'), 1);
      return (await fb.get(fb.ref(database, 'secret'))).val();
    },
    server.port,
    namespace,
  );
  assert.equal(value, 'gold');
  assert.equal(sockets.length, 0);
});

test('programs that are no browser are not asked', async () => {
  assert.equal((await rest(server, namespace, 'GET', '/secret.json')).text, '"gold"');
});

// DNS rebinding: a site makes its own name mean this machine, and its page then asks it as the page's own server. It says no
// Origin with a GET, and no Referer when it hides that; it cannot hide its name.
const asOwner = async (url) => {
  const headers = { Authorization: 'Bearer owner' };
  const rules = await fetch(`${url}/.settings/rules.json`, { headers, referrerPolicy: 'no-referrer' });
  const metrics = await fetch(`${url}/.metrics`, { referrerPolicy: 'no-referrer' });
  return [rules.status, metrics.status, await rules.text()];
};

async function rebound(host, flags) {
  const own = await Server.start(after, ['--dev', ...flags]);
  const { tab } = await browser.open();
  await tab.goto(`http://${host}:${own.port}/.health`);
  return tab.evaluate((code, url) => (0, eval)(code)(url), `(${asOwner})`, `http://${host}:${own.port}`);
}

test('a page whose name was made to mean this machine is nobody', async () => {
  const [rules, metrics, why] = await rebound('rebound.app.test', []);
  assert.deepEqual([rules, metrics], [401, 401]);
  assert.match(why, /--dev-host/);
  assert.equal((await rebound('rebound.app.test', ['--dev-host', '*.app.test']))[0], 200);
  assert.equal((await rebound('localhost', []))[0], 200);
  assert.equal((await rebound('my.localhost', []))[1], 200);
});

test('a page of that kind is not the server’s own either, where pages are listed', async () => {
  const own = await Server.start(after, ['--dev', '--allow-origin', 'http://other.test']);
  const { tab } = await browser.open();
  await tab.goto(`http://rebound.app.test:${own.port}/.health`);
  const put = await tab.evaluate(async () => (await fetch('/x.json?ns=a', { method: 'PUT', body: '1' })).status);
  assert.equal(put, 403);
});
