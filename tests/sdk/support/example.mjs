// An app of tests/examples as its README says: the server has the flags of the line `tools/start …`, and the files are
// served unchanged. In the browser http://127.0.0.1:9000 is that server, and the SDK comes from its npm package in place of
// Google's address.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Browser } from './browser.mjs';
import { Server, patience, soon } from './server.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const { version } = JSON.parse(readFileSync(join(modules, 'firebase', 'package.json'), 'utf8'));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

// Where the example is.
export const folderOf = (name) => join(root, 'tests', 'examples', name);

// A server with the flags that README.md of the example gives tools/start; files among them are seen from the top.
export async function startServer(after, name, port = 0) {
  const readme = readFileSync(join(folderOf(name), 'README.md'), 'utf8');
  const words = /^tools\/start (.*)$/m.exec(readme)[1].split(' ');
  const flags = words.map((word) => (existsSync(join(root, word)) ? join(root, word) : word));
  const server = new Server(['--dev', ...flags]);
  server.port = port;
  after(() => server.end());
  await server.start();
  return server;
}

// Serves the folder. Its URL.
export async function serveFolder(after, folder) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const file = join(folder, pathname === '/' ? 'index.html' : pathname); // a URL's pathname has no `..`
    const found = existsSync(file);
    response.writeHead(found ? 200 : 404, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' });
    response.end(found ? readFileSync(file) : 'not here');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

// A copy of the folder, with the packages of these tests, and its `npm start`. The URL that esbuild prints.
export async function npmStart(after, name) {
  const folder = join(mkdtempSync(join(tmpdir(), 'hearth-example-')), name);
  after(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
  cpSync(folderOf(name), folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync(modules, join(folder, 'node_modules'));
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  // esbuild serves until its standard input ends; of two ports it takes the last.
  const child = spawn('sh', ['-c', `exec ${scripts.start} --serve=127.0.0.1:0`], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  after(() => child.kill());
  let output = '';
  const url = new Promise((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
      const match = /(http:\/\/127\.0\.0\.1:\d+\/)/.exec(output);
      if (match) resolve(match[1]);
    });
    child.once('exit', () => reject(new Error(`esbuild ended: ${output}`)));
  });
  return soon(url, 'the line that says where esbuild serves');
}

// A browser for whose tabs http://127.0.0.1:9000 is `port`; the servers of the examples have that port one after the other.
export class Tabs {
  #browser;
  port;

  static async start(after) {
    const tabs = new Tabs();
    const reserved = createServer();
    await new Promise((resolve) => reserved.listen(0, '127.0.0.1', resolve));
    tabs.port = reserved.address().port;
    await new Promise((resolve) => reserved.close(resolve));
    tabs.#browser = await Browser.start(after, [`--host-resolver-rules=MAP 127.0.0.1:9000 127.0.0.1:${tabs.port}`]);
    return tabs;
  }

  // A tab in a profile of its own.
  async open(after, url) {
    const { tab } = await this.#browser.open();
    after(() => tab.browserContext().close());
    tab.setDefaultTimeout(patience);
    await tab.setRequestInterception(true);
    const bundles = `https://www.gstatic.com/firebasejs/${version}/`;
    tab.on('request', (request) => {
      const path = request.url();
      if (path.startsWith('http://127.0.0.1:') || path.startsWith('data:')) return request.continue();
      if (!path.startsWith(bundles)) return request.abort();
      const body = readFileSync(join(modules, 'firebase', path.slice(bundles.length)));
      request.respond({ contentType: 'text/javascript', headers: { 'Access-Control-Allow-Origin': '*' }, body });
    });
    await tab.goto(url);
    return tab;
  }
}

// The texts of what the selector finds.
export const texts = (tab, selector) => tab.$$eval(selector, (found) => found.map(({ textContent }) => textContent));

// As soon as these are exactly the texts there.
export async function shows(tab, selector, wanted) {
  try {
    await tab.waitForFunction(
      (where, expected) =>
        JSON.stringify([...document.querySelectorAll(where)].map(({ textContent }) => textContent)) === expected,
      {},
      selector,
      JSON.stringify(wanted),
    );
  } catch (error) {
    const found = JSON.stringify(await texts(tab, selector));
    throw new Error(`${selector} shows ${found}, not ${JSON.stringify(wanted)}`, { cause: error });
  }
}

// Types a line into the field, as a person does.
export async function say(tab, selector, text) {
  await tab.locator(selector).fill(text);
  await tab.focus(selector);
  await tab.keyboard.press('Enter');
}
