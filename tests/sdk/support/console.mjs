// The console in real Chromium, driven by Playwright: what a person sees and does there.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { rest } from './rest.mjs';
import { patience } from './soon.mjs';

const program =
  process.env.CHROMIUM_BIN ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const looks = [
  { name: 'light, 1280 px', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark, 1280 px', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'light, 390 px', colorScheme: 'light', viewport: { width: 390, height: 800 } },
  { name: 'dark, 390 px', colorScheme: 'dark', viewport: { width: 390, height: 800 } },
];

export async function startBrowser(after) {
  if (!program) throw new Error('no Chromium here: tools/test installs it, or set CHROMIUM_BIN');
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
  after(() => browser.close());
  return browser;
}

// A page of the console in a profile of its own. What goes wrong in it is in `wrongs`: errors of scripts, what the policy of the
// page forbids, dialogs (as alert() would open). What it asks for is in `asked`: method and decoded target; `answered` has them
// behind the status, once the head of the answer is there.
export async function openConsole(browser, server, hash = '', look = looks[0], at = '/.console') {
  const { name, ...options } = look;
  const context = await browser.newContext({
    ...options,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(2 * patience); // a busy machine is no fault of the page
  const wrongs = [];
  const asked = [];
  page.on('pageerror', (error) => wrongs.push(error.stack));
  page.on(
    'console',
    (message) =>
      message.type() === 'error' &&
      !/the server responded with a status of [45]/.test(message.text()) &&
      wrongs.push(message.text()),
  );
  page.on('dialog', (dialog) => {
    wrongs.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  const lineOf = (request) => {
    const { pathname, search } = new URL(request.url());
    return `${request.method()} ${decodeURIComponent(pathname + search.replaceAll('+', ' '))}`;
  };
  const answered = [];
  page.on('request', (request) => asked.push(lineOf(request)));
  page.on('response', (answer) => answered.push(`${answer.status()} ${lineOf(answer.request())}`));
  // While one works on the sources: files of a folder instead of those in the program, with the program's headers.
  const built = process.env.HEARTH_CONSOLE_BUILT;
  if (built !== undefined) await page.route('**/.console**', (route) => answerFrom(route, built, server));
  await page.goto(`${server.url}${at}${hash}`);
  return { page, context, wrongs, asked, answered };
}

const types = { js: 'text/javascript', css: 'text/css', html: 'text/html; charset=utf-8' };

async function answerFrom(route, built, server) {
  const name = new URL(route.request().url()).pathname.replace(/^(\/ns\/[^/]+)?\/\.console\/?/, '') || 'index.html';
  if (!existsSync(`${built}/${name}`)) return route.continue();
  const policy = (await fetch(`${server.url}/.console`)).headers.get('Content-Security-Policy');
  const headers = { 'Content-Security-Policy': policy, 'Content-Type': types[name.slice(name.lastIndexOf('.') + 1)] };
  return route.fulfill({ status: 200, headers, body: readFileSync(`${built}/${name}`) });
}

// What axe finds that is serious, as lines.
export async function violations(page) {
  if (!(await page.evaluate('typeof axe !== "undefined"'))) await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations);
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`));
}

// Puts a text into what has the focus, as a person does: what is typed over a selection of an editor gets styles from the browser,
// which the policy of the page forbids.
export async function paste(page, text) {
  await page.evaluate((it) => navigator.clipboard.writeText(it), text);
  await page.keyboard.press('Control+V');
}
// The JSON field of that name has that text then.
export async function fillJson(page, name, text) {
  const field = page.locator('.json-field .cm-content').and(page.getByRole('textbox', { name, exact: true }));
  await field.click();
  await page.keyboard.press('Control+A');
  await paste(page, text);
}

// The row of a path in the tree.
export const row = (page, path) => page.locator(`[role=treeitem][data-path=${JSON.stringify(path)}]`);

export const owner = { Authorization: 'Bearer owner' };

// What an admin of a server in development writes and reads there. `value`: JSON text, or a value that is no text.
export const adminOf = (server) => ({
  put: (space, path, value) =>
    rest(server, space, 'PUT', path, {
      headers: owner,
      body: typeof value === 'string' ? value : JSON.stringify(value),
    }),
  get: async (space, path, query) =>
    JSON.parse((await rest(server, space, 'GET', path, { headers: owner, query })).text),
});

export const rules = `{
  "rules": {
    "open": { ".read": true },
    "rooms": { "$room": {
      ".read": "auth != null && data.child('members').child(auth.uid).val() == true",
      "messages": { ".indexOn": "sent" }
    } }
  }
}`;
export const rooms = {
  tea: {
    seats: 4,
    members: { ada: true },
    messages: { m1: { sent: 3, text: 'c' }, m2: { sent: 1, text: 'a' }, m3: { sent: 2, text: 'b' } },
  },
  coffee: { seats: 9, members: { bob: true } },
};

// Runs `does`, and says how many milliseconds of its processor the thread of the page spent meanwhile, which a busy machine does not
// lengthen. The page is the one that asks for an address with `part` in it meanwhile.
export async function threadTime(browser, part, does) {
  await browser.startTracing(undefined, { categories: ['toplevel', 'devtools.timeline'] });
  await does();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const asked = traceEvents.find(({ name, args }) => name === 'ResourceSendRequest' && args.data.url.includes(part));
  const thread = traceEvents.find(
    ({ name, pid, args }) => name === 'thread_name' && args.name === 'CrRendererMain' && pid === asked?.pid,
  );
  return traceEvents
    .filter(({ ph, pid, tid, name }) => ph === 'X' && pid === thread?.pid && tid === thread?.tid && name.endsWith('::RunTask'))
    .reduce((sum, { tdur }) => sum + (tdur ?? 0) / 1000, 0);
}
