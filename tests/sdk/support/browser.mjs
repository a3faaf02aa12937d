// Real Chromium, headless, with a page of our own that has the published browser bundle of the SDK.
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const here = fileURLToPath(new URL('..', import.meta.url));
const firebase = `${here}node_modules/firebase/`;
const { version } = JSON.parse(readFileSync(`${firebase}package.json`, 'utf8'));
const program = process.env.CHROMIUM_BIN ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript' };

// Modules by the names that tests import them by; what only Node can do is replaced.
const imports = {
  '@firebase/app': '/firebase/firebase-app.js',
  '@firebase/database': '/firebase/firebase-database.js',
  [`https://www.gstatic.com/firebasejs/${version}/firebase-app.js`]: '/firebase/firebase-app.js',
  'node:assert/strict': '/sdk/support/browser/assert.mjs',
  'node:test': '/sdk/support/browser/test.mjs',
  'node:child_process': '/sdk/support/browser/node_only.mjs',
  'node:events': '/sdk/support/browser/node_only.mjs',
  'node:url': '/sdk/support/browser/node_only.mjs',
  '/sdk/support/server.mjs': '/sdk/support/browser/server.mjs',
  '/sdk/support/rest.mjs': '/sdk/support/browser/rest.mjs',
  '/sdk/support/socket.mjs': '/sdk/support/browser/node_only.mjs',
  '/sdk/support/proxy.mjs': '/sdk/support/browser/node_only.mjs',
};

const page = `<!doctype html><meta charset="utf-8"><title>Hearth</title>
<script type="importmap">${JSON.stringify({ imports })}</script><body></body>`;

// Serves the page at `/`, the bundle and the test files. Its origin is http://localhost:PORT.
async function serveFiles(after) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const [, root, rest] = /^\/(firebase|sdk)\/([\w./-]+)$/.exec(pathname) ?? [];
    const file = root && !rest.includes('..') ? `${root === 'sdk' ? here : firebase}${rest}` : undefined;
    const found = pathname === '/' || (file && existsSync(file));
    const type = types[extname(file ?? 'page.html')] ?? 'application/octet-stream';
    response.writeHead(found ? 200 : 404, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(pathname === '/' ? page : found ? readFileSync(file) : 'not here');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  return server.address().port;
}

export class Browser {
  #chromium;
  #port;
  #pages = 0;

  static async start(after, flags = []) {
    if (!program) throw new Error('no Chromium here: tools/test installs it, or set CHROMIUM_BIN');
    const browser = new Browser();
    browser.#port = await serveFiles(after);
    browser.#chromium = await puppeteer.launch({
      executablePath: program,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', ...flags],
    });
    after(() => browser.#chromium.close());
    return browser;
  }

  get origin() {
    return `http://localhost:${this.#port}`;
  }
  get process() {
    return this.#chromium.process();
  }

  // A page in a profile of its own. `storage: false`: without local storage, as where cookies are blocked; then the SDK
  // begins by long polling. What it asks for is in `sockets` and `polls`, as URLs.
  async open({ storage = true, path = '/' } = {}) {
    const context = await this.#chromium.createBrowserContext();
    const tab = await context.newPage();
    const seen = { tab, sockets: [], polls: [], errors: [] };
    tab.on('pageerror', (error) => seen.errors.push(`${error}`));
    tab.on('request', (request) => {
      if (new URL(request.url()).pathname === '/.lp') seen.polls.push(request.url());
    });
    const devtools = await tab.createCDPSession();
    await devtools.send('Network.enable');
    devtools.on('Network.webSocketCreated', ({ url }) => seen.sockets.push(url));
    if (!storage) {
      await tab.evaluateOnNewDocument(() => {
        for (const name of ['localStorage', 'sessionStorage']) {
          Object.defineProperty(window, name, {
            get() {
              throw new DOMException('blocked', 'SecurityError');
            },
          });
        }
      });
    }
    await tab.goto(`${this.origin}${path}`);
    return seen;
  }

  // Runs `body(fb, database, argument)` in that page with an app of the SDK.
  async inPage(seen, port, namespace, body, argument, { poll = false } = {}) {
    return seen.tab.evaluate(
      async (serverPort, name, text, value, forced) => {
        const fb = await import('@firebase/database');
        const { initializeApp } = await import('@firebase/app');
        if (forced) fb.forceLongPolling();
        window.database ??= fb.getDatabase(initializeApp({ databaseURL: `http://127.0.0.1:${serverPort}?ns=${name}` }));
        return new Function('fb', 'database', 'argument', `return (${text})(fb, database, argument)`)(fb, window.database, value);
      },
      port,
      namespace,
      `${body}`,
      argument,
      poll,
    );
  }

  // What the test file `name` says in that page: its tests run there, unchanged. `port` is where `origin` ("http://127.0.0.1")
  // has the server. `poll`: by long polling alone.
  async run(seen, name, port, { origin = 'http://127.0.0.1', poll = false } = {}) {
    return seen.tab.evaluate(
      async (serverPort, serverOrigin, file, forced, namespacePrefix, isLong) => {
        Object.assign(window, { serverPort, serverOrigin, namespacePrefix, isLong });
        if (forced) (await import('@firebase/database')).forceLongPolling();
        await import(`/sdk/${file}`);
        const { closeApps } = await import('/sdk/support/apps.mjs');
        return (await import('node:test')).run(closeApps);
      },
      port,
      origin,
      name,
      poll,
      `page-${++this.#pages}`,
      Boolean(process.env.HEARTH_LONG),
    );
  }
}
